import { callsSince } from '../decide/cause.js'
import { addTallies, type Cause, type Lack, NOTHING, type ServerFacts, type Suspicion, type Tally } from '../model.js'
import type { ClassLoss, LogEvent } from '../report/events.js'

/** For how long nothing more must be lost before an incident of single keys is over, in ms. */
const QUIET = 250

export type LostKey = Pick<Lack, 'symbol' | 'dataset' | 'key'>

/** One confirmed loss, from the alert until everything is back. */
export class Incident {
  tally: Tally = NOTHING
  private readonly touched = new Set<string>()
  private lostAt = 0
  /** When the last key was verified. */
  verifiedAt: number
  /** Symbols, their datasets that are not back yet, and the keys that these lost. */
  private readonly missing = new Map<string, Map<string, Set<string>>>()

  constructor(
    readonly id: number,
    readonly cause: Cause,
    readonly suspicion: Suspicion,
    readonly detectedAt: number,
    private readonly supersedes: readonly number[],
  ) {
    this.verifiedAt = detectedAt
  }

  get symbols(): ReadonlySet<string> {
    return this.touched
  }

  /** How long to wait before the incident may be called over, in ms: single keys are seldom deleted or evicted alone. */
  quietIn(now: number): number {
    return this.suspicion.scope === 'all' ? 0 : Math.max(0, this.lostAt + QUIET - now)
  }

  /** Takes in what was lost. */
  take(lost: Iterable<LostKey>): void {
    this.lostAt = Date.now()
    for (const { symbol, dataset, key } of lost) {
      this.touched.add(symbol)
      const datasets = this.missing.get(symbol) ?? new Map<string, Set<string>>()
      this.missing.set(symbol, datasets)
      datasets.set(dataset, (datasets.get(dataset) ?? new Set()).add(key))
    }
  }

  /** What was lost and is not back yet. */
  *outstanding(): Iterable<LostKey> {
    for (const [symbol, datasets] of this.missing)
      for (const [dataset, keys] of datasets) for (const key of keys) yield { symbol, dataset, key }
  }

  /** True if this is what the incident lost, and not a new loss: another key of the same dataset that is gone is one. */
  covers({ symbol, dataset, key, kind }: Pick<Lack, 'symbol' | 'dataset' | 'key' | 'kind'>): boolean {
    const keys = this.missing.get(symbol)?.get(dataset)
    return keys !== undefined && (kind !== 'missing' || keys.has(key))
  }

  /** Takes note that a dataset of a symbol is back. */
  settle(symbol: string, dataset: string): void {
    const datasets = this.missing.get(symbol)
    if (datasets?.delete(dataset) && datasets.size === 0) this.missing.delete(symbol)
  }

  /** Takes note that a symbol is no longer wanted. */
  forget(symbol: string): void {
    this.missing.delete(symbol)
  }

  /** True if everything is back. */
  get isOver(): boolean {
    return this.missing.size === 0
  }

  /** The ids of this incident and those it took over. */
  get ids(): number[] {
    return [...this.supersedes, this.id]
  }

  /** Adds what one heal wrote. */
  add(tally: Tally): void {
    this.tally = addTallies(this.tally, tally)
    this.verifiedAt = Date.now()
  }

  healed(): LogEvent {
    const { keys, samples, fields, leftOut, superseded } = this.tally
    return {
      event: 'healed',
      incident: this.id,
      supersedes: [...this.supersedes],
      cause: this.cause,
      time_to_detect_ms: this.detectedAt - this.suspicion.since,
      time_to_heal_ms: this.verifiedAt - this.suspicion.since,
      keys,
      samples,
      fields,
      symbols: this.symbols.size,
      left_out: leftOut,
      superseded,
    }
  }
}

/** How many names an alert spells out. */
const NAMES = 5

/** For how long a loss of single keys counts as part of an incident of the same cause that is still open, in ms. */
const JOIN_WITHIN = 60_000

/** True if a loss belongs to the incident that is open: an eviction storm is one incident a minute, not one a key. */
export function joins(open: Incident, cause: Cause, suspicion: Suspicion): boolean {
  return suspicion.scope !== 'all' && open.cause === cause && suspicion.at - open.detectedAt < JOIN_WITHIN
}

/** One line a dataset about keys that differ without any sign of a loss. */
export function driftEvents(lacks: readonly Lack[]): LogEvent[] {
  return [...new Set(lacks.map(({ dataset }) => dataset))].map((dataset) => {
    const its = lacks.filter((lack) => lack.dataset === dataset)
    return {
      event: 'drift',
      dataset,
      kinds: countKinds(its),
      keys: its.slice(0, NAMES).map(({ key }) => key),
      keys_drifted: its.length,
      symbols: [...new Set(its.map(({ symbol }) => symbol))].slice(0, NAMES),
      missing: its.reduce((total, { missing }) => total + missing, 0),
      differing: its.reduce((total, { differing }) => total + differing, 0),
    }
  })
}

function countKinds(lacks: readonly Lack[]): Record<string, number> {
  const kinds: Record<string, number> = {}
  for (const { kind } of lacks) kinds[kind] = (kinds[kind] ?? 0) + 1
  return kinds
}

function isoOf(time: number | undefined): string | undefined {
  return time === undefined ? undefined : new Date(time).toISOString()
}

export interface LossFacts {
  readonly incident: Incident
  readonly lacks: readonly Lack[]
  readonly before: ServerFacts | undefined
  readonly now: ServerFacts
  readonly wholeAt: number | undefined
  readonly client: Record<string, string> | undefined
  /** What of each class of keys is gone. */
  readonly classes: ClassLoss[]
}

/** The alert of a confirmed loss, with everything that the server tells about how it came about. */
export function dataLoss({ incident, lacks, before, now, wholeAt, client, classes }: LossFacts): LogEvent {
  return {
    event: 'data_loss',
    incident: incident.id,
    cause: incident.cause,
    run_id: now.runId,
    previous_run_id: before?.runId,
    keys_lost: lacks.filter(({ kind }) => kind === 'missing').length,
    keys_incomplete: countKinds(lacks.filter(({ kind }) => kind !== 'missing')),
    symbols_lost: incident.symbols.size,
    symbols: [...incident.symbols].slice(0, NAMES),
    last_seen_whole_at: isoOf(wholeAt),
    time_to_detect_ms: incident.detectedAt - incident.suspicion.since,
    classes,
    evidence: evidence(incident.suspicion, before, now, client),
  }
}

function evidence(
  suspicion: Suspicion,
  before: ServerFacts | undefined,
  now: ServerFacts,
  client: Record<string, string> | undefined,
): Record<string, unknown> {
  const { flushall, flushdb, swapdb } = callsSince(before, now)
  const evicted = Math.max(0, (now.evictedKeys ?? 0) - (before?.runId === now.runId ? (before?.evictedKeys ?? 0) : 0))
  return {
    signals: [...suspicion.signals],
    key_events: suspicion.keyEvents,
    first_look: before === undefined,
    uptime_s: now.uptimeSeconds,
    loading: now.loading,
    role: now.role,
    version: now.version,
    aof_enabled: now.aofEnabled,
    rdb_last_save_at: isoOf(now.rdbLastSaveAt),
    rdb_last_status: now.rdbLastStatus,
    // What Redis had on disk when it was last seen whole: only these changes a snapshot lacks, and an append-only file none.
    aof_enabled_before: before?.aofEnabled,
    appendfsync_before: before?.appendfsync,
    aof_last_write_status_before: before?.aofLastWriteStatus,
    unsaved_changes_before: before?.rdbChangesSinceSave,
    unsaved_since: isoOf(before?.rdbLastSaveAt),
    flushall_calls: flushall,
    flushdb_calls: flushdb,
    swapdb_calls: swapdb,
    evicted_keys: evicted,
    used_memory: now.usedMemory,
    maxmemory: now.maxMemory,
    maxmemory_policy: now.maxMemoryPolicy,
    ...(client ? { client } : {}),
  }
}

import { dateOf, steadyTime } from '../clock.js'
import { callsSince } from '../decide/cause.js'
import type { Cause, Lack, ServerFacts, Suspicion } from '../model.js'
import type { ClassLoss, LogEvent } from '../report/events.js'
import type { Incident } from './incident.js'

/** How many names an alert spells out. */
export const NAMES = 5

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

/** A moment of Redis' clock. */
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
    causes: [...incident.causes],
    reopened: incident.spell.level > 0,
    run_id: now.runId,
    previous_run_id: before?.runId,
    keys_lost: lacks.filter(({ kind }) => kind === 'missing').length,
    keys_incomplete: countKinds(lacks.filter(({ kind }) => kind !== 'missing')),
    symbols_lost: incident.symbols.size,
    symbols: [...incident.symbols].slice(0, NAMES),
    last_seen_whole_at: wholeAt === undefined ? undefined : dateOf(wholeAt).toISOString(),
    time_to_detect_ms: incident.detectedAt - incident.suspicion.since,
    classes,
    evidence: evidence(incident.suspicion, before, now, client),
  }
}

/** One more loss of an incident that is open, for those who count. */
export function lossJoined(
  incident: Incident,
  cause: Cause,
  suspicion: Suspicion,
  lacks: readonly Lack[],
  classes: ClassLoss[],
): LogEvent {
  return {
    event: 'loss_joined',
    incident: incident.id,
    cause,
    keys_lost: lacks.filter(({ kind }) => kind === 'missing').length,
    keys_incomplete: countKinds(lacks.filter(({ kind }) => kind !== 'missing')),
    symbols_lost: incident.symbols.size,
    symbols_lacking: incident.lacking,
    time_to_detect_ms: steadyTime() - suspicion.since,
    classes,
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

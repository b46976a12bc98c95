import { steadyTime } from '../clock.js'
import { KeyFates } from '../decide/key-fates.js'
import { holdOf, Pace, type Spell } from '../decide/storm.js'
import { addTallies, type Cause, type Lack, NOTHING, type Suspicion, type Tally } from '../model.js'
import type { ClassLoss, LogEvent } from '../report/events.js'
import { NAMES } from './loss-events.js'

/** For how long nothing more must be lost before an incident of single keys is over, in ms. */
const QUIET = 250

export type LostKey = Pick<Lack, 'symbol' | 'dataset' | 'key' | 'kind'>

/** What became of a key that was lost, once its dataset has been seen whole. */
export type FateOf = (key: string) => 'back' | 'expired' | 'unwanted'

export interface Opening {
  readonly id: number
  readonly cause: Cause
  readonly suspicion: Suspicion
  readonly detectedAt: number
  /** How it is connected with the one before it of the same cause. */
  readonly spell: Spell
  /** The incident that was open, and that this one takes over. */
  readonly open?: Incident | undefined
}

/** One confirmed loss, and what is lost again before it is over, from the alert until everything is back and stays so. */
export class Incident {
  readonly id: number
  /** Why the first loss came about. */
  readonly cause: Cause
  readonly suspicion: Suspicion
  readonly detectedAt: number
  readonly spell: Spell
  /** Why any of its losses came about. */
  readonly causes: Set<Cause>
  /** How many losses were confirmed. */
  losses = 1
  /** When the last key was verified. */
  verifiedAt: number
  /** Bounds how often it is told that it goes on. */
  readonly pace: Pace
  /** True while what it loses is of another cause, dataset or class than was told. */
  hasNews = false
  private tally: Tally = NOTHING
  private level: number
  private lostAt = 0
  private saidBack = false
  private readonly supersedes: readonly number[]
  private readonly fates = new KeyFates()
  private readonly touched = new Set<string>()
  private readonly datasets = new Set<string>()
  private readonly classes = new Map<string | null, ClassLoss>()
  /** Symbols, their datasets that are not back yet, and the keys that these lost. */
  private readonly missing = new Map<string, Map<string, Map<string, Lack['kind']>>>()

  constructor({ id, cause, suspicion, detectedAt, spell, open }: Opening) {
    this.id = id
    this.cause = cause
    this.suspicion = suspicion
    this.detectedAt = detectedAt
    this.spell = spell
    this.verifiedAt = detectedAt
    this.pace = new Pace(detectedAt)
    this.level = Math.max(spell.level, open?.level ?? 0)
    this.causes = new Set([cause, ...(open?.causes ?? [])])
    this.supersedes = open ? open.ids.filter((each) => each !== id) : []
    if (open) this.losses += open.losses
  }

  /** Takes over what another lost and has not brought back, and what became of the rest. */
  inherit(open: Incident): void {
    this.take(open.outstanding())
    this.fates.adopt(open.fates)
    this.tally = addTallies(open.tally, this.tally)
  }

  get symbols(): ReadonlySet<string> {
    return this.touched
  }

  /** How many symbols lack something now. */
  get lacking(): number {
    return this.missing.size
  }

  /** True if it was about everything from the start. */
  get isWholesale(): boolean {
    return this.suspicion.scope === 'all'
  }

  /** How long to wait before the incident may be called over, in ms: what was lost again may be lost once more. */
  quietIn(now: number): number {
    // Single keys are seldom deleted or evicted alone.
    const quiet = Math.max(this.isWholesale ? 0 : QUIET, holdOf(this.level))
    return Math.max(0, Math.min(quiet, this.lostAt + quiet - now))
  }

  /** Takes in what was lost. */
  take(lost: Iterable<LostKey>): void {
    this.lostAt = steadyTime()
    this.saidBack = false
    for (const { symbol, dataset, key, kind } of lost) {
      this.touched.add(symbol)
      this.datasets.add(dataset)
      const datasets = this.missing.get(symbol) ?? new Map<string, Map<string, Lack['kind']>>()
      this.missing.set(symbol, datasets)
      datasets.set(dataset, (datasets.get(dataset) ?? new Map()).set(key, kind))
      if (kind === 'missing') this.fates.lose(key)
    }
  }

  /** Takes in another loss. */
  join(cause: Cause, suspicion: Suspicion, lost: readonly Lack[], classes: readonly ClassLoss[]): void {
    this.losses++
    // A wholesale loss that comes again has begun a storm.
    if (suspicion.scope === 'all') this.level = Math.max(1, this.level)
    const isNewDataset = lost.some(({ dataset }) => !this.datasets.has(dataset))
    const isNewClass = this.count(classes)
    if (isNewDataset || isNewClass || !this.causes.has(cause)) this.hasNews = true
    this.causes.add(cause)
    this.take(lost)
  }

  /** Adds up what of each class is gone; true if one that PostgreSQL does not give back had lost nothing before. */
  count(classes: readonly ClassLoss[]): boolean {
    let isNew = false
    for (const loss of classes) {
      const before = this.classes.get(loss.match)
      isNew ||= before === undefined && loss.recovery !== 'postgres'
      const gone = loss.keys_gone === undefined ? before?.keys_gone : (before?.keys_gone ?? 0) + loss.keys_gone
      this.classes.set(loss.match, { ...loss, keys_gone: gone })
    }
    return isNew
  }

  /** What was lost and is not back yet. */
  *outstanding(): Iterable<LostKey> {
    for (const [symbol, datasets] of this.missing)
      for (const [dataset, keys] of datasets) for (const [key, kind] of keys) yield { symbol, dataset, key, kind }
  }

  /** True if this is what the incident lost, and not a new loss: another key of the same dataset that is gone is one. */
  covers({ symbol, dataset, key, kind }: LostKey): boolean {
    const keys = this.missing.get(symbol)?.get(dataset)
    return keys !== undefined && (kind !== 'missing' || keys.has(key))
  }

  /** The keys that a dataset of a symbol lost and that are not back yet. */
  lostBy(symbol: string, dataset: string): Iterable<string> {
    return this.missing.get(symbol)?.get(dataset)?.keys() ?? []
  }

  /** Takes note that a dataset of a symbol is whole, and what became of the keys that it had lost. */
  settle(symbol: string, dataset: string, fateOf: FateOf): void {
    for (const key of this.lostBy(symbol, dataset)) this.fates.settle(key, dataset, fateOf(key))
    const datasets = this.missing.get(symbol)
    if (datasets?.delete(dataset) && datasets.size === 0) this.missing.delete(symbol)
  }

  /** Takes note that a symbol is no longer wanted. */
  forget(symbol: string): void {
    for (const dataset of [...(this.missing.get(symbol)?.keys() ?? [])]) this.settle(symbol, dataset, () => 'unwanted')
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
    this.verifiedAt = steadyTime()
  }

  /** That everything is back, while more may be lost for another `hold` ms; undefined if that was said. */
  allBack(hold: number): LogEvent | undefined {
    if (this.saidBack) return undefined
    this.saidBack = true
    return { event: 'all_back', incident: this.id, hold_ms: hold }
  }

  /** That it goes on, with what it has come to. */
  continues(now: number): LogEvent {
    const { lost, back } = this.fates.counts
    return {
      event: 'data_loss_continues',
      incident: this.id,
      cause: this.cause,
      causes: [...this.causes],
      losses: this.losses,
      for_ms: now - this.detectedAt,
      keys_lost: lost,
      keys_back: back,
      symbols_lost: this.touched.size,
      symbols: [...this.touched].slice(0, NAMES),
      datasets: [...this.datasets],
      classes: [...this.classes.values()],
    }
  }

  /** That it is over; `unseen` are datasets of which nothing is known. */
  healed(unseen: Iterable<string>): LogEvent {
    const { keys, samples, fields, leftOut, superseded } = this.tally
    const { lost, back, expired, unwanted, unwantedKeys } = this.fates.counts
    return {
      event: 'healed',
      incident: this.id,
      supersedes: [...this.supersedes],
      cause: this.cause,
      causes: [...this.causes],
      losses: this.losses,
      time_to_detect_ms: this.detectedAt - this.suspicion.since,
      time_to_heal_ms: this.verifiedAt - this.suspicion.since,
      keys_lost: lost,
      keys_back: back,
      keys_expired: expired,
      keys_unwanted: lost - back - expired,
      unwanted: { ...unwanted },
      unwanted_keys: [...unwantedKeys],
      unseen: [...unseen],
      keys,
      samples,
      fields,
      symbols: this.symbols.size,
      left_out: leftOut,
      superseded,
    }
  }

  /** The spell to remember it by. */
  get ended(): Spell {
    return { ...this.spell, level: this.level, times: this.spell.times + this.losses - 1 }
  }
}

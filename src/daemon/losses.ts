import { steadyTime } from '../clock.js'
import { type Case, causeOf } from '../decide/cause.js'
import { EvictionDelay } from '../decide/eviction-delay.js'
import { Recurrences } from '../decide/storm.js'
import type { Holdings } from '../holdings.js'
import type { Cause, Lack, ServerFacts, Suspicion } from '../model.js'
import { findCulprit } from '../redis/culprit.js'
import { type Life, readFacts } from '../redis/life.js'
import { readEpoch } from '../redis/marks.js'
import type { ClassLoss, Emit } from '../report/events.js'
import { type FateOf, Incident, type LostKey } from './incident.js'
import { dataLoss, lossJoined } from './loss-events.js'

/** Asks Redis how many keys of each class are gone; of those of the datasets it is known which. */
export type ClassLosses = (probe: Life['probe'], missing: readonly string[]) => Promise<ClassLoss[]>

export interface GuardSettings {
  readonly classLosses?: ClassLosses
  /** Within how many ms of its end an incident is opened again by a loss of the same cause; 0 by default. */
  readonly storm?: number
  /** True while the connection to Redis breaks again and again. */
  readonly isFlapping?: () => boolean
}

/** Tells a loss from what is merely lacking, alerts, and keeps the incident that is open. */
export class Losses {
  /** The incident that is open. */
  incident: Incident | undefined
  private opened = 0
  /** What Redis told about itself when everything was last whole, and when that was. */
  private before: ServerFacts | undefined
  private wholeAt: number | undefined
  private readonly evictions = new EvictionDelay()
  /** How incidents follow one another, and the last one of each cause. */
  private readonly recurrences: Recurrences<Cause>
  private readonly lastIds = new Map<Cause, number>()
  /** How many losses were confirmed. */
  private count = 0
  private telling: NodeJS.Timeout | undefined

  /** `storm`: within how many ms of its end an incident is opened again by a loss of the same cause. */
  constructor(
    private readonly holdings: Holdings,
    private readonly emit: Emit,
    private readonly classLosses: ClassLosses = async () => [],
    storm = 0,
  ) {
    this.recurrences = new Recurrences(storm)
  }

  /** Goes on where another left off. */
  follow({ before, wholeAt, opened, recurrences, lastIds }: Losses): void {
    this.before = before
    this.wholeAt = wholeAt
    this.opened = opened
    this.recurrences.follow(recurrences)
    for (const [cause, id] of lastIds) this.lastIds.set(cause, id)
  }

  /** How many losses were confirmed: those that joined an open incident, too. */
  get confirmed(): number {
    return this.count
  }

  /** Says nothing more. */
  stop(): void {
    clearTimeout(this.telling)
  }

  /** Notes that everything was seen whole. */
  sawWhole(facts: ServerFacts): void {
    this.before = facts
    this.wholeAt = facts.at
  }

  /** When everything was last seen whole, in epoch ms. */
  get lastWholeAt(): number | undefined {
    return this.wholeAt
  }

  /** The process that was last seen whole, or that lost what is missing. */
  get lastRunId(): string | undefined {
    return this.before?.runId
  }

  /** True if another process was seen whole before this one. */
  isOtherProcess({ runId }: ServerFacts): boolean {
    return this.before !== undefined && runId !== undefined && this.before.runId !== runId
  }

  /** A key that stood and is gone, one of another type, or anything lacking once Redis is another process. */
  isLost({ kind, key }: Lack, now: ServerFacts): boolean {
    const firstLook = this.before === undefined
    if (this.isOtherProcess(now)) return true
    if (kind === 'wrong_type') return true
    return kind === 'missing' && (firstLook || this.holdings.ownerOf(key) !== undefined)
  }

  /** True if the open incident has lost this already. */
  covers(lack: LostKey): boolean {
    return this.incident?.covers(lack) ?? false
  }

  /** What has become of keys that a dataset of a symbol lost: to be asked once its keys are recorded. */
  fateOf(symbol: string, dataset: string): FateOf {
    const { holdings } = this
    const isDue = (key: string): boolean => holdings.ownerOf(key) !== undefined && !holdings.mustStand(key)
    const expired = new Set([...(this.incident?.lostBy(symbol, dataset) ?? [])].filter(isDue))
    return (key) => {
      if (holdings.ownerOf(key) !== undefined) return 'back'
      return expired.has(key) ? 'expired' : 'unwanted'
    }
  }

  /** Takes note that a symbol is no longer wanted. */
  forget(symbol: string): void {
    this.incident?.forget(symbol)
  }

  /** Alerts where nothing of the datasets is newly lost, but the epoch is gone, and keys of other classes with it. */
  async alertOfOthers(suspicion: Suspicion, probe: Life['probe']): Promise<void> {
    if ((await readEpoch(probe)) !== null) return
    await this.alert(suspicion, [], { now: await readFacts(probe), epochStands: false }, probe)
  }

  /**
   * Takes in a loss: opens an incident with an alert, or adds to the one that is open. Returns how long healing should wait, in ms. Where
   * nothing of the datasets is lost, it counts only if keys of other classes are.
   */
  async alert(
    suspicion: Suspicion,
    lost: readonly Lack[],
    { now, epochStands }: Pick<Case, 'now' | 'epochStands'>,
    probe: Life['probe'],
  ): Promise<number> {
    const { before, incident: open } = this
    // What is lost from here on was lost by this process, and by what it does from here on.
    this.before = now
    const missing = lost.filter(({ kind }) => kind === 'missing').map(({ key }) => key)
    const gone = missing.length
    const share = before === undefined || lost.length === 0 ? 1 : gone / Math.max(1, this.standing(open))
    const concluded = causeOf({ suspicion, before, now, lacks: lost, share, epochStands })
    const cause = open && isUnseen(concluded, suspicion) ? open.cause : concluded
    const delay = cause === 'eviction' ? this.evictions.next(now.at) : 0
    const joined = open && joins(open, cause, suspicion) ? open : undefined
    // Single keys of the same cause say nothing of other classes.
    const isMore = joined !== undefined && suspicion.scope !== 'all' && joined.causes.has(cause)
    const [client, classes] = await Promise.all([
      !joined && (cause === 'flush' || cause === 'swapdb') ? findCulprit(probe) : undefined,
      // The alert must not wait for what cannot be counted: each count tells of that, and the end of a connection is told of anyhow.
      isMore ? [] : this.classLosses(probe, missing).catch(() => []),
    ])
    if (lost.length === 0 && !classes.some(({ keys_gone }) => keys_gone)) return 0
    this.count++
    if (joined) {
      joined.join(cause, suspicion, lost, classes)
      this.emit(lossJoined(joined, cause, suspicion, lost, classes))
      this.tell(joined)
      return delay
    }
    const incident = this.open(cause, suspicion, open)
    incident.take(lost)
    incident.count(classes)
    this.emit(dataLoss({ incident, lacks: lost, before, now, wholeAt: this.wholeAt, client, classes }))
    if (open) incident.inherit(open)
    this.incident = incident
    return delay
  }

  private open(cause: Cause, suspicion: Suspicion, open: Incident | undefined): Incident {
    clearTimeout(this.telling)
    const detectedAt = steadyTime()
    const spell = this.recurrences.begin(cause, detectedAt)
    const last = spell.level > 0 ? this.lastIds.get(cause) : undefined
    const id = last ?? ++this.opened
    return new Incident({ id, cause, suspicion, detectedAt, spell, open })
  }

  /** Tells that an incident goes on, now or as soon as it may be told. */
  private tell(incident: Incident): void {
    clearTimeout(this.telling)
    const now = steadyTime()
    const wait = incident.pace.wait(now, incident.hasNews)
    if (wait > 0) {
      this.telling = setTimeout(() => this.tell(incident), wait)
      this.telling.unref()
      return
    }
    incident.pace.told(now)
    incident.hasNews = false
    this.emit(incident.continues(now))
  }

  /** How many keys stood until now: those that the open incident has not yet brought back could not be lost again. */
  private standing(open: Incident | undefined): number {
    if (!open) return this.holdings.size
    return this.holdings.count((owner, key) => !open.covers({ ...owner, key, kind: 'missing' }))
  }

  /** How long the open incident must be quiet before it is over, in ms, though everything is back; 0 if it is over, or is not. */
  get hold(): number {
    return this.incident?.isOver ? this.incident.quietIn(steadyTime()) : 0
  }

  /** Says that everything is back, where the incident is not over yet. */
  tellBack(hold: number): void {
    const event = this.incident?.allBack(hold)
    if (event) this.emit(event)
  }

  /** Says so if the open incident is over, and returns the symbols that it had lost; `unseen` are datasets of which nothing is known. */
  close(unseen: Iterable<string>): ReadonlySet<string> {
    const { incident } = this
    if (!incident?.isOver) return new Set()
    clearTimeout(this.telling)
    const now = steadyTime()
    // What is new must be told before it is said to be over.
    if (incident.hasNews) this.emit(incident.continues(now))
    this.emit(incident.healed(unseen))
    for (const cause of incident.causes) {
      this.recurrences.end(cause, incident.ended, now)
      this.lastIds.set(cause, incident.id)
    }
    this.incident = undefined
    return incident.symbols
  }
}

/** True if no key event tells of a deletion: what more is gone while an incident is open was taken by what opened it. */
function isUnseen(cause: Cause, { keyEvents }: Suspicion): boolean {
  return (cause === 'deletion' || cause === 'unknown') && Object.keys(keyEvents).length === 0
}

/** True if a loss belongs to the incident that is open: unless that is about single keys, and this one about everything. */
function joins(open: Incident, cause: Cause, { scope }: Suspicion): boolean {
  return scope !== 'all' || open.isWholesale || open.causes.has(cause)
}

import { type Case, causeOf } from '../decide/cause.js'
import { EvictionDelay } from '../decide/eviction-delay.js'
import type { Holdings } from '../holdings.js'
import type { Lack, ServerFacts, Suspicion } from '../model.js'
import { findCulprit } from '../redis/culprit.js'
import { type Life, readFacts } from '../redis/life.js'
import { readEpoch } from '../redis/marks.js'
import type { ClassLoss, Emit } from '../report/events.js'
import { dataLoss, Incident, joins } from './incident.js'

/** Asks Redis how many keys of each class are gone; of those of the datasets it is known which. */
export type ClassLosses = (probe: Life['probe'], missing: readonly string[]) => Promise<ClassLoss[]>

/** Tells a loss from what is merely lacking, alerts, and keeps the incident that is open. */
export class Losses {
  /** The incident that is open. */
  incident: Incident | undefined
  private opened = 0
  /** What Redis told about itself when everything was last whole, and when that was. */
  private before: ServerFacts | undefined
  private wholeAt: number | undefined
  private readonly evictions = new EvictionDelay()

  constructor(
    private readonly holdings: Holdings,
    private readonly emit: Emit,
    private readonly classLosses: ClassLosses = async () => [],
  ) {}

  /** Goes on where another left off. */
  follow({ before, wholeAt, opened }: Losses): void {
    this.before = before
    this.wholeAt = wholeAt
    this.opened = opened
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
  covers(lack: Lack): boolean {
    return this.incident?.covers(lack) ?? false
  }

  /** Alerts where nothing of the datasets is newly lost, but the epoch is gone, and keys of other classes with it. */
  async alertOfOthers(suspicion: Suspicion, probe: Life['probe']): Promise<void> {
    if ((await readEpoch(probe)) !== null) return
    await this.alert(suspicion, [], { now: await readFacts(probe), epochStands: false }, probe)
  }

  /**
   * Alerts: opens an incident, or adds to the one that is open. Returns how long healing should wait, in ms. Where nothing of the
   * datasets is lost, it alerts only if keys of other classes are.
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
    const cause = causeOf({ suspicion, before, now, lacks: lost, share, epochStands })
    const delay = cause === 'eviction' ? this.evictions.next(now.at) : 0
    if (open && joins(open, cause, suspicion)) {
      open.take(lost)
      return delay
    }
    const [client, classes] = await Promise.all([
      cause === 'flush' || cause === 'swapdb' ? findCulprit(probe) : undefined,
      // The alert must not wait for what cannot be counted.
      this.classLosses(probe, missing).catch(() => []),
    ])
    if (lost.length === 0 && !classes.some(({ keys_gone }) => keys_gone)) return 0
    const incident = new Incident(++this.opened, cause, suspicion, Date.now(), open?.ids ?? [])
    incident.take(lost)
    this.emit(dataLoss({ incident, lacks: lost, before, now, wholeAt: this.wholeAt, client, classes }))
    incident.take(open?.outstanding() ?? [])
    this.incident = incident
    return delay
  }

  /** How many keys stood until now: those that the open incident has not yet brought back could not be lost again. */
  private standing(open: Incident | undefined): number {
    if (!open) return this.holdings.size
    return this.holdings.count((owner, key) => !open.covers({ ...owner, key, kind: 'missing' }))
  }

  /** Says so if the open incident is over, and returns the symbols that it had lost. */
  close(): ReadonlySet<string> {
    const { incident } = this
    if (!incident?.isOver) return new Set()
    this.emit(incident.healed())
    this.incident = undefined
    return incident.symbols
  }
}

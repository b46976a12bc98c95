import { RedisClock, steadyTime } from '../clock.js'
import type { Dataset } from '../datasets/dataset.js'
import { type Lanes, lanesOf } from '../decide/lanes.js'
import { compareRosters } from '../decide/roster.js'
import { makeTask, planTasks } from '../decide/tasks.js'
import { Underway } from '../decide/underway.js'
import { Wholeness } from '../decide/wholeness.js'
import type { Clean, Survey } from '../heal/survey.js'
import { Holdings } from '../holdings.js'
import type { Lack, Suspicion, Tally } from '../model.js'
import { type Life, readFacts } from '../redis/life.js'
import { markLost, readEpoch, unmark } from '../redis/marks.js'
import type { Emit } from '../report/events.js'
import { type Consequence, lookAt, NOTHING_FOLLOWS } from './consequence.js'
import { driftEvents } from './loss-events.js'
import { type GuardSettings, Losses } from './losses.js'
import { Readiness } from './readiness.js'
import { Releases } from './releases.js'

/**
 * What the daemon knows across lives: which lanes there are, what stood in Redis, what is not whole, and what was lost.
 * It turns the findings of surveys and heals into alerts, marks and further work; it touches no data itself.
 */
export class Guard {
  /** Redis' clock, as of the last look. */
  readonly clock = new RedisClock()
  readonly holdings = new Holdings(() => this.clock.now())
  readonly wholeness = new Wholeness()
  readonly losses: Losses
  private readonly underway = new Underway()
  private readonly readiness: Readiness
  private readonly releases: Releases
  /** The enabled symbols and what stands for itself, each with its datasets; empty until the symbols are known. */
  lanes: Lanes = new Map()
  /** Their names, in order. */
  symbols: readonly string[] = []
  /** Symbols that were lost and healed, and that the scrub has not been to since. */
  private readonly healed = new Set<string>()
  /** Datasets that the last look could not see. */
  private readonly unseen = new Set<string>()
  private watching = false
  private readonly isFlapping: () => boolean

  constructor(
    private readonly datasets: readonly Dataset[],
    private readonly emit: Emit,
    { classLosses, storm, isFlapping = () => false }: GuardSettings = {},
  ) {
    this.losses = new Losses(this.holdings, emit, classLosses, storm)
    this.isFlapping = isFlapping
    this.releases = new Releases(this.holdings, emit)
    this.readiness = new Readiness(this.holdings, emit)
  }

  /** Says nothing more. */
  stop(): void {
    this.losses.stop()
    this.releases.stop()
  }

  /** True if a dataset is wanted of a symbol. */
  isWanted(symbol: string, dataset: string): boolean {
    return this.lanes.get(symbol)?.includes(dataset) ?? false
  }

  /** True if what this key belongs to is known to be whole, and the key has not expired, so that it can be missed. */
  isExpected(key: string): boolean {
    const owner = this.holdings.ownerOf(key)
    return owner !== undefined && this.holdings.mustStand(key) && !this.wholeness.isOpen(owner.symbol, owner.dataset)
  }

  /** True if everything was known to be whole, and marked so, at `time` and ever since. */
  isWholeSince(time: number): boolean {
    return this.readiness.isCompleteSince(time)
  }

  /** Forgets what was known to be whole, so that the next look decides. */
  doubtAll(): void {
    this.readiness.shake()
    for (const [symbol, datasets] of this.lanes) this.wholeness.doubt(symbol, datasets)
    this.underway.clear()
  }

  /** Nothing can be looked at: no symbol counts as whole until it can. */
  async distrust({ probe }: Life): Promise<void> {
    const all = new Set(this.symbols)
    this.readiness.shake()
    this.readiness.lose(all)
    // Where this is forbidden as well, the condition that brought us here stands for it.
    await markLost(probe, all).catch(() => undefined)
  }

  /** True if the scrub has somewhere to go first. */
  get hasHealed(): boolean {
    return this.healed.size > 0
  }

  /** Takes out some symbols that were healed by a look that compared digests. */
  takeHealed(count: number): string[] {
    const some = [...this.healed].slice(0, count)
    for (const symbol of some) this.healed.delete(symbol)
    return some.filter((symbol) => this.lanes.has(symbol))
  }

  /** Takes down the marks of another process, and whatever else stands in their place. */
  async takeDown(life: Life): Promise<void> {
    await this.readiness.takeDown(life, this.lanes)
  }

  /** Begins a life: until it has been looked at, nothing is known to be whole. */
  async begin(life: Life): Promise<void> {
    this.clock.read(life.facts.time, life.facts.at)
    await this.readiness.begin(life, this.lanes)
    this.watching = false
    this.doubtAll()
  }

  /** Takes in the current list of enabled symbols; new ones are restored, others forgotten, with their keys left alone. */
  async enlist(enabled: readonly string[], life: Life | undefined): Promise<Consequence> {
    const before = this.symbols
    this.lanes = lanesOf(this.datasets, enabled)
    this.symbols = [...this.lanes.keys()]
    const { added, removed } = compareRosters(before, this.symbols)
    if (added.length + removed.length === 0) return NOTHING_FOLLOWS
    for (const symbol of removed) {
      for (const known of [this.holdings, this.wholeness, this.losses, this.underway]) known.forget(symbol)
    }
    for (const symbol of added) this.wholeness.doubt(symbol, this.lanes.get(symbol) ?? [])
    if (before.length === 0) return NOTHING_FOLLOWS
    this.emit({
      event: 'symbols',
      total: this.symbols.length,
      added: added.slice(0, 10),
      removed: removed.slice(0, 10),
    })
    this.readiness.renew(added, removed)
    if (!life) return NOTHING_FOLLOWS
    await unmark(life.probe, removed)
    if (added.length > 0) {
      this.readiness.shake()
      await markLost(life.probe, added)
    }
    const now = steadyTime()
    const tasks = added.flatMap((symbol) =>
      (this.lanes.get(symbol) ?? []).map((dataset) => makeTask(symbol, dataset, 'roster', now)),
    )
    return { ...(await this.finish([], life)), tasks }
  }

  /** Takes in a survey that began at `began`: alerts if it confirms a new loss, and says what must be done. */
  async judge(
    suspicion: Suspicion,
    { lacks: found, clean, unseen }: Survey,
    began: number,
    life: Life,
  ): Promise<Consequence> {
    // A slow look may tell of what a heal has mended since: then another one decides.
    const isStale = ({ symbol, dataset }: Lack): boolean => this.wholeness.wasSeenSince(symbol, dataset, began)
    const lacks = found.filter((lack) => !isStale(lack))
    const stale = new Set(found.filter(isStale).map(({ symbol }) => symbol))
    for (const { dataset } of clean) this.unseen.delete(dataset)
    for (const { dataset } of unseen) this.unseen.add(dataset)
    const whole = clean.filter((item) => this.settle(item, true, began)).map(({ symbol }) => symbol)
    // Whatever shook our trust in everything may have taken the marks, too.
    const isWholesale =
      this.readiness.isComplete || suspicion.signals.has('flush') || this.losses.isOtherProcess(life.facts)
    if (suspicion.scope === 'all') this.readiness.shake()
    // A value that differs at one look only has most likely just changed in PostgreSQL: nothing to be alarmed or unready about.
    const isMoving = (lack: Lack): boolean =>
      lack.kind === 'differs' && !suspicion.signals.has('scrub') && !this.losses.isLost(lack, life.facts)
    const isKnown = ({ symbol, dataset }: Pick<Lack, 'symbol' | 'dataset'>): boolean =>
      this.underway.has(symbol, dataset)
    const isExpected = (lack: Lack): boolean => isKnown(lack) && this.losses.covers(lack)
    // Work that began before this look, on what it found lacking, cannot vouch for it.
    for (const { symbol, dataset } of lacks.filter(isExpected)) this.wholeness.doubt(symbol, [dataset])
    const standing = lacks.filter((lack) => !isMoving(lack) && !isExpected(lack))
    const { confirmed } = this.losses
    const delay = standing.length > 0 ? await this.confirm(suspicion, standing, life) : 0
    const isUntold = this.losses.confirmed === confirmed && suspicion.scope === 'all'
    if (isUntold && isWholesale) await this.losses.alertOfOthers(suspicion, life.probe)
    const isLoss = (lack: Lack): boolean => this.losses.covers(lack)
    const drifted = standing.filter((lack) => !isLoss(lack))
    for (const event of driftEvents(drifted)) this.emit(event)
    const end = await this.finish(whole, life)
    const { since } = suspicion
    const unplanned = [...standing.filter(isLoss), ...unseen.filter((item) => !isKnown(item))]
    const repairs = [...planTasks(unplanned, 'loss', since), ...planTasks(drifted, 'drift', since)]
    for (const { symbol, dataset } of repairs) this.underway.add(symbol, dataset)
    const tasks = [...repairs, ...planTasks(lacks.filter(isMoving), 'sync', steadyTime())]
    const again = stale.size > 0 ? lookAt(stale).suspicions : []
    return { ...end, tasks, suspicions: [...end.suspicions, ...again], delay: Math.max(delay, end.delay) }
  }

  /** Takes the marks of what is lacking down, and alerts if that is a new loss. Returns how long healing should wait, in ms. */
  private async confirm(suspicion: Suspicion, lacks: readonly Lack[], { probe, facts }: Life): Promise<number> {
    for (const { symbol, dataset } of lacks) this.wholeness.doubt(symbol, [dataset])
    this.readiness.shake()
    this.readiness.lose(new Set(lacks.map(({ symbol }) => symbol)))
    const lost = lacks.filter((lack) => !this.losses.covers(lack) && this.losses.isLost(lack, facts))
    const marked = Promise.allSettled([markLost(probe, new Set(lacks.map(({ symbol }) => symbol)))])
    const [epoch, now, [marks]] = await Promise.all([readEpoch(probe), readFacts(probe), marked])
    const delay =
      lost.length > 0 ? await this.losses.alert(suspicion, lost, { now, epochStands: epoch !== null }, probe) : 0
    // A Redis that refuses every write is one more reason for the alert.
    if (marks.status === 'rejected') throw marks.reason
    return delay
  }

  /** Takes in datasets of symbols that a heal which began at `began` has verified; `entire` unless it was about some parts. */
  async verified(
    items: readonly (Clean & { entire: boolean })[],
    tally: Tally,
    began: number,
    life: Life,
  ): Promise<Consequence> {
    if (items.some(({ symbol }) => this.losses.incident?.symbols.has(symbol))) this.losses.incident?.add(tally)
    for (const { symbol, dataset, entire } of items) if (entire) this.underway.done(symbol, dataset)
    for (const { dataset } of items) this.unseen.delete(dataset)
    const whole = items.filter((item) => this.settle(item, item.entire, began)).map(({ symbol }) => symbol)
    // What was found lacking again since the work began has to be done again.
    const again = items.filter(({ symbol, dataset, entire }) => entire && this.wholeness.isOpen(symbol, dataset))
    for (const { symbol, dataset } of again) this.underway.add(symbol, dataset)
    return { ...(await this.finish(whole, life)), tasks: planTasks(again, 'loss', steadyTime()) }
  }

  /** True if that makes the symbol whole. */
  private settle({ symbol, dataset, keys, unwanted = [] }: Clean, entire: boolean, began: number): boolean {
    const fateOf = this.losses.fateOf(symbol, dataset)
    // Of those that were lost the end of the incident tells.
    const lost = new Set(this.losses.incident?.lostBy(symbol, dataset))
    const released = [
      ...this.holdings.release(symbol, dataset, unwanted),
      ...this.holdings.record(symbol, dataset, keys, entire),
    ]
    this.releases.add(
      dataset,
      released.filter((key) => !lost.has(key)),
    )
    const whole = entire && this.wholeness.settle(symbol, dataset, began)
    if (!this.wholeness.isOpen(symbol, dataset)) this.losses.incident?.settle(symbol, dataset, fateOf)
    return whole
  }

  /** Marks symbols that have become whole, and the epoch after the last; whatever was lost again meanwhile is to be looked at. */
  private async finish(whole: readonly string[], life: Life): Promise<Consequence> {
    if (whole.length > 0) {
      const unmarked = await this.readiness.mark(whole, life)
      for (const symbol of unmarked) this.wholeness.doubt(symbol, this.lanes.get(symbol) ?? [])
      for (const symbol of whole) {
        if (unmarked.includes(symbol) || !this.losses.incident?.symbols.has(symbol)) continue
        this.emit({ event: 'symbol_healed', incident: this.losses.incident.id, symbol })
      }
      if (unmarked.length > 0) return lookAt(new Set(unmarked))
    }
    const hasAny = this.symbols.length > 0 || this.datasets.length === 0
    const completes = !this.readiness.isComplete && this.wholeness.size === 0 && hasAny
    if (completes && !(await this.complete(life))) {
      this.doubtAll()
      return lookAt('all')
    }
    const { hold } = this.losses
    if (hold === 0) for (const symbol of this.losses.close(this.unseen)) this.healed.add(symbol)
    else if (this.readiness.isComplete) this.losses.tellBack(hold)
    if (completes && !this.watching) this.tellWatching(life)
    return hold > 0 ? { ...NOTHING_FOLLOWS, closeIn: hold } : NOTHING_FOLLOWS
  }

  private tellWatching(life: Life): void {
    const { symbols, holdings, losses } = this
    const counts = { symbols: symbols.length, keys: holdings.size, incident: losses.incident?.id }
    const repeated = this.isFlapping() && { repeated: true }
    this.emit({ event: 'watching', run_id: life.facts.runId, ...counts, ...repeated })
    this.watching = true
  }

  /** Writes the epoch; false if a mark has gone meanwhile. */
  private async complete(life: Life): Promise<boolean> {
    const facts = await this.readiness.complete(this.symbols.length, life)
    if (facts) this.losses.sawWhole(facts)
    return facts !== undefined
  }
}

import type { Dataset } from '../datasets/dataset.js'
import { causeOf } from '../decide/cause.js'
import { compareRosters } from '../decide/roster.js'
import { suspect } from '../decide/suspicion.js'
import { makeTask, planTasks } from '../decide/tasks.js'
import { Wholeness } from '../decide/wholeness.js'
import type { Clean, Survey } from '../heal/survey.js'
import { Holdings } from '../holdings.js'
import type { Lack, ServerFacts, Suspicion, Tally, Task } from '../model.js'
import { findCulprit } from '../redis/culprit.js'
import { type Life, readFacts } from '../redis/life.js'
import { keepMarks, markComplete, markLost, markReady, newEpoch, readEpoch, unmark } from '../redis/marks.js'
import type { Emit } from '../report/events.js'
import { dataLoss, driftEvents, Incident, joins } from './incident.js'

/** What follows from a finding: work, and looks to be taken. `delay` in ms. */
export interface Consequence {
  readonly tasks: readonly Task[]
  readonly suspicions: readonly Suspicion[]
  readonly delay: number
}

const NOTHING_FOLLOWS: Consequence = { tasks: [], suspicions: [], delay: 0 }

async function settled(work: Promise<void>): Promise<PromiseSettledResult<void>> {
  const [result] = await Promise.allSettled([work])
  return result
}

function lookAt(scope: Suspicion['scope'], delay = 0): Consequence {
  return { ...NOTHING_FOLLOWS, suspicions: [suspect('poll', scope, Date.now(), Date.now())], delay }
}

/** Healing into a Redis that evicts drives out other keys: wait between attempts, doubling, in ms; forget after a quiet while. */
const EVICTION_DELAY = 1_000
const EVICTION_DELAY_MAX = 60_000
const EVICTION_FORGOTTEN = 300_000

/**
 * What the daemon knows across lives: which symbols there are, what stood in Redis, what is not whole, and the incident that is open.
 * It turns the findings of surveys and heals into alerts, marks and further work; it touches no data itself.
 */
export class Guard {
  readonly holdings = new Holdings()
  readonly wholeness = new Wholeness()
  symbols: readonly string[] = []
  private enabled: ReadonlySet<string> = new Set()
  private readonly names: readonly string[]
  /** What Redis told about itself when everything was last whole, and when that was. */
  private before: ServerFacts | undefined
  private wholeAt: number | undefined
  private incident: Incident | undefined
  private incidents = 0
  private evictions = { count: 0, at: 0 }
  private epoch = ''
  /** Since when the epoch stands for everything being whole; undefined while something is not. */
  private completeSince: number | undefined
  private watching = false

  constructor(
    datasets: readonly Dataset[],
    private readonly emit: Emit,
  ) {
    this.names = datasets.map(({ name }) => name)
  }

  isEnabled(symbol: string): boolean {
    return this.enabled.has(symbol)
  }

  /** True if what this key belongs to is known to be whole, so that the key can be missed. */
  isExpected(key: string): boolean {
    const owner = this.holdings.ownerOf(key)
    return owner !== undefined && !this.wholeness.isOpen(owner.symbol, owner.dataset)
  }

  /** When everything was last seen whole, in epoch ms. */
  get lastWholeAt(): number | undefined {
    return this.wholeAt
  }

  /** True if everything was known to be whole, and marked so, at `time` and ever since. */
  isWholeSince(time: number): boolean {
    return this.completeSince !== undefined && this.completeSince <= time
  }

  /** Forgets what was known to be whole, so that the next look decides. */
  doubtAll(): void {
    this.completeSince = undefined
    for (const symbol of this.symbols) this.wholeness.doubt(symbol, this.names)
  }

  /** The process that was last seen whole. */
  get lastRunId(): string | undefined {
    return this.before?.runId
  }

  /** Begins a life: until it has been looked at nothing is known to be whole, and the marks of another process come down. */
  async begin({ probe, facts }: Life): Promise<void> {
    await keepMarks(probe, facts.runId, this.enabled)
    this.epoch = (await readEpoch(probe)) ?? newEpoch(facts.runId)
    this.watching = false
    this.doubtAll()
  }

  /** Notes a poll that found nothing missing. */
  sawWhole(facts: ServerFacts): void {
    this.before = facts
    this.wholeAt = facts.at
  }

  /** Takes in the current list of symbols; new ones are restored, others forgotten, with their keys left alone. */
  async enlist(symbols: readonly string[], life: Life | undefined): Promise<Consequence> {
    const { added, removed } = compareRosters(this.symbols, symbols)
    const first = this.symbols.length === 0
    this.symbols = symbols
    this.enabled = new Set(symbols)
    if (added.length + removed.length === 0) return NOTHING_FOLLOWS
    for (const symbol of removed) {
      this.holdings.forget(symbol)
      this.wholeness.forget(symbol)
      this.incident?.forget(symbol)
    }
    for (const symbol of added) this.wholeness.doubt(symbol, this.names)
    if (first) return NOTHING_FOLLOWS
    this.emit({ event: 'symbols', total: symbols.length, added: added.slice(0, 10), removed: removed.slice(0, 10) })
    if (!life) return NOTHING_FOLLOWS
    await unmark(life.probe, removed)
    if (added.length > 0) {
      this.completeSince = undefined
      await markLost(life.probe, added)
    }
    const now = Date.now()
    const tasks = added.flatMap((symbol) => this.names.map((name) => makeTask(symbol, name, 'roster', now)))
    return { ...(await this.finish([], life)), tasks }
  }

  /** Takes in a survey that began at `began`: alerts if it confirms a new loss, and says what must be done. */
  async judge(suspicion: Suspicion, { lacks, clean, unseen }: Survey, began: number, life: Life): Promise<Consequence> {
    const whole = clean.filter((item) => this.settle(item, true, began)).map(({ symbol }) => symbol)
    // Whatever shook our trust in everything may have taken the marks, too.
    if (suspicion.scope === 'all') this.completeSince = undefined
    let delay = 0
    if (lacks.length > 0) {
      for (const { symbol, dataset } of lacks) this.wholeness.doubt(symbol, [dataset])
      this.completeSince = undefined
      const [now, marks] = await Promise.all([
        readFacts(life.probe),
        settled(markLost(life.probe, new Set(lacks.map(({ symbol }) => symbol)))),
      ])
      const lost = lacks.filter((lack) => !this.incident?.covers(lack) && this.isLost(lack, now))
      if (lost.length > 0) delay = await this.alert(suspicion, lost, now, life.probe)
      // A Redis that refuses every write is one more reason for the alert.
      if (marks.status === 'rejected') throw marks.reason
    }
    const isLoss = (lack: Lack): boolean => this.incident?.covers(lack) ?? false
    const drifted = lacks.filter((lack) => !isLoss(lack))
    for (const event of driftEvents(drifted)) this.emit(event)
    const losses = planTasks([...lacks.filter(isLoss), ...unseen], 'loss', suspicion.since)
    const tasks = [...losses, ...planTasks(drifted, 'drift', suspicion.since)]
    const end = await this.finish(whole, life)
    return { ...end, tasks, delay: Math.max(delay, end.delay) }
  }

  /** A key that stood and is gone, one of another type, or anything lacking once Redis is another process. */
  private isLost({ kind, key }: Lack, now: ServerFacts): boolean {
    const firstLook = this.before === undefined
    if (!firstLook && now.runId !== undefined && this.before?.runId !== now.runId) return true
    if (kind === 'wrong_type') return true
    return kind === 'missing' && (firstLook || this.holdings.ownerOf(key) !== undefined)
  }

  /** Opens an incident, or adds to the one that is open. Returns how long healing should wait, in ms. */
  private async alert(
    suspicion: Suspicion,
    lost: readonly Lack[],
    now: ServerFacts,
    probe: Life['probe'],
  ): Promise<number> {
    const { before, incident: open } = this
    // What is lost from here on was lost by this process, and by what it does from here on.
    this.before = now
    const gone = lost.filter(({ kind }) => kind === 'missing').length
    const share = before === undefined ? 1 : gone / Math.max(1, this.holdings.size)
    const cause = causeOf({ suspicion, before, now, lacks: lost, share })
    const delay = cause === 'eviction' ? this.evictionDelay(now.at) : 0
    if (open && joins(open, cause, suspicion)) {
      open.take(lost)
      return delay
    }
    const client = cause === 'flush' || cause === 'swapdb' ? await findCulprit(probe) : undefined
    const incident = new Incident(++this.incidents, cause, suspicion, Date.now(), open?.ids ?? [])
    incident.take(lost)
    this.emit(dataLoss({ incident, lacks: lost, before, now, wholeAt: this.wholeAt, client }))
    incident.take(open?.outstanding() ?? [])
    this.incident = incident
    return delay
  }

  private evictionDelay(now: number): number {
    const { count, at } = this.evictions
    const again = now - at < EVICTION_FORGOTTEN ? count : 0
    this.evictions = { count: again + 1, at: now }
    return again === 0 ? 0 : Math.min(EVICTION_DELAY_MAX, EVICTION_DELAY * 2 ** Math.min(again - 1, 10))
  }

  /** Takes in datasets of symbols that a heal which began at `began` has verified; `entire` unless it was about some timeframes. */
  async verified(
    items: readonly (Clean & { entire: boolean })[],
    tally: Tally,
    began: number,
    life: Life,
  ): Promise<Consequence> {
    if (items.some(({ symbol }) => this.incident?.symbols.has(symbol))) this.incident?.add(tally)
    const whole = items.filter((item) => this.settle(item, item.entire, began)).map(({ symbol }) => symbol)
    return this.finish(whole, life)
  }

  /** True if that makes the symbol whole. */
  private settle({ symbol, dataset, keys }: Clean, entire: boolean, began: number): boolean {
    this.holdings.record(symbol, dataset, keys, entire)
    const whole = entire && this.wholeness.settle(symbol, dataset, began)
    if (!this.wholeness.isOpen(symbol, dataset)) this.incident?.settle(symbol, dataset)
    return whole
  }

  /** Marks symbols that have become whole, and the epoch after the last; whatever was lost again meanwhile is to be looked at. */
  private async finish(whole: readonly string[], life: Life): Promise<Consequence> {
    if (whole.length > 0) {
      const keys = new Map(whole.map((symbol) => [symbol, this.holdings.keysOf(symbol)]))
      const unmarked = await markReady(life.probe, this.epoch, keys)
      for (const symbol of unmarked) this.wholeness.doubt(symbol, this.names)
      for (const symbol of whole) {
        if (unmarked.includes(symbol) || !this.incident?.symbols.has(symbol)) continue
        this.emit({ event: 'symbol_healed', incident: this.incident.id, symbol })
      }
      if (unmarked.length > 0) return lookAt(new Set(unmarked))
    }
    const completes = this.completeSince === undefined && this.wholeness.size === 0 && this.symbols.length > 0
    if (completes && !(await this.complete(life))) {
      this.doubtAll()
      return lookAt('all')
    }
    const wait = this.incident?.isOver ? this.incident.quietIn(Date.now()) : 0
    if (wait === 0) this.close()
    if (completes && !this.watching) {
      const { symbols, holdings } = this
      this.emit({ event: 'watching', run_id: life.facts.runId, symbols: symbols.length, keys: holdings.size })
      this.watching = true
    }
    return wait > 0 ? lookAt(new Set(), wait) : NOTHING_FOLLOWS
  }

  private close(): void {
    if (!this.incident?.isOver) return
    this.emit(this.incident.healed())
    this.incident = undefined
  }

  /** Writes the epoch; false if a mark has gone meanwhile. */
  private async complete({ probe }: Life): Promise<boolean> {
    if (!(await markComplete(probe, this.epoch, this.symbols.length))) return false
    this.completeSince = Date.now()
    this.sawWhole(await readFacts(probe))
    return true
  }
}

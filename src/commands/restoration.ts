import { concatMap, from, fromEvent, lastValueFrom, takeUntil } from 'rxjs'
import { steadyTime } from '../clock.js'
import { Guard } from '../daemon/guard.js'
import { LOOKS } from '../decide/live-values.js'
import { Trouble } from '../errors.js'
import type { Healed } from '../heal/heal.js'
import { healLanes } from '../heal/heal-lanes.js'
import { type Outcome, verifiedBy } from '../heal/heal-tasks.js'
import type { Clean } from '../heal/survey.js'
import { addTallies, NOTHING, type Suspicion, type Task } from '../model.js'
import type { Life } from '../redis/life.js'
import { markLost } from '../redis/marks.js'
import { lostKeys } from '../redis/presence.js'
import { endsLife } from '../redis/trouble.js'
import { sayDuration } from './patience.js'
import { count, number } from './progress.js'
import { type Session, troubleOf } from './session.js'

/** What is to be made whole. */
export interface Job {
  /** Every enabled symbol: the epoch is written when all of them are whole. */
  readonly enabled: readonly string[]
  readonly tasks: readonly Task[]
  /** What has been seen whole, and needs no more than its mark. */
  readonly whole: readonly Clean[]
}

/** Makes things whole once, over as many lives of Redis as it takes, and keeps account of what that came to. */
export class Restoration {
  /** What was written, over all lives. */
  tally = NOTHING
  /** Why a dataset cannot be restored at all, by name. */
  readonly failures = new Map<string, Trouble>()
  readonly written = new Set<string>()
  private readonly guard: Guard
  private readonly seen = new Set<string>()
  private readonly omissions = new Map<string, number>()
  /** Tasks that are still to be done, by symbol and dataset. */
  private open = new Map<string, Task>()
  /** The fewest tasks that were ever open in this life: to do again what was lost again is no progress. */
  private fewest = Number.POSITIVE_INFINITY
  /** Open tasks that lack nothing any more, but hold values of which nothing is known yet. */
  private readonly unsettled = new Set<string>()
  private hasWatched = false
  private readonly startedAt = steadyTime()

  constructor(
    private readonly session: Session,
    private readonly job: Job,
  ) {
    this.guard = new Guard(session.datasets, () => undefined)
    this.reopen('all')
  }

  /** How many keys stood whole when they were first looked at. */
  get keysWhole(): number {
    return this.seen.size - this.written.size
  }

  get leftOut(): number {
    return [...this.omissions.values()].reduce((total, values) => total + values, 0)
  }

  /** The symbols of the job, and how many of them have nothing left to be done or that cannot be done. */
  get symbols(): { total: number; whole: number } {
    const all = new Set(this.job.tasks.map(({ symbol }) => symbol))
    const unfinished = new Set([...this.open.values()].map(({ symbol }) => symbol))
    for (const { symbol, dataset } of this.job.tasks) if (this.failures.has(dataset)) unfinished.add(symbol)
    return { total: all.size, whole: all.size - unfinished.size }
  }

  /** Restores over one life: rejects with a Trouble if that ends, and if patience does. */
  async run(life: Life, signal: AbortSignal): Promise<void> {
    const { guard, job, session } = this
    const { patience } = session
    this.fewest = Number.POSITIVE_INFINITY
    await guard.enlist(job.enabled, undefined)
    await guard.begin(life)
    this.reopen('all')
    const items = job.whole.map((item) => ({ ...item, entire: true }))
    this.follow(await guard.verified(items, NOTHING, guard.wholeness.now(), life))
    for (;;) {
      this.unsettled.clear()
      await this.round(life, signal)
      if (this.open.size === 0 && (await this.stands(life))) return
      if (this.open.size > 0 && [...this.open.keys()].every((id) => this.unsettled.has(id))) await this.watch(signal)
      else await patience.pause(signal)
    }
  }

  /** Does every open task once; those that meet trouble which passes stay open. */
  private async round(life: Life, signal: AbortSignal): Promise<void> {
    const { guard, session } = this
    const { datasets, db, live, server } = session
    const context = { datasets, db, live, redis: life.bulk, server }
    const work = from([...this.open.values()]).pipe(
      healLanes(context, () => guard.wholeness.now()),
      concatMap((outcome) => this.takeIn(outcome, life, signal)),
      takeUntil(fromEvent(signal, 'abort')),
    )
    signal.throwIfAborted()
    try {
      await lastValueFrom(work, { defaultValue: undefined })
      signal.throwIfAborted()
    } catch (error) {
      signal.throwIfAborted()
      const trouble = troubleOf(error, session.server)
      if (!trouble.passing || endsLife(trouble)) throw trouble
      session.patience.blame(trouble)
      // A mark that could not be written is not tried again by itself.
      if (trouble !== error) this.startOver()
    }
  }

  private async takeIn(outcome: Outcome, life: Life, signal: AbortSignal): Promise<void> {
    const { tasks, result, began } = outcome
    if (result instanceof Trouble) return this.meet(outcome, result)
    const { values } = this.session.live
    const waiting = new Set(result.held.map(({ symbol }) => symbol))
    const isUnsettled = ({ symbol, dataset }: Pick<Task, 'symbol' | 'dataset'>): boolean =>
      waiting.has(symbol) && values.isNew(dataset, symbol)
    const verified = verifiedBy(outcome, result).map((item) => (isUnsettled(item) ? { ...item, entire: false } : item))
    const consequence = await this.guard.verified(verified, result.tally, began, life)
    if (signal.aborted) return
    for (const task of tasks) {
      if (isUnsettled(task)) this.unsettled.add(idOf(task))
      else this.open.delete(idOf(task))
    }
    this.account(tasks[0]?.dataset ?? '', result)
    this.follow(consequence)
    if (this.open.size < this.fewest) this.session.patience.progressed()
    this.fewest = Math.min(this.fewest, this.open.size)
    this.draw()
  }

  /** Rests before the next look at values that a live worker may have written. */
  private async watch(signal: AbortSignal): Promise<void> {
    const { config, patience, progress } = this.session
    const { settle } = config.sync
    if (!this.hasWatched) {
      const time = sayDuration(settle)
      progress.say(
        `Some values differ: watching for ${time} whether a live worker writes them, before they are replaced …`,
      )
    }
    this.hasWatched = true
    await patience.restFreely(settle / LOOKS, signal)
  }

  /** Trouble that does not pass ends its dataset, and the others go on; a server that is away ends the round. */
  private meet({ tasks }: Outcome, trouble: Trouble): void {
    if (trouble.code === 'aborted') return
    if (endsLife(trouble) || trouble.code === 'postgres_unreachable') throw trouble
    const dataset = tasks[0]?.dataset ?? ''
    if (!trouble.passing) {
      this.failures.set(dataset, trouble)
      for (const [id, task] of this.open) if (task.dataset === dataset) this.open.delete(id)
      return
    }
    this.session.patience.blame(trouble)
    // One symbol's fault must not hold back those that shared its batch.
    for (const task of tasks) this.open.set(idOf(task), { ...task, attempt: task.attempt + 1, alone: true })
  }

  private account(dataset: string, { findings, held, leftOut, tally, defect }: Healed): void {
    const left = new Set(held.map(({ key }) => key))
    this.tally = addTallies(this.tally, tally)
    if (defect) this.failures.set(dataset, defect)
    for (const { wanted, lack } of findings) {
      this.seen.add(wanted.key)
      if (lack && (lack.missing > 0 || !left.has(wanted.key))) this.written.add(wanted.key)
    }
    for (const [symbol, values] of leftOut) this.omissions.set(JSON.stringify([dataset, symbol]), values)
  }

  /** True if every key that was restored still stands: Redis may evict the first while the last is written. */
  private async stands({ probe }: Life): Promise<boolean> {
    const lost = await lostKeys(probe, this.guard.holdings)
    if (lost.size === 0) return true
    await markLost(probe, lost.keys())
    this.startOver()
    this.session.patience.blame(vanishing([...lost.values()].flat()))
    return false
  }

  private startOver(): void {
    this.guard.doubtAll()
    this.reopen('all')
  }

  /** Looks again at what was lost before it could be marked. */
  private follow({ suspicions }: { readonly suspicions: readonly Suspicion[] }): void {
    for (const { scope } of suspicions) this.reopen(scope)
  }

  private reopen(scope: Suspicion['scope']): void {
    for (const task of this.job.tasks) {
      if (this.failures.has(task.dataset) || (scope !== 'all' && !scope.has(task.symbol))) continue
      this.open.set(idOf(task), task)
    }
  }

  private draw(): void {
    const { progress } = this.session
    if (!progress.isDue) return
    const { total, whole } = this.symbols
    const { keys, samples } = this.tally
    const rate = Math.round(samples / ((steadyTime() - this.startedAt) / 1_000))
    const symbols = `${number(whole)}/${count(total, 'symbol')}`
    const details = [symbols, count(keys, 'key'), count(samples, 'sample'), `${number(rate)}/s`]
    progress.show('Restoring', 1 - this.open.size / this.job.tasks.length, details)
  }
}

function idOf({ symbol, dataset }: Task): string {
  return JSON.stringify([symbol, dataset])
}

function vanishing(keys: readonly string[]): Trouble {
  return new Trouble(
    'not_whole',
    `${keys.length} keys vanish as soon as they are written, ${keys[0]} for one`,
    'Redis evicts them, or something else removes them: look at maxmemory, maxmemory-policy and at what other clients do',
    true,
  )
}

import {
  catchError,
  concatMap,
  defer,
  delay,
  EMPTY,
  filter,
  firstValueFrom,
  ignoreElements,
  map,
  merge,
  mergeMap,
  NEVER,
  type Observable,
  of,
  ReplaySubject,
  repeat,
  Subject,
  take,
  tap,
  timer,
} from 'rxjs'
import type { Config } from '../config/schema.js'
import type { Dataset } from '../datasets/dataset.js'
import { mergeSuspicions, suspect } from '../decide/suspicion.js'
import { makeTask, mergeTasks, retryDelay } from '../decide/tasks.js'
import { Trouble } from '../errors.js'
import { lanes } from '../flow/lanes.js'
import { latest } from '../flow/latest.js'
import { healTasks, type Outcome } from '../heal/heal-tasks.js'
import { scrub } from '../heal/scrub.js'
import { survey } from '../heal/survey.js'
import type { Suspicion, Task } from '../model.js'
import type { Database } from '../postgres/database.js'
import type { Life } from '../redis/life.js'
import { redisTrouble } from '../redis/trouble.js'
import type { Conditions } from '../report/conditions.js'
import type { Emit } from '../report/events.js'
import type { DatedChange } from './changes.js'
import type { Consequence, Guard } from './guard.js'
import type { HealReport } from './heal-report.js'
import { enableSignals, watchSignals } from './signals.js'

export interface LifeContext {
  readonly config: Config
  readonly guard: Guard
  readonly datasets: readonly Dataset[]
  readonly db: Database
  /** `host:port/db` of Redis. */
  readonly server: string
  readonly conditions: Conditions
  readonly report: HealReport
  readonly emit: Emit
  /** The latest list of enabled symbols, replayed, and every later one. */
  readonly rosters: Observable<readonly string[]>
  readonly changes: Observable<DatedChange>
}

/** A finding that is still to be taken in; findings are taken in one at a time. */
type Step = () => Promise<Consequence>

/** Symbols and groups of symbols healed at the same time. */
const BATCH = 16
const CONCURRENCY = 3
/** Symbols in one step of the scrub. */
const SCRUB_BATCH = 4
/** How long to wait before everything is looked at again after trouble in between, in ms. */
const LOOK_AGAIN = 1_000

/** Guards one life of Redis, from the first look until it ends. Never emits; ends the life rather than error. */
export function guardLife(life: Life, context: LifeContext): Observable<never> {
  const { guard, config, server, conditions, emit } = context
  const tasks = new Subject<Task>()
  const looks = new Subject<Suspicion>()

  // Until the first survey is judged, a change must not fill in what the survey is about to miss.
  const judged = new ReplaySubject<void>(1)

  const surveys = defer(() =>
    merge(looks, of(firstLook(life)), watchSignals(life, guard, server, config.watch.poll, conditions)),
  ).pipe(
    tap((suspicion) => emit(suspicionEvent(suspicion))),
    latest(mergeSuspicions, (suspicion, signal) => look(suspicion, signal, life, context)),
    map(
      (step): Step =>
        async () => {
          const consequence = await step()
          judged.next()
          return consequence
        },
    ),
  )
  const changes = context.changes.pipe(
    concatMap((change) =>
      judged.pipe(
        take(1),
        map(() => change),
      ),
    ),
    mergeMap((change) => tasksOf(change, context)),
  )
  const heals = merge(tasks, changes).pipe(
    filter(({ symbol }) => guard.isEnabled(symbol)),
    lanes<Task, Outcome>({
      lane: ({ symbol }) => symbol,
      group: ({ dataset, symbol, alone }) => (alone ? JSON.stringify([dataset, symbol]) : dataset),
      rank: ({ dataset }) => context.datasets.find(({ name }) => name === dataset)?.rank ?? 0,
      merge: mergeTasks,
      run: (batch, signal) => healTasks(batch, { ...context, redis: life.bulk }, guard.wholeness.now(), signal),
      batchSize: BATCH,
      concurrency: CONCURRENCY,
    }),
    map(
      (outcome): Step =>
        () =>
          takeIn(outcome, life, context, tasks),
    ),
  )
  const rosters = context.rosters.pipe(
    map(
      (symbols): Step =>
        () =>
          guard.enlist(symbols, life),
    ),
  )

  const work = merge(surveys, heals, rosters, scrubs(life, context)).pipe(
    concatMap((step) => step().catch((error: unknown) => lookAgain(error, context))),
    mergeMap((consequence) =>
      consequence.delay > 0 ? of(consequence).pipe(delay(consequence.delay)) : of(consequence),
    ),
    tap(({ tasks: more, suspicions }) => {
      for (const task of more) tasks.next(task)
      for (const suspicion of suspicions) looks.next(suspicion)
    }),
    ignoreElements(),
  )
  return defer(() => begin(life, context)).pipe(
    mergeMap(() => work),
    catchError((error: unknown) => {
      life.fail(redisTrouble(error, server))
      return NEVER
    }),
  )
}

async function begin(life: Life, { guard, rosters, server, config, conditions }: LifeContext): Promise<void> {
  await guard.enlist(await firstValueFrom(rosters), undefined)
  // Listen first, look then: what is lost between the two must not be missed.
  await enableSignals(life, server, config.watch.poll, conditions)
  await guard.begin(life)
}

function firstLook({ since }: Life): Suspicion {
  return suspect('life', 'all', since, since)
}

function suspicionEvent({ signals, scope, keyEvents }: Suspicion): Parameters<Emit>[0] {
  return {
    event: 'suspicion',
    signals: [...signals],
    symbols: scope === 'all' ? 'all' : scope.size,
    key_events: { ...keyEvents },
  }
}

async function look(suspicion: Suspicion, signal: AbortSignal, life: Life, context: LifeContext): Promise<Step> {
  const { guard, datasets, db } = context
  const began = guard.wholeness.now()
  try {
    const found = await survey(suspicion, {
      datasets,
      holdings: guard.holdings,
      symbols: guard.symbols,
      sides: { db, redis: life.bulk, signal },
      probe: life.probe,
    })
    context.report.unseen(found.unseen)
    return () => guard.judge(suspicion, found, began, life)
  } catch (error) {
    return () => Promise.reject(error)
  }
}

/** After trouble that passes: trust nothing, and look at everything again in a while. A life that is over is left to its end. */
async function lookAgain(error: unknown, { guard, server, conditions }: LifeContext): Promise<Consequence> {
  const trouble = redisTrouble(error, server)
  if (trouble.code === 'redis_unreachable' || trouble.code === 'redis_readonly') throw trouble
  conditions.failed('healing', trouble)
  guard.doubtAll()
  const now = Date.now()
  return { tasks: [], suspicions: [suspect('poll', 'all', now, now)], delay: LOOK_AGAIN }
}

/** Takes in what a batch of tasks came to; what failed is tried again, for ever. */
async function takeIn(
  outcome: Outcome,
  life: Life,
  { guard, server, report }: LifeContext,
  retries: Subject<Task>,
): Promise<Consequence> {
  const { tasks, result, began, entire } = outcome
  if (result instanceof Trouble) {
    if (result.code === 'redis_unreachable' || result.code === 'redis_readonly') life.fail(redisTrouble(result, server))
    report.failed(outcome, result)
    const alone = result.code === 'unexpected' || result.code === 'not_whole'
    for (const task of tasks) {
      const retry = { ...task, attempt: task.attempt + 1, alone: task.alone || alone }
      timer(retryDelay(task.attempt)).subscribe(() => retries.next(retry))
    }
    return { tasks: [], suspicions: [], delay: 0 }
  }
  report.healed(outcome, result)
  const keys = new Map<string, string[]>(tasks.map(({ symbol }) => [symbol, []]))
  for (const { wanted } of result.findings) keys.get(wanted.symbol)?.push(wanted.key)
  const items = tasks.map(({ symbol, dataset }) => ({ symbol, dataset, keys: keys.get(symbol) ?? [], entire }))
  return guard.verified(items, result.tally, began, life)
}

/** A change in PostgreSQL -> tasks; the values are read when they are written. */
function tasksOf({ dataset, keys, at }: DatedChange, { guard, datasets }: LifeContext): Task[] {
  if (!datasets.some(({ name }) => name === dataset)) return []
  if (keys === 'all') return guard.symbols.map((symbol) => makeTask(symbol, dataset, 'sync', at))
  const timeframes = new Map<string, Set<string> | undefined>()
  for (const { symbol, timeframe } of keys) {
    const known = timeframes.get(symbol)
    if (timeframe === undefined || (known === undefined && timeframes.has(symbol))) timeframes.set(symbol, undefined)
    else timeframes.set(symbol, (known ?? new Set()).add(timeframe))
  }
  return [...timeframes].map(([symbol, some]) => makeTask(symbol, dataset, 'sync', at, some))
}

/** Compares a few symbols at a time with PostgreSQL, value by value, so that all have had their turn in one scrub period. */
function scrubs(life: Life, { guard, config, datasets, db, conditions, server }: LifeContext): Observable<Step> {
  let turn = 0
  const pause = (): Observable<number> => {
    const batches = Math.max(1, Math.ceil(guard.symbols.length / SCRUB_BATCH))
    return timer(Math.max(100, config.watch.scrub / batches))
  }
  const one = async (signal: AbortSignal): Promise<Step | undefined> => {
    const from = Date.now()
    if (!guard.isWholeSince(from)) return undefined
    const symbols = guard.symbols.slice(turn, turn + SCRUB_BATCH)
    turn = turn + SCRUB_BATCH >= guard.symbols.length ? 0 : turn + SCRUB_BATCH
    const began = guard.wholeness.now()
    const found = await scrub(symbols, { datasets, sides: { db, redis: life.bulk, signal } })
    const suspicion = suspect('scrub', new Set(symbols), guard.lastWholeAt ?? from, Date.now())
    return () => guard.judge(suspicion, found, began, life)
  }
  const abort = new AbortController()
  return pause().pipe(
    mergeMap(() =>
      defer(() => one(abort.signal)).pipe(
        catchError((error: unknown) => {
          const trouble = redisTrouble(error, server)
          if (trouble.code === 'redis_unreachable') throw trouble
          conditions.failed('scrub', trouble)
          return EMPTY
        }),
        repeat({ delay: pause }),
      ),
    ),
    filter((step) => step !== undefined),
  )
}

import {
  catchError,
  concatMap,
  defer,
  delayWhen,
  firstValueFrom,
  ignoreElements,
  map,
  merge,
  mergeMap,
  NEVER,
  type Observable,
  type Observer,
  type OperatorFunction,
  of,
  ReplaySubject,
  race,
  retry,
  Subject,
  switchMap,
  take,
  tap,
  timer,
} from 'rxjs'
import { steadyTime } from '../clock.js'
import { mergeSuspicions, suspect } from '../decide/suspicion.js'
import { watchWrites } from '../detect/flushes.js'
import { latest } from '../flow/latest.js'
import { survey } from '../heal/survey.js'
import type { Suspicion, Task } from '../model.js'
import type { Life } from '../redis/life.js'
import { isWrongType } from '../redis/marks.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import type { Consequence, Step } from './consequence.js'
import { heals, tasksOf } from './heals.js'
import { type LifeContext, sidesOf } from './life-context.js'
import { Retries } from './retries.js'
import { scrubs } from './scrubs.js'
import { settling, Unsettled } from './settling.js'
import { enableSignals, watchSignals } from './signals.js'

/** How long to wait before everything is looked at again after trouble in between, in ms: doubling from the first to the last. */
const LOOK_AGAIN = 1_000
const LOOK_AGAIN_LAST = 10_000

/** Guards one life of Redis, from the first look until it ends. Never emits; ends the life rather than error. */
export function guardLife(life: Life, context: LifeContext): Observable<never> {
  const { guard, server } = context
  const tasks = new Subject<Task>()
  const looks = new Subject<Suspicion>()
  const closings = new Subject<number>()
  const retries = new Retries()
  const unsettled = new Unsettled()
  // Until the first survey is judged, a change must not fill in what the survey is about to miss.
  const judged = new ReplaySubject<void>(1)
  const changes = context.changes.pipe(
    concatMap((change) =>
      judged.pipe(
        take(1),
        map(() => change),
      ),
    ),
  )
  const steps = defer(() =>
    merge(
      surveys(merge(looks, of(firstLook(life)), watchSignals(life, context)), judged, life, context),
      heals(
        merge(tasks, changes.pipe(mergeMap((change) => tasksOf(change, context)))),
        { retries, unsettled },
        life,
        context,
      ),
      context.rosters.pipe(
        map(
          (symbols): Step =>
            () =>
              guard.enlist(symbols, life),
        ),
      ),
      scrubs(life, context),
      settling(life, unsettled, context),
      watchWrites(life).pipe(
        tap((keys) => context.live.wrote(keys)),
        ignoreElements(),
      ),
    ),
  )
  const work = steps.pipe(
    takenIn(life, context),
    delayWhen(({ delay }) => (delay > 0 ? race(timer(delay), context.recoveries.pipe(take(1))) : of(0))),
    tap(({ tasks: more, suspicions, closeIn }) => {
      if (closeIn !== undefined) closings.next(closeIn)
      for (const task of more) tasks.next(task.attempt > 0 ? retries.take(task) : task)
      for (const suspicion of suspicions) looks.next(suspicion)
    }),
    ignoreElements(),
  )
  // A look at nothing, in its turn: what is suspected by then comes first.
  const closes = closings.pipe(
    switchMap((ms) => timer(ms)),
    tap(() => looks.next(suspect('poll', new Set(), steadyTime(), steadyTime()))),
    ignoreElements(),
  )
  return begun(life, context).pipe(
    mergeMap(() => merge(closes, work)),
    catchError((error: unknown) => {
      life.fail(redisTrouble(error, server))
      return NEVER
    }),
  )
}

/** Emits once the life can be worked with: signals are on, and the marks are those of this process. */
function begun(life: Life, context: LifeContext): Observable<void> {
  const { guard, rosters, server, conditions, emit } = context
  let enabled = false
  return defer(async () => {
    // What another process left must not be believed for as long as PostgreSQL is away.
    await guard.takeDown(life)
    await guard.enlist(await firstValueFrom(rosters), undefined)
    // Listen first, look then: what is lost between the two must not be missed.
    if (!enabled) {
      context.live.begin()
      await enableSignals(life, context)
    }
    enabled = true
    const previous = guard.losses.lastRunId
    await guard.begin(life)
    const { runId, version } = life.facts
    const up = { event: 'redis_up', run_id: runId, previous_run_id: previous, version } as const
    if (!conditions.isDown('redis')) emit({ ...up, down_for_ms: 0 })
    conditions.worked('redis', (down_for_ms, flapping) => ({ ...up, down_for_ms, ...flapping }))
  }).pipe(
    retry({
      delay: (error: unknown) => {
        const trouble = redisTrouble(error, server)
        if (endsLife(trouble)) throw trouble
        conditions.failed('healing', trouble)
        return timer(LOOK_AGAIN)
      },
    }),
  )
}

function firstLook({ since }: Life): Suspicion {
  return suspect('life', 'all', since, since)
}

/** Confirms or dismisses suspicions; `judged` is told whenever that is done. */
function surveys(
  suspicions: Observable<Suspicion>,
  judged: Observer<void>,
  life: Life,
  context: LifeContext,
): Observable<Step> {
  const { emit, guard, datasets, server, report } = context
  const look = async (suspicion: Suspicion, signal: AbortSignal): Promise<Step> => {
    const startedAt = steadyTime()
    const began = guard.wholeness.now()
    const { holdings, lanes } = guard
    const sides = sidesOf(life, context, signal)
    try {
      const found = await survey(suspicion, { datasets, holdings, lanes, sides, probe: life.probe, server })
      report.surveyed(found)
      const symbols = sizeOf(suspicion)
      if (symbols !== 0) {
        emit({ event: 'surveyed', symbols, lacks: found.lacks.length, took_ms: steadyTime() - startedAt })
      }
      return async () => {
        const consequence = await guard.judge(suspicion, found, began, life)
        // Only a look that came to an end shows that one can.
        if (symbols !== 0) context.conditions.worked('healing')
        judged.next()
        return consequence
      }
    } catch (error) {
      return () => Promise.reject(error)
    }
  }
  return suspicions.pipe(
    tap((suspicion) => {
      const { signals, keyEvents } = suspicion
      const symbols = sizeOf(suspicion)
      if (symbols !== 0) emit({ event: 'suspicion', signals: [...signals], symbols, key_events: { ...keyEvents } })
    }),
    latest(mergeSuspicions, look),
  )
}

function sizeOf({ scope }: Suspicion): number | 'all' {
  return scope === 'all' ? scope : scope.size
}

/** Runs the steps one at a time. After trouble that passes: trusts nothing, and looks at everything again in a while. */
function takenIn(life: Life, { guard, server, conditions }: LifeContext): OperatorFunction<Step, Consequence> {
  let failures = 0
  return concatMap(async (step) => {
    try {
      const consequence = await step()
      failures = 0
      return consequence
    } catch (error) {
      const trouble = redisTrouble(error, server)
      // A life that is over is left to its end.
      if (endsLife(trouble)) throw trouble
      conditions.failed('healing', trouble)
      // If that fails, too, the marks are in the way of the next attempt as well, and are told of then.
      if (isWrongType(error)) await guard.takeDown(life).catch(() => undefined)
      guard.doubtAll()
      // What may not be looked at is not known to stand, for as long as nobody mends that.
      if (!trouble.passing) await guard.distrust(life)
      const now = steadyTime()
      const delay = Math.min(LOOK_AGAIN_LAST, LOOK_AGAIN * 2 ** failures++)
      return { tasks: [], suspicions: [suspect('poll', 'all', now, now)], delay }
    }
  })
}

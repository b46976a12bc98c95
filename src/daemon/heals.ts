import { filter, map, type Observable } from 'rxjs'
import { lanesWith } from '../decide/lanes.js'
import { makeTask, retryDelay } from '../decide/tasks.js'
import { Trouble } from '../errors.js'
import { healLanes } from '../heal/heal-lanes.js'
import { type Outcome, verifiedBy } from '../heal/heal-tasks.js'
import type { Task } from '../model.js'
import type { Life } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import type { DatedChange } from './changes.js'
import type { Consequence, Step } from './consequence.js'
import { type LifeContext, liveWritersOf } from './life-context.js'
import type { Retries } from './retries.js'
import type { Unsettled } from './settling.js'

/** Tasks that are to be done again. */
interface Undone {
  readonly retries: Retries
  readonly unsettled: Unsettled
}

/** Heals tasks in single file per symbol, and takes in what they came to. */
export function heals(tasks: Observable<Task>, undone: Undone, life: Life, context: LifeContext): Observable<Step> {
  const { guard } = context
  return tasks.pipe(
    filter(({ symbol, dataset }) => guard.isWanted(symbol, dataset)),
    healLanes({ ...context, redis: life.bulk, live: liveWritersOf(life, context) }, () => guard.wholeness.now()),
    map(
      (outcome): Step =>
        () =>
          takeIn(outcome, undone, life, context),
    ),
  )
}

/** Takes in what a batch of tasks came to; what failed is tried again, for ever. */
async function takeIn(
  outcome: Outcome,
  { retries, unsettled }: Undone,
  life: Life,
  { guard, live, server, report }: LifeContext,
): Promise<Consequence> {
  const { tasks, result, began } = outcome
  if (result instanceof Trouble) {
    if (endsLife(result)) life.fail(redisTrouble(result, server))
    report.failed(outcome, result)
    const alone = result.code === 'unexpected' || result.code === 'not_whole'
    const failed = tasks.map((task) => ({ ...task, attempt: task.attempt + 1, alone: task.alone || alone }))
    return {
      tasks: retries.add(failed),
      suspicions: [],
      delay: retryDelay(Math.min(...tasks.map(({ attempt }) => attempt))),
    }
  }
  report.healed(outcome, result)
  // As long as nothing is known of who wrote what differs, it is not known to be whole.
  const waiting = new Set(result.held.map(({ symbol }) => symbol))
  const isUnsettled = ({ symbol, dataset }: Pick<Task, 'symbol' | 'dataset'>): boolean =>
    waiting.has(symbol) && live.isNew(dataset, symbol)
  for (const task of tasks.filter(isUnsettled)) unsettled.add(task)
  const verified = verifiedBy(outcome, result).map((item) => (isUnsettled(item) ? { ...item, entire: false } : item))
  return guard.verified(verified, result.tally, began, life)
}

/** A change in PostgreSQL -> tasks; the values are read when they are written. */
export function tasksOf({ dataset, keys, at }: DatedChange, { guard }: LifeContext): Task[] {
  if (keys === 'all') return lanesWith(guard.lanes, dataset).map((symbol) => makeTask(symbol, dataset, 'sync', at))
  const parts = new Map<string, Set<string> | undefined>()
  for (const { symbol, part } of keys) {
    const known = parts.get(symbol)
    if (part === undefined || (known === undefined && parts.has(symbol))) parts.set(symbol, undefined)
    else parts.set(symbol, (known ?? new Set()).add(part))
  }
  return [...parts].map(([symbol, some]) => makeTask(symbol, dataset, 'sync', at, some))
}

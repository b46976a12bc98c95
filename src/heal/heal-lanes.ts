import type { OperatorFunction } from 'rxjs'
import { mergeTasks } from '../decide/tasks.js'
import { lanes } from '../flow/lanes.js'
import type { Task } from '../model.js'
import { type HealContext, healTasks, type Outcome } from './heal-tasks.js'

/** Symbols healed in one batch, and batches under way at once: while one waits for PostgreSQL, others keep Redis busy. */
const BATCH = 17
const CONCURRENCY = 4

/** Heals tasks in single file per symbol, the datasets of the lowest rank first; `now` numbers the work, as {@link Outcome.began}. */
export function healLanes(context: HealContext, now: () => number): OperatorFunction<Task, Outcome> {
  const ranks = new Map(context.datasets.map(({ name, rank }) => [name, rank]))
  return lanes<Task, Outcome>({
    lane: ({ symbol }) => symbol,
    group: ({ dataset, symbol, alone }) => (alone ? JSON.stringify([dataset, symbol]) : dataset),
    rank: ({ dataset }) => ranks.get(dataset) ?? 0,
    merge: mergeTasks,
    run: (batch, signal) => healTasks(batch, context, now(), signal),
    batchSize: BATCH,
    concurrency: CONCURRENCY,
  })
}

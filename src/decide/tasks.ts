import type { Lack, Task } from '../model.js'

/** What must be done first when two tasks for the same symbol and dataset meet. */
const WEIGHT: Readonly<Record<Task['why'], number>> = { loss: 3, roster: 2, drift: 1, sync: 0 }

/** One task for each symbol and dataset that lacks something. */
export function planTasks(lacks: readonly Pick<Lack, 'symbol' | 'dataset'>[], why: Task['why'], since: number): Task[] {
  const tasks = new Map<string, Task>()
  for (const { symbol, dataset } of lacks) {
    tasks.set(JSON.stringify([symbol, dataset]), makeTask(symbol, dataset, why, since))
  }
  return [...tasks.values()]
}

/** A fresh task for everything that a dataset holds of a symbol, or for some timeframes of it. */
export function makeTask(
  symbol: string,
  dataset: string,
  why: Task['why'],
  since: number,
  timeframes?: ReadonlySet<string>,
): Task {
  return { symbol, dataset, why, since, timeframes, thorough: why === 'drift', alone: false, attempt: 0 }
}

/** Joins two tasks for the same symbol and dataset: the values are read when they are written, so one visit does for both. */
export function mergeTasks(waiting: Task, newer: Task): Task {
  return {
    symbol: waiting.symbol,
    dataset: waiting.dataset,
    why: WEIGHT[newer.why] > WEIGHT[waiting.why] ? newer.why : waiting.why,
    timeframes:
      waiting.timeframes && newer.timeframes ? new Set([...waiting.timeframes, ...newer.timeframes]) : undefined,
    thorough: waiting.thorough || newer.thorough,
    alone: waiting.alone && newer.alone,
    attempt: Math.min(waiting.attempt, newer.attempt),
    since: Math.min(waiting.since, newer.since),
  }
}

/** How long to wait before a failed task is tried again, in ms: doubling from 100 ms to 10 s, with no end. */
export function retryDelay(attempt: number): number {
  return Math.min(10_000, 100 * 2 ** Math.min(attempt, 10))
}

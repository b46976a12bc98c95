import type { Lack, Task } from '../model.js'

/** What must be done first when two tasks for the same symbol and dataset meet. */
const WEIGHT: Readonly<Record<Task['why'], number>> = { loss: 3, roster: 2, drift: 1, sync: 0 }

/** One task for each symbol and dataset that lacks something, or that could not be seen. */
export function planTasks(
  lacks: readonly (Pick<Lack, 'symbol' | 'dataset'> & Partial<Lack>)[],
  why: Task['why'],
  since: number,
): Task[] {
  const tasks = new Map<string, { symbol: string; dataset: string; gone: Set<string> }>()
  for (const { symbol, dataset, key, kind } of lacks) {
    const id = JSON.stringify([symbol, dataset])
    const task = tasks.get(id) ?? { symbol, dataset, gone: new Set<string>() }
    tasks.set(id, task)
    if (kind === 'missing' && key !== undefined) task.gone.add(key)
  }
  return [...tasks.values()].map(({ symbol, dataset, gone }) => ({
    ...makeTask(symbol, dataset, why, since),
    ...(gone.size > 0 && { gone }),
  }))
}

/** A fresh task for everything that a dataset holds of a symbol, or for some parts of it. */
export function makeTask(
  symbol: string,
  dataset: string,
  why: Task['why'],
  since: number,
  parts?: ReadonlySet<string>,
): Task {
  const thorough = why === 'drift'
  return { symbol, dataset, why, since, parts, thorough, alone: false, attempt: 0 }
}

/** Joins two tasks for the same symbol and dataset: the values are read when they are written, so one visit does for both. */
export function mergeTasks(waiting: Task, newer: Task): Task {
  return {
    symbol: waiting.symbol,
    dataset: waiting.dataset,
    why: WEIGHT[newer.why] > WEIGHT[waiting.why] ? newer.why : waiting.why,
    parts: waiting.parts && newer.parts ? new Set([...waiting.parts, ...newer.parts]) : undefined,
    // If PostgreSQL has changed, too, its value is the newer one as far as anyone can tell.
    ...(waiting.gone && newer.gone && { gone: new Set([...waiting.gone, ...newer.gone]) }),
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

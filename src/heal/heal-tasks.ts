import type { Dataset } from '../datasets/dataset.js'
import { Trouble } from '../errors.js'
import type { Task } from '../model.js'
import type { Database } from '../postgres/database.js'
import { redisTrouble } from '../redis/trouble.js'
import type { Wire } from '../redis/wire.js'
import { type Healed, heal, type LiveWriters } from './heal.js'
import { type Clean, heldKeys } from './survey.js'

/** What a batch of tasks for one dataset came to. */
export interface Outcome {
  readonly tasks: readonly Task[]
  /** The number of {@link Wholeness} when the work began. */
  readonly began: number
  readonly result: Healed | Trouble
  /** True if it was about everything that the dataset holds of the symbols. */
  readonly entire: boolean
}

export interface HealContext {
  readonly datasets: readonly Dataset[]
  readonly db: Database
  readonly redis: Wire
  readonly live: LiveWriters
  /** `host:port/db` of Redis, for errors. */
  readonly server: string
}

/** What a heal has verified, task by task. */
export function verifiedBy(
  { tasks, entire }: Pick<Outcome, 'tasks' | 'entire'>,
  { findings, unwanted = [] }: Healed,
): (Clean & { entire: boolean })[] {
  const keys = heldKeys(
    tasks.map(({ symbol }) => symbol),
    findings,
  )
  return tasks.map(({ symbol, dataset }) => ({ symbol, dataset, keys: keys.get(symbol) ?? [], unwanted, entire }))
}

/** Heals a batch of tasks of one dataset; trouble is a result, so that whoever waits can decide when to try again. */
export async function healTasks(
  tasks: readonly Task[],
  { datasets, db, redis, live, server }: HealContext,
  began: number,
  signal: AbortSignal,
): Promise<Outcome> {
  const parts = tasks.every((task) => task.parts)
    ? new Set(tasks.flatMap((task) => [...(task.parts ?? [])]))
    : undefined
  const outcome = { tasks, began, entire: parts === undefined }
  try {
    const dataset = datasets.find(({ name }) => name === tasks[0]?.dataset)
    if (!dataset)
      throw new Trouble('unexpected', `there is no dataset ${tasks[0]?.dataset}`, 'please report this', false)
    const symbols = tasks.map(({ symbol }) => symbol)
    const thorough = tasks.some((task) => task.thorough)
    const gone = new Set(tasks.flatMap((task) => [...(task.gone ?? [])]))
    const following = tasks.every(({ why }) => why === 'sync')
    const scope = { symbols, parts, thorough, following, gone }
    return { ...outcome, result: await heal(dataset, { db, redis, live, signal }, scope) }
  } catch (error) {
    if (signal.aborted)
      return { ...outcome, result: new Trouble('aborted', 'aborted', 'the next life goes on with it', true) }
    return { ...outcome, result: redisTrouble(error, server) }
  }
}

import type { Redis } from 'ioredis'
import { type Classify, isOurs } from '../decide/classes.js'
import { parseInfo } from '../decide/info.js'
import type { KeyClass } from '../model.js'
import { readLibraries } from './functions.js'

/** How many keys a server holds. */
export interface Held {
  /** Of all databases. */
  readonly total: number
  /** Database number -> keys. */
  readonly databases: ReadonlyMap<string, number>
  /** Of the selected database, by the pattern of their class, without Rekindle's own; null for those of no class. */
  readonly classes: ReadonlyMap<string | null, number>
  /** The names of its libraries of functions. */
  readonly libraries: readonly string[]
}

/** Keys that one SCAN looks at. */
const STEP = 1_000

/** Counts the keys of a server that nobody else uses, class by class in the selected database. Names are not kept. */
export async function countKeys(redis: Redis, classify: Classify, signal: AbortSignal): Promise<Held> {
  const databases = new Map<string, number>()
  for (const [name, value] of parseInfo(await redis.info('keyspace'))) {
    const keys = /^keys=(\d+)/.exec(value)?.[1]
    if (keys !== undefined) databases.set(name.slice('db'.length), Number(keys))
  }
  const classes = new Map<KeyClass['match'] | null, number>()
  let cursor = '0'
  do {
    signal.throwIfAborted()
    const [next, keys] = await redis.scan(cursor, 'COUNT', STEP)
    cursor = next
    for (const key of keys) {
      if (isOurs(key)) continue
      const match = classify(key)?.match ?? null
      classes.set(match, (classes.get(match) ?? 0) + 1)
    }
  } while (cursor !== '0')
  const total = [...databases.values()].reduce((sum, keys) => sum + keys, 0)
  const libraries = (await readLibraries(redis)).map(({ name }) => name)
  return { total, databases, classes, libraries }
}

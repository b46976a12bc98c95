import type { Redis } from 'ioredis'

/** Everything that a Redis holds, Rekindle's own marks left out: key -> its values as one text. */
export type Contents = ReadonlyMap<string, string>

/** Keys read in one go. */
const BATCH = 200

/** Reads every key value by value: series, sorted sets and hashes; rejects on another type. */
export async function readContents(redis: Redis): Promise<Contents> {
  const keys = (await redis.keys('*')).filter((key) => !key.startsWith('rekindle:')).sort()
  const contents = new Map<string, string>()
  for (let i = 0; i < keys.length; i += BATCH) {
    const batch = keys.slice(i, i + BATCH)
    const types = await Promise.all(batch.map((key) => redis.type(key)))
    const values = await Promise.all(batch.map((key, at) => readKey(redis, key, types[at])))
    for (const [at, key] of batch.entries()) contents.set(key, JSON.stringify(values[at]))
  }
  return contents
}

async function readKey(redis: Redis, key: string, type: string | undefined): Promise<unknown> {
  switch (type) {
    case 'TSDB-TYPE':
      return redis.call('TS.RANGE', key, '-', '+')
    case 'zset':
      return redis.call('ZRANGE', key, '0', '-1', 'WITHSCORES')
    case 'hash':
      return Object.entries(await redis.hgetall(key)).sort(([a], [b]) => (a < b ? -1 : 1))
    default:
      throw new Error(`${key} is a ${type}, which nobody here writes`)
  }
}

/** The keys in which two servers differ. */
export function differingKeys(a: Contents, b: Contents): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((key) => a.get(key) !== b.get(key))
}

import { Redis } from 'ioredis'

/** The user's own Redis while the tests run: empty when they begin, empty and configured as before when they end. */
export interface BorrowedRedis {
  hasTimeSeries: boolean
  stop(): Promise<void>
}

/** Takes over the user's own Redis; rejects if it cannot be reached or holds a single key, in any database. */
export async function borrowRedis(url: string): Promise<BorrowedRedis> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {})
  await redis.connect()
  const keyspace = await redis.info('keyspace')
  if (/^db\d+:/m.test(keyspace)) {
    redis.disconnect()
    throw new Error(
      'The Redis of REKINDLE_TEST_REDIS_URL is not empty. The tests empty it many times: give them one without data.',
    )
  }
  const [timeSeries] = (await redis.call('COMMAND', 'INFO', 'TS.MADD')) as unknown[]
  const before = await settings(redis)
  return {
    hasTimeSeries: timeSeries !== null,
    stop: async () => {
      await redis.flushall()
      for (const [name, value] of await settings(redis)) {
        const old = before.get(name)
        if (old !== undefined && old !== value) await redis.config('SET', name, old).catch(() => {})
      }
      redis.disconnect()
    },
  }
}

async function settings(redis: Redis): Promise<Map<string, string>> {
  const answer = await redis.config('GET', '*').catch(() => [])
  const flat = Array.isArray(answer) ? answer.map(String) : Object.entries(answer as Record<string, string>).flat()
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, String(flat[at + 1])] as const] : [])))
}

import type { Redis } from 'ioredis'
import type { RunningRedis } from '../../lab/redis.js'

/** A Redis that waits for no other replica before it sends a snapshot. */
export const PROMPT = { args: ['--repl-diskless-sync-delay', '0'] }

/** Bytes that are no UTF-8. */
export const BINARY = Buffer.from([0, 255, 254, 10, 13, 128])

/** Fills database 0 of a Redis with a key of every type, small and large. */
export async function fillWithEverything(redis: RunningRedis): Promise<void> {
  const cli = (...command: (string | number | Buffer)[]): Promise<unknown> => redis.cli(...command)
  const many = Array.from({ length: 2_000 }, (_, i) => [`field-${i}`, `value-${i}`]).flat()
  await cli('SET', 'a:string', 'hello')
  await cli('SET', 'a:number', '42')
  await cli('SET', 'a:brief', 'soon gone', 'PX', '100000')
  await cli('SET', Buffer.concat([Buffer.from('a:'), BINARY]), BINARY)
  await cli('HSET', 'a:hash', 'free_used', '3', 'plan', 'gold')
  await cli('HSET', 'a:hash:large', ...many)
  await cli('RPUSH', 'a:list', 'one', 'two', BINARY)
  await cli('RPUSH', 'a:list:large', ...many)
  await cli('SADD', 'a:set', 'x', 'y', BINARY)
  await cli('SADD', 'a:set:numbers', '1', '2', '3')
  await cli('SADD', 'a:set:large', ...many)
  await cli('ZADD', 'a:zset', '1.5', 'low', '9', 'high', '-inf', 'least')
  await cli('ZADD', 'a:zset:large', ...many.map((text, i) => (i % 2 === 0 ? i : text)))
  await cli('SETBIT', 'a:bits', '1000', '1')
  await cli('PFADD', 'a:hyperloglog', 'x', 'y', 'z')
  await cli('XADD', 'a:stream', '5-1', 'field', 'value')
  await cli('XADD', 'a:stream', '6-1', 'field', BINARY)
  await cli('XGROUP', 'CREATE', 'a:stream', 'group', '0')
  await cli('XREADGROUP', 'GROUP', 'group', 'worker', 'COUNT', '1', 'STREAMS', 'a:stream', '>')
  await cli('EXPIRE', 'a:hash', '100000')
  if (redis.hasTimeSeries) {
    await cli('TS.CREATE', 'a:series', 'LABELS', 'symbol', 'BTCUSDT')
    await cli('TS.MADD', ...[1, 2, 3].flatMap((time) => ['a:series', time * 1000, time / 3]))
  }
}

/** Everything that one key holds, in an order of its own, so that two servers can be compared. */
export async function contentOf(redis: Redis, key: Buffer): Promise<unknown> {
  const type = await redis.type(key)
  const ask = (name: string, ...args: (string | number)[]): Promise<unknown> => redis.callBuffer(name, key, ...args)
  switch (type) {
    case 'hash':
      return { type, pairs: sorted(pairs((await ask('HGETALL')) as Buffer[])) }
    case 'set':
      return { type, members: sorted((await ask('SMEMBERS')) as Buffer[]) }
    case 'list':
      return { type, items: await ask('LRANGE', 0, -1) }
    case 'zset':
      return { type, members: await ask('ZRANGE', 0, -1, 'WITHSCORES') }
    case 'stream':
      return { type, entries: await ask('XRANGE', '-', '+'), groups: await redis.xinfo('GROUPS', key) }
    case 'TSDB-TYPE':
      return { type, samples: await redis.call('TS.RANGE', key, '-', '+'), info: await seriesLabels(redis, key) }
    default:
      return { type, value: await ask('GET') }
  }
}

/** What a whole database holds: name (in hex) -> content and whether it has a time to live. */
export async function everythingIn(redis: Redis): Promise<Map<string, unknown>> {
  const all = new Map<string, unknown>()
  for (const key of (await redis.keysBuffer('*')).sort(Buffer.compare)) {
    all.set(key.toString('hex'), { ...((await contentOf(redis, key)) as object), expires: (await redis.pttl(key)) > 0 })
  }
  return all
}

async function seriesLabels(redis: Redis, key: Buffer): Promise<unknown> {
  const info = (await redis.call('TS.INFO', key)) as unknown[]
  return info[info.indexOf('labels') + 1]
}

function pairs(flat: readonly Buffer[]): Buffer[] {
  return flat.flatMap((field, i) =>
    i % 2 === 0 ? [Buffer.concat([field, Buffer.from('='), flat[i + 1] as Buffer])] : [],
  )
}

function sorted(items: readonly Buffer[]): Buffer[] {
  return [...items].sort(Buffer.compare)
}

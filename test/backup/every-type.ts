import type { RunningRedis } from '../../lab/redis.js'

/** What OBJECT ENCODING says of the keys that {@link fillWithEveryType} writes, where the server knows it. */
export interface Filled {
  /** Database -> key -> type as the reader of RDB files calls it. */
  readonly types: ReadonlyMap<number, ReadonlyMap<string, string>>
  readonly encodings: ReadonlySet<string>
}

const LONG = 'x'.repeat(200)

/** Writes keys of every type in every encoding that the server has, with and without expiry, in two databases. */
export async function fillWithEveryType(redis: RunningRedis): Promise<Filled> {
  const numbers = Array.from({ length: 700 }, (_, i) => i)
  const commands: (string | number | Buffer)[][] = [
    ['SET', 'string:int8', 12],
    ['SET', 'string:int16', -1200],
    ['SET', 'string:int32', 1_000_000],
    ['SET', 'string:int64', '123456789012345'],
    ['SET', 'string:embstr', 'short'],
    ['SET', 'string:raw', 'raw '.repeat(50)],
    ['SET', 'string:empty', ''],
    ['SET', 'string:large', Buffer.alloc(3_000_000, 'not all the same, but it packs well ')],
    ['SET', 'string:expiring', 'soon', 'PX', 3_600_000],
    ['SET', '17', 'a key that is a number of 8 bits'],
    ['SET', '-30000', 'a key that is a number of 16 bits'],
    ['SET', '2000000000', 'a key that is a number of 32 bits'],
    ['SET', `packed:${'ab'.repeat(400)}`, 'a long key is packed by LZF'],
    ['SET', Buffer.from('binary:\x00\xff\xfe', 'latin1'), 'a key that is no UTF-8'],
    ['RPUSH', 'list:small', 'a', 1, 'b'],
    ['RPUSH', 'list:nodes', ...numbers.map((i) => `${i}:${LONG}`)],
    ['RPUSH', 'list:plain', Buffer.alloc(70_000, 1), 'small', Buffer.alloc(1_200_000, 2)],
    ['SADD', 'set:intset', 1, 2, 70_000],
    ['SADD', 'set:small', 'a', 'b'],
    ['SADD', 'set:table', ...numbers.map((i) => `member:${i}`)],
    ['HSET', 'hash:small', 'a', 1, 'b', 'two'],
    ['HSET', 'hash:table', ...numbers.flatMap((i) => [`field:${i}`, i * 1000])],
    ['HSET', 'hash:large', 'field', LONG],
    ['ZADD', 'zset:small', 1, 'a', 2.5, 'b', '-inf', 'c'],
    ['ZADD', 'zset:table', ...numbers.flatMap((i) => [i / 7, `member:${i}`])],
    ['EXPIRE', 'hash:table', 3600],
    ['PFADD', 'string:log', 'a', 'b'],
    ['GEOADD', 'zset:geo', 13.4, 52.5, 'here'],
    ['XADD', 'stream:plain', '*', 'field', 'value'],
    ['XGROUP', 'CREATE', 'stream:empty', 'group', '$', 'MKSTREAM'],
    ...numbers.map((i) => ['XADD', 'stream:groups', `${i + 1}-0`, 'field', i, 'other', LONG]),
    ['XDEL', 'stream:groups', '1-0', '9-0'],
    ['XGROUP', 'CREATE', 'stream:groups', 'first', '0'],
    ['XGROUP', 'CREATE', 'stream:groups', 'second', '5-0'],
    ['XREADGROUP', 'GROUP', 'first', 'ann', 'COUNT', 300, 'STREAMS', 'stream:groups', '>'],
    ['XREADGROUP', 'GROUP', 'first', 'bob', 'COUNT', 7, 'STREAMS', 'stream:groups', '>'],
    ['XACK', 'stream:groups', 'first', '3-0'],
  ]
  for (const command of commands) await redis.cli(...command)
  const maybe = async (...command: (string | number)[]): Promise<void> => {
    await redis.cli(...command).catch(() => undefined)
  }
  await maybe('FUNCTION', 'LOAD', `#!lua name=library\nredis.register_function('f', function() return 1 end)`)
  await maybe('HSET', 'hash:field-expiry', 'a', 1, 'b', 2)
  await maybe('HEXPIRE', 'hash:field-expiry', 3600, 'FIELDS', 1, 'a')
  await maybe('HSET', 'hash:table-field-expiry', ...numbers.flatMap((i) => [`field:${i}`, i]))
  await maybe('HEXPIRE', 'hash:table-field-expiry', 3600, 'FIELDS', 2, 'field:7', 'field:600')
  if (redis.hasTimeSeries) {
    await redis.cli('TS.CREATE', 'series', 'LABELS', 'symbol', 'BTCUSDT')
    await redis.cli('TS.CREATE', 'series:plain', 'ENCODING', 'UNCOMPRESSED')
    await redis.cli('TS.CREATE', 'series:rule')
    await redis.cli('TS.CREATERULE', 'series', 'series:rule', 'AGGREGATION', 'avg', 1000)
    await redis.cli('TS.MADD', ...numbers.flatMap((i) => ['series', 1_000 + i * 500, i / 3]))
    await redis.cli('TS.MADD', ...numbers.flatMap((i) => ['series:plain', 1_000 + i * 500, i / 3]))
  }
  await redis.cli('COPY', 'hash:small', 'copied', 'DB', 3).catch(() => undefined)
  return describe(redis)
}

/** ARGV: database. Keys, types and encodings, in turn. */
const DESCRIBE = `
redis.call('SELECT', ARGV[1])
local all = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  all[#all + 1] = key
  all[#all + 1] = redis.call('TYPE', key)['ok']
  all[#all + 1] = redis.call('OBJECT', 'ENCODING', key)
end
return all`

async function describe(redis: RunningRedis): Promise<Filled> {
  const types = new Map<number, Map<string, string>>()
  const encodings = new Set<string>()
  for (const db of [0, 3]) {
    const all = ((await redis.cli('EVAL', DESCRIBE, 0, db)) as (string | null)[]).map(String)
    const of = new Map<string, string>()
    for (let i = 0; i < all.length; i += 3) {
      const type = all[i + 1] ?? ''
      of.set(all[i] ?? '', type === 'TSDB-TYPE' ? 'module' : type)
      encodings.add(`${type} ${all[i + 2]}`)
    }
    if (of.size > 0) types.set(db, of)
  }
  return { types, encodings }
}

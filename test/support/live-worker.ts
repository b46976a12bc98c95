import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { insertCandle, setIndicator } from '../../lab/worker.js'
import type { Layout, TestDatabase } from './servers.js'

/** Writes a new value where one stands and answers the one before, '' for none, so that no reader can come in between. */
const SWAP_FIELD = `
local before = redis.call('HGET', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return before or ''`
const SWAP_MEMBER = `
local before = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[1], ARGV[1])
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
if #before > 1 then return 'many' end
return before[1] and tostring(cjson.decode(before[1]).c) or ''`
const SWAP_SAMPLE = `
local found = redis.pcall('TS.RANGE', KEYS[1], ARGV[1], ARGV[1])
redis.call('TS.ADD', KEYS[1], ARGV[1], ARGV[2], 'ON_DUPLICATE', 'LAST')
local before = not found.err and found[1] and found[1][2]
return before and tostring(before.ok or before) or ''`

export interface LiveWorkerOptions {
  readonly redisUrl: string
  readonly database: TestDatabase
  readonly layout: Layout
  readonly symbol: string
  readonly field: string
  /** The time of the candle that it writes, in epoch ms. */
  readonly time: number
  /** How far PostgreSQL is behind, in ms. */
  readonly lag: number
}

/** A worker that writes a forming candle and an indicator to Redis, ten times a second, and to PostgreSQL a while later. */
export interface LiveWorker {
  /** Values that did not stand until the worker's next write. */
  readonly reverted: readonly string[]
  readonly writes: number
  /** Redis is about to lose its data: what stands at the next write may be anything that PostgreSQL has. */
  forgive(): void
  /** Stops after a write to Redis; PostgreSQL gets all of them, or, of the last one, nothing. */
  stop(last?: 'both' | 'redis only'): Promise<void>
}

/** Starts the worker. Its values are few, so that PostgreSQL's older ones are often those that Redis has held before. */
export function startLiveWorker(options: LiveWorkerOptions): LiveWorker {
  const { redisUrl, database, layout, symbol, field, time, lag } = options
  const redis = new Redis(redisUrl, { protocol: 2, maxRetriesPerRequest: 1, retryStrategy: () => 50 })
  // Its own attempts tell: each write that fails is tried again.
  redis.on('error', () => undefined)
  const reverted: string[] = []
  const pending: Promise<unknown>[] = []
  let [candle, indicator]: [number | undefined, number | undefined] = [undefined, undefined]
  let writes = 0
  let isRunning = true
  let queue: Promise<unknown> = Promise.resolve()

  const swapCandle = async (value: number): Promise<string> => {
    const key = `ohlcv:${symbol}:m1`
    if (layout === 'timeseries') return String(await redis.eval(SWAP_SAMPLE, 1, key, time, value))
    const member = JSON.stringify({ t: time, o: value, h: value, l: value, c: value, v: value })
    return String(await redis.eval(SWAP_MEMBER, 1, key, time, member))
  }
  const toPostgres = async (value: number): Promise<void> => {
    await delay(lag)
    const openTime = new Date(time)
    const candle = {
      symbol,
      timeframe: 'm1',
      openTime,
      open: value,
      high: value,
      low: value,
      close: value,
      volume: value,
    } as const
    const write = queue.then(async () => {
      await insertCandle({ query: (sql, values) => database.query(sql, values) }, candle)
      await setIndicator(
        { query: (sql, values) => database.query(sql, values) },
        { symbol, timeframe: 'm1', param: field, value },
      )
    })
    queue = write
    await write
  }
  const check = (what: string, before: string, mine: number | undefined): void => {
    if (mine !== undefined && before !== '' && Number(before) !== mine)
      reverted.push(`${what}: ${mine} became ${before}`)
  }
  const step = async (value: number): Promise<void> => {
    const [mineCandle, mineIndicator] = [candle, indicator]
    const [sample, held] = await Promise.all([
      swapCandle(value),
      redis.eval(SWAP_FIELD, 1, `indicator:${symbol}:m1`, field, value),
    ])
    check('candle', sample, mineCandle === candle ? mineCandle : undefined)
    check('indicator', String(held), mineIndicator === indicator ? mineIndicator : undefined)
    candle = value
    indicator = value
    writes++
  }
  const run = (async () => {
    for (let i = 0; isRunning; i++) {
      const value = 100 + ((i * 7) % 3)
      // Redis may be away: then nothing was written, or it was and is lost.
      const done = await step(value).then(
        () => true,
        () => false,
      )
      if (done) pending.push(toPostgres(value))
      else [candle, indicator] = [undefined, undefined]
      await delay(100)
    }
  })()
  return {
    reverted,
    get writes() {
      return writes
    },
    forgive() {
      ;[candle, indicator] = [undefined, undefined]
    },
    async stop(last = 'both') {
      isRunning = false
      await run
      await Promise.all(pending)
      if (last === 'redis only') await step(555)
      redis.disconnect()
    },
  }
}

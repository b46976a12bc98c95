import { Redis } from 'ioredis'
import { startPostgres } from '../lab/postgres.js'
import { type RunningRedis, startRedis } from '../lab/redis.js'
import { Journal } from './journal.js'
import { expectedKeys } from './keys.js'
import type { Layout, Options } from './options.js'
import { Rekindle } from './rekindle.js'
import { count, number, type Screen, secondsSince } from './screen.js'
import { seed } from './seed.js'
import { Worker } from './worker.js'

/** What the demo plays with. */
export interface Scene {
  readonly redis: RunningRedis
  /** A connection that is open already, so that to send a command is all that takes time. */
  readonly hand: Redis
  readonly databaseUrl: string
  readonly rekindle: Rekindle
  readonly journal: Journal
  readonly worker: Worker
  readonly layout: Layout
  readonly symbols: readonly string[]
  /** Every key that Redis must hold -> its type. */
  readonly keys: ReadonlyMap<string, string>
}

/** Takes what is to be ended when the demo is over, the last thing first. */
export type Later = (closer: () => Promise<unknown>) => void

/** Starts the servers, fills PostgreSQL and installs the triggers; Redis stays empty, and the daemon is not started yet. */
export async function openScene(options: Options, screen: Screen, later: Later): Promise<Scene> {
  const servers = await startServers(options.layout, screen, later)
  const { redis, databaseUrl, layout } = servers
  const symbols = await fillPostgres(databaseUrl, options.symbols, screen)
  const rekindle = new Rekindle(redis.url, databaseUrl, layout)
  later(() => rekindle.stop())
  await installTriggers(rekindle, screen)
  const hand = new Redis(redis.url)
  hand.on('error', () => {})
  later(async () => hand.disconnect())
  const worker = new Worker(redis.url, databaseUrl, layout)
  later(() => worker.stop())
  return { ...servers, hand, rekindle, journal: new Journal(), worker, symbols, keys: expectedKeys(symbols, layout) }
}

async function startServers(asked: Layout | undefined, screen: Screen, later: Later) {
  screen.busy('starting PostgreSQL and Redis')
  const since = performance.now()
  // Nothing in this PostgreSQL needs to outlive a crash.
  const settings = { wal_level: 'minimal', max_wal_senders: '0', max_wal_size: '4GB', shared_buffers: '128MB' }
  const postgres = await startPostgres({ settings })
  later(() => postgres.stop())
  const redis = await startRedis()
  later(() => redis.stop())
  if (asked === 'timeseries' && !redis.hasTimeSeries) {
    throw new Error('--layout timeseries: no RedisTimeSeries was found; name its file in REDIS_TIMESERIES_MODULE')
  }
  const layout = asked ?? (redis.hasTimeSeries ? 'timeseries' : 'sortedset')
  const version = /redis_version:(\S+)/.exec(String(await redis.cli('INFO', 'server')))?.[1]
  screen.done(`PostgreSQL and Redis ${version} of our own are up`, secondsSince(since))
  const reason = redis.hasTimeSeries ? '' : ', as this Redis has no RedisTimeSeries'
  screen.done(layout === 'timeseries' ? 'candles lie in RedisTimeSeries' : `candles lie in sorted sets${reason}`)
  return { redis, databaseUrl: await postgres.createDatabase('rekindle_demo'), layout } as const
}

async function fillPostgres(databaseUrl: string, symbols: number, screen: Screen): Promise<string[]> {
  screen.busy('filling PostgreSQL')
  const since = performance.now()
  const market = await seed(databaseUrl, symbols, (step) => screen.busy(`filling PostgreSQL: ${step}`))
  const { ohlcv4_m1, ohlcv4_m5, ohlcv4_m15, indicator_values_v4: values } = market.rows
  const [candles, indicators] = [number(ohlcv4_m1 + ohlcv4_m5 + ohlcv4_m15), number(values)]
  screen.done(`PostgreSQL holds ${candles} candles and ${indicators} indicator values`, secondsSince(since))
  return market.symbols
}

async function installTriggers(rekindle: Rekindle, screen: Screen): Promise<void> {
  screen.busy('rekindle triggers --apply')
  const { status, lines } = await rekindle.run('triggers', '--apply')
  if (status !== 0) throw new Error(`rekindle triggers: ${lines.join(' ')}`)
  const watched = lines.filter((line) => line.includes(' are announced on '))
  screen.done(`rekindle triggers --apply: ${count(watched.length, 'table')} watched`)
}

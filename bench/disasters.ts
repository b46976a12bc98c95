import { setTimeout as delay } from 'node:timers/promises'
import type { RunningPostgres } from '../lab/postgres.js'
import type { TcpProxy } from '../lab/proxy.js'
import type { RunningRedis } from '../lab/redis.js'

/** What a soak does harm to: the servers, and the networks between them and the daemon. */
export interface Victims {
  readonly redis: RunningRedis
  readonly postgres: RunningPostgres
  readonly toRedis: TcpProxy
  readonly toPostgres: TcpProxy
  readonly symbols: readonly string[]
}

/** A random whole number below `limit`. */
export function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}

/** Everything that is known to happen to a Redis at night, and some things that only happen in a test. */
export const disasters: Readonly<Record<string, (victims: Victims) => Promise<unknown>>> = {
  FLUSHALL: ({ redis }) => redis.cli('FLUSHALL'),
  FLUSHDB: ({ redis }) => redis.cli('FLUSHDB', 'ASYNC'),
  SWAPDB: ({ redis }) => redis.cli('SWAPDB', 0, 1),
  'two flushes': async ({ redis }) => {
    await redis.cli('FLUSHALL')
    await delay(below(60))
    await redis.cli('FLUSHALL')
  },
  'DEL of two keys': ({ redis, symbols }) => redis.cli('DEL', candles(symbols, 'm1'), `indicator:${pick(symbols)}:m5`),
  'SET over candles': ({ redis, symbols }) => redis.cli('SET', candles(symbols, 'm5'), 'x'),
  'the epoch deleted': ({ redis }) => redis.cli('DEL', 'rekindle:epoch'),
  'the ready marks deleted': ({ redis }) => redis.cli('DEL', 'rekindle:ready'),
  'Redis killed': async ({ redis }) => {
    await redis.kill()
    await delay(below(1_500))
    await redis.start()
  },
  'Redis killed in a restore': async ({ redis }) => {
    await redis.cli('FLUSHALL')
    await delay(below(80))
    await redis.kill()
    await redis.start()
  },
  'Redis frozen': async ({ redis }) => {
    redis.pause()
    await delay(below(3_000))
    redis.resume()
  },
  'PostgreSQL restarted': ({ postgres }) => postgres.restart(),
  'PostgreSQL restarted in a restore': ({ redis, postgres }) =>
    Promise.all([redis.cli('FLUSHALL'), postgres.restart()]),
  'network to Redis cut': ({ toRedis }) => interrupt(toRedis, 'cut', 3_000),
  'network to Redis frozen': ({ toRedis }) => interrupt(toRedis, 'freeze', 4_000),
  'network to PostgreSQL cut': ({ toPostgres }) => interrupt(toPostgres, 'cut', 3_000),
  'network to PostgreSQL frozen': ({ toPostgres }) => interrupt(toPostgres, 'freeze', 8_000),
}

async function interrupt(proxy: TcpProxy, how: 'cut' | 'freeze', longest: number): Promise<void> {
  proxy[how]()
  await delay(below(longest))
  proxy.resume()
}

function candles(symbols: readonly string[], timeframe: string): string {
  return `ohlcv:${pick(symbols)}:${timeframe}`
}

function pick(symbols: readonly string[]): string {
  return symbols[below(symbols.length)] ?? ''
}

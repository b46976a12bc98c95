import type { Redis } from 'ioredis'
import type { Layout } from './options.js'

const timeframes = ['m1', 'm5', 'm15']
const columns = ['', ':open', ':high', ':low', ':volume']

/** Every key that Redis must hold for these symbols -> its type as TYPE tells it. */
export function expectedKeys(symbols: readonly string[], layout: Layout): Map<string, string> {
  const [parts, type] = layout === 'timeseries' ? [columns, 'TSDB-TYPE'] : [[''], 'zset']
  return new Map(
    symbols.flatMap((symbol) =>
      timeframes.flatMap((timeframe): [string, string][] => [
        ...parts.map((part): [string, string] => [`ohlcv:${symbol}:${timeframe}${part}`, type]),
        [`indicator:${symbol}:${timeframe}`, 'hash'],
      ]),
    ),
  )
}

/** The keys that are not there or of another type. */
export async function findLacking(redis: Redis, expected: ReadonlyMap<string, string>): Promise<string[]> {
  const names = [...expected.keys()]
  const types = await Promise.all(names.map((name) => redis.type(name)))
  return names.filter((name, at) => types[at] !== expected.get(name))
}

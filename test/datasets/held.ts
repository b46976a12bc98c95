import type { Layout } from '../support/servers.js'
import { minute, type Sides } from './sides.js'

/** How often anything was written since the server started. */
export async function changes(sides: Sides): Promise<string | undefined> {
  return /rdb_changes_since_last_save:(\d+)/.exec(String(await sides.redis('INFO', 'persistence')))?.[1]
}

async function samples(layout: Layout, sides: Sides, symbol: string): Promise<[time: number, close: number][]> {
  const key = `ohlcv:${symbol}:m1`
  if (layout === 'timeseries') {
    const range = await sides.redis('TS.RANGE', key, '-', '+').catch(() => [])
    return (range as [number, string][]).map(([time, value]) => [time, Number(value)])
  }
  const flat = (await sides.redis('ZRANGE', key, 0, -1, 'WITHSCORES')) as string[]
  return flat.flatMap((member, i): [number, number][] =>
    i % 2 === 0 ? [[Number(flat[i + 1]), Number(JSON.parse(member).c)]] : [],
  )
}

/** The closes that Redis holds of a symbol, in order of time. */
export async function closes(layout: Layout, sides: Sides, symbol: string): Promise<number[]> {
  return (await samples(layout, sides, symbol)).map(([, close]) => close)
}

/** The times of the candles that Redis holds of a symbol, in ms. */
export async function times(layout: Layout, sides: Sides, symbol: string): Promise<number[]> {
  return (await samples(layout, sides, symbol)).map(([time]) => time)
}

/** Takes candles out of Redis, and with them the key unless it is to be left. */
export async function removeCandles(
  layout: Layout,
  sides: Sides,
  symbol: string,
  nths: number[],
  keyIsLeft: boolean,
): Promise<void> {
  const ends = layout === 'timeseries' ? ['', ':open', ':high', ':low', ':volume'] : ['']
  for (const key of ends.map((end) => `ohlcv:${symbol}:m1${end}`)) {
    if (!keyIsLeft) await sides.redis('DEL', key)
    else if (layout === 'timeseries') for (const nth of nths) await sides.redis('TS.DEL', key, minute(nth), minute(nth))
    else for (const nth of nths) await sides.redis('ZREMRANGEBYSCORE', key, minute(nth), minute(nth))
  }
}

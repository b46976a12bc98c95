import type { Redis } from 'ioredis'
import { Client } from 'pg'
import type { Timeframe } from '../lab/market.js'
import { setIndicator } from '../lab/worker.js'

const COMMITS = 100
const LIMIT = 30_000
const timeframes: Timeframe[] = ['m1', 'm5', 'm15']

/**
 * Commits new values of an indicator one after the other, and asks Redis for each until it is there. Returns the times from COMMIT
 * until then in ms, ascending.
 */
export async function measureLatency(redis: Redis, databaseUrl: string, symbols: readonly string[]): Promise<number[]> {
  const client = new Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    const times: number[] = []
    for (let nth = 0; nth < COMMITS; nth++) {
      const symbol = symbols[nth % symbols.length] as string
      const timeframe = timeframes[nth % timeframes.length] as Timeframe
      const value = Number((Math.random() * 100).toFixed(4))
      await client.query('BEGIN')
      await setIndicator(client, { symbol, timeframe, param: 'rsi_14', value })
      const since = performance.now()
      await client.query('COMMIT')
      await untilHeld(redis, `indicator:${symbol}:${timeframe}`, 'rsi_14', value)
      times.push(performance.now() - since)
    }
    return times.sort((a, b) => a - b)
  } finally {
    await client.end()
  }
}

async function untilHeld(redis: Redis, key: string, field: string, value: number): Promise<void> {
  const deadline = performance.now() + LIMIT
  while (Number(await redis.hget(key, field)) !== value) {
    if (performance.now() > deadline) throw new Error(`${key} did not get its new ${field} within ${LIMIT / 1000} s`)
  }
}

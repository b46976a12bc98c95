import type { Holdings } from '../holdings.js'
import { redisTime } from './time.js'
import { encode, exchange, isErrorReply, type Reply, type Wire } from './wire.js'

/** Keys in one EXISTS: about 0.1 ms of Redis' time. */
const BATCH = 500

/** Of the given keys, those that are not there. Any type counts as there. */
export async function missingKeys(redis: Wire, keys: readonly string[]): Promise<string[]> {
  const groups: (readonly string[])[] = []
  for (let i = 0; i < keys.length; i += BATCH) groups.push(keys.slice(i, i + BATCH))
  const counts = await exchange(
    redis,
    groups.map((group) => encode('EXISTS', ...group)),
  )
  const missing: string[] = []
  const unclear: string[] = []
  groups.forEach((group, i) => {
    const count = countOf(counts[i])
    if (count === 0) missing.push(...group)
    else if (count < group.length) unclear.push(...group)
  })
  const each = await exchange(
    redis,
    unclear.map((key) => encode('EXISTS', key)),
  )
  return [...missing, ...unclear.filter((_, i) => countOf(each[i]) === 0)]
}

/** Every key of some symbols that stood and no longer does, by symbol: what a flush or an empty restart took. */
export async function lostKeys(
  redis: Wire,
  holdings: Holdings,
  symbols: readonly string[] = holdings.symbols,
): Promise<Map<string, string[]>> {
  const lost = new Map<string, string[]>()
  const missing = await missingKeys(
    redis,
    symbols.flatMap((symbol) => holdings.keysOf(symbol)),
  )
  // What has expired since the clock was last read is not lost.
  const now = missing.some((key) => holdings.expires(key)) ? await redisTime(redis) : undefined
  for (const key of missing.filter((key) => holdings.mustStand(key, now))) {
    const symbol = holdings.ownerOf(key)?.symbol
    if (symbol === undefined) continue
    const keys = lost.get(symbol)
    if (keys) keys.push(key)
    else lost.set(symbol, [key])
  }
  return lost
}

/** One key of every symbol, another one each time. */
export function sentinelKeys(holdings: Holdings): string[] {
  return holdings.symbols.flatMap((symbol) => holdings.sentinelOf(symbol) ?? [])
}

function countOf(reply: Reply | Error | undefined): number {
  if (isErrorReply(reply)) throw reply
  return Number(reply)
}

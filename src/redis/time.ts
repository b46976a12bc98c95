import { ask, type Wire } from './wire.js'

/** Redis' own clock, in epoch ms: what expires in it does so by this one. */
export async function redisTime(redis: Wire): Promise<number> {
  return timeOf(await ask(redis, 'TIME'))
}

/** TIME's answer in epoch ms. */
export function timeOf(reply: unknown): number {
  const [seconds, micros] = reply as [string, string]
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
}

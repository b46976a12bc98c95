import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Daemon } from './daemon.js'

/** The samples and fields that one heal brought back, by the daemon's own log, and how long that took by either clock, in ms. */
export interface Heal {
  /** From the moment that FLUSHALL was sent until the `healed` line arrived. */
  readonly took: number
  /** The daemon's `time_to_heal_ms`. */
  readonly byLog: number
  readonly samples: number
  readonly fields: number
}

/** Wipes Redis and waits until the daemon says that everything is back and verified. */
export async function wipe(redis: Redis, daemon: Daemon): Promise<Heal> {
  const healed = daemon.next('healed')
  const began = performance.now()
  const [line] = await Promise.all([healed, redis.flushall()])
  const took = performance.now() - began
  return {
    took,
    byLog: Number(line['time_to_heal_ms']),
    samples: Number(line['samples']),
    fields: Number(line['fields']),
  }
}

/** Lets a machine come to rest between rounds: memory is given back and the next garbage is not ours. */
export async function rest(): Promise<void> {
  await delay(150)
}

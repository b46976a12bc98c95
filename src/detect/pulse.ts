import { defer, type Observable, repeat } from 'rxjs'
import { steadyTime } from '../clock.js'
import type { ServerFacts } from '../model.js'
import { type Life, readFacts } from '../redis/life.js'
import { countReady, readEpoch } from '../redis/marks.js'
import { missingKeys } from '../redis/presence.js'

/** What one poll saw. */
export interface Pulse {
  readonly facts: ServerFacts
  readonly epoch: string | null
  /** How many symbols are marked ready. */
  readonly ready: number
  /** Sentinel keys that are gone. */
  readonly missing: readonly string[]
  /** When the poll began, and when its answers were in. */
  readonly from: number
  readonly at: number
}

/**
 * Looks at Redis every `period` ms: INFO, the marks, and the sentinel keys whose turn it is. Errors when Redis does not answer.
 * The next poll waits for the one before, so that a slow server is not asked twice.
 */
export function watchPulse(
  { probe }: Pick<Life, 'probe'>,
  sentinels: () => readonly string[],
  period: number,
): Observable<Pulse> {
  return defer(async (): Promise<Pulse> => {
    const from = steadyTime()
    const [facts, epoch, ready, missing] = await Promise.all([
      readFacts(probe),
      readEpoch(probe),
      countReady(probe),
      missingKeys(probe, sentinels()),
    ])
    return { facts, epoch, ready, missing, from, at: steadyTime() }
  }).pipe(repeat({ delay: period }))
}

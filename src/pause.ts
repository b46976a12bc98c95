import { setTimeout as delay } from 'node:timers/promises'

/** Resolves after some ms, or as soon as the signal aborts: who goes on looks at the signal. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  // Nothing but the signal cuts a delay short.
  return delay(ms, undefined, { signal }).catch(() => undefined)
}

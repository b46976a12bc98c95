import type { Signal, Suspicion } from '../model.js'

/** A suspicion of one signal. `since` is the earliest moment at which the loss can have happened. */
export function suspect(
  signal: Signal,
  scope: Suspicion['scope'],
  since: number,
  at: number,
  keyEvents = {},
): Suspicion {
  return { signals: new Set([signal]), scope, since, at, keyEvents }
}

/** Joins two suspicions into one that covers both. */
export function mergeSuspicions(a: Suspicion, b: Suspicion): Suspicion {
  const keyEvents: Record<string, number> = { ...a.keyEvents }
  for (const [event, count] of Object.entries(b.keyEvents)) keyEvents[event] = (keyEvents[event] ?? 0) + count
  return {
    signals: new Set([...a.signals, ...b.signals]),
    scope: a.scope === 'all' || b.scope === 'all' ? 'all' : new Set([...a.scope, ...b.scope]),
    since: Math.min(a.since, b.since),
    at: Math.min(a.at, b.at),
    keyEvents,
  }
}

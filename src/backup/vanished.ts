import type { KeyCounts } from './manifest.js'

/**
 * Says in sentences which keys an earlier backup held and a new one lacks altogether: all of them, or those of a class that only a
 * backup can bring back. A class that PostgreSQL or its writers refill is no reason to worry.
 */
export function vanished(before: KeyCounts | null, now: KeyCounts): string[] {
  if (!before || before.total === 0) return []
  if (now.total === 0) {
    return [
      `this backup holds no key at all, and the one before held ${before.total}: was Redis emptied? Retention keeps that one`,
    ]
  }
  return now.classes.flatMap(({ match, recovery, keys }) => {
    const held = before.classes.find((each) => each.match === match)?.keys ?? 0
    if (recovery !== 'backup' || keys > 0 || held === 0) return []
    return [
      `this backup holds no key of ${match}, and the one before held ${held}: were they lost? Retention keeps that one`,
    ]
  })
}

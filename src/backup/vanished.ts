import { keysHeld } from '../decide/retention.js'
import type { Manifest } from './manifest.js'

type Counted = Pick<Manifest, 'database' | 'keys'>

/**
 * Says in sentences which keys, and which libraries of functions, an earlier backup held and a new one lacks altogether: all of them, or those of a class that only a
 * backup can bring back. A class that PostgreSQL or its writers refill is no reason to worry.
 */
export function vanished(before: Counted, now: Counted): string[] {
  const held = keysHeld(before) ?? 0
  if (held > 0 && keysHeld(now) === 0) {
    return [
      `this backup holds no key at all, and the one before held ${held}: was Redis emptied? Retention keeps that one`,
    ]
  }
  const kept = now.keys?.functions
  const gone = kept ? (before.keys?.functions ?? []).filter((name) => !kept.includes(name)) : []
  const functions = gone.map(
    (name) => `this backup holds no function library ${name}, and the one before did: was it deleted on purpose?`,
  )
  const classes = (now.keys?.classes ?? []).flatMap(({ match, recovery, keys }) => {
    const had = before.keys?.classes.find((each) => each.match === match)?.keys ?? 0
    if (recovery !== 'backup' || keys > 0 || had === 0) return []
    return [
      `this backup holds no key of ${match}, and the one before held ${had}: were they lost? Retention keeps that one`,
    ]
  })
  return [...classes, ...functions]
}

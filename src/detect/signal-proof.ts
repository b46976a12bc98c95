import { setTimeout as delay } from 'node:timers/promises'
import { merge, tap } from 'rxjs'
import type { SignalProof } from '../decide/signal-health.js'
import type { Life } from '../redis/life.js'
import { EPOCH } from '../redis/marks.js'
import { redisTrouble } from '../redis/trouble.js'
import { encode, exchange, isErrorReply } from '../redis/wire.js'
import { caughtUp, watchWrites } from './flushes.js'
import { watchKeyEvents } from './key-events.js'

/** How long the key may stand if we are cut off in the middle, and how long the one that is to expire does, in ms. */
const LEFT_BEHIND = 10_000
const SHORT = 1

/**
 * Writes a key of our own, deletes it, and lets it expire, and tells what was announced of that. It need not be waited for: what Redis
 * has announced comes before the next answer on the connection that listens. Undefined where Redis takes no such write at the
 * moment, or nothing may be subscribed to: others tell of that.
 */
export async function proveSignals(
  life: Pick<Life, 'probe' | 'ears' | 'earsId' | 'database'>,
  server: string,
): Promise<SignalProof | undefined> {
  const { probe } = life
  // Another daemon proves its own; the name begins with what is tracked anyway.
  const key = `${EPOCH}:proof:${life.earsId ?? process.pid}`
  const events = new Set<string>()
  let tracking = false
  const heard = merge(
    watchKeyEvents(life).pipe(tap((event) => event.key === key && events.add(event.event))),
    watchWrites(life).pipe(
      tap((keys) => {
        tracking ||= keys.includes(key)
      }),
    ),
  ).subscribe()
  try {
    const written = await exchange(probe, [
      encode('SET', key, '', 'PX', LEFT_BEHIND),
      encode('DEL', key),
      encode('SET', key, '', 'PX', SHORT),
    ])
    if (written.some(isErrorReply)) return undefined
    await delay(5 * SHORT)
    // Whoever looks for a key that is over its time makes Redis notice.
    const [over] = await exchange(probe, [encode('EXISTS', key)])
    if (isErrorReply(over)) return undefined
    await caughtUp(life)
    // It stands where Redis' clock has been set back: no event tells of what has not happened.
    return over === 0 ? { tracking, events } : undefined
  } catch (error) {
    if (redisTrouble(error, server).code === 'redis_refused') return undefined
    throw error
  } finally {
    heard.unsubscribe()
  }
}

import { Observable } from 'rxjs'
import { steadyTime } from '../clock.js'
import type { Life } from '../redis/life.js'
import { EPOCH } from '../redis/marks.js'
import { encode, exchange, isErrorReply } from '../redis/wire.js'

const CHANNEL = '__redis__:invalidate'

/**
 * Asks Redis to announce flushes, and every write to a key that begins with one of `prefixes`, to the subscriber of this life. Rejects if
 * client tracking is not to be had.
 */
export async function trackFlushes(
  { bulk, ears, earsId = 0 }: Pick<Life, 'bulk' | 'ears' | 'earsId'>,
  prefixes: readonly string[] = [],
): Promise<void> {
  await ears.subscribe(CHANNEL)
  const all = outermost([EPOCH, ...prefixes]).flatMap((prefix) => ['PREFIX', prefix])
  // What `bulk` itself writes is not announced, and TS.INFO counts as a write; only what its scripts write is.
  const on = encode('CLIENT', 'TRACKING', 'ON', 'REDIRECT', earsId, 'BCAST', ...all, 'NOLOOP')
  // What is on already cannot be switched on once more with the same prefixes.
  const replies = await exchange(bulk, [encode('CLIENT', 'TRACKING', 'OFF'), on])
  const refusal = replies.find(isErrorReply)
  if (refusal) throw refusal
}

/**
 * Emits the time whenever Redis announces a flush: client tracking sends an invalidation without keys. FLUSHALL sends no keyspace
 * event at all. Another database's FLUSHDB sends the same, so this is a suspicion only.
 */
export function watchFlushes({ ears }: Pick<Life, 'ears'>): Observable<number> {
  return new Observable((out) => {
    const onMessage = (channel: Buffer, payload: Buffer | null): void => {
      // `message` would turn the null into an empty text; `messageBuffer` tells the truth.
      if (channel.toString() === CHANNEL && payload === null) out.next(steadyTime())
    }
    ears.on('messageBuffer', onMessage)
    return () => ears.off('messageBuffer', onMessage)
  })
}

/** Emits the keys that were written to, by others and by our own heals. */
export function watchWrites({ ears }: Pick<Life, 'ears'>): Observable<readonly string[]> {
  return new Observable((out) => {
    const onMessage = (channel: Buffer, payload: unknown): void => {
      if (channel.toString() === CHANNEL && Array.isArray(payload)) out.next(payload.map(String))
    }
    ears.on('messageBuffer', onMessage)
    return () => ears.off('messageBuffer', onMessage)
  })
}

/** Resolves when all that Redis has announced until now is in. */
export async function caughtUp({ ears }: Pick<Life, 'ears'>): Promise<void> {
  // Confirmed again, in order with what is announced; PING would be one more right to ask for.
  await ears.subscribe(CHANNEL)
}

/** Redis refuses prefixes of which one begins with another: the shorter ones cover the rest. */
function outermost(prefixes: readonly string[]): string[] {
  const all = [...new Set(prefixes)]
  return all.filter((prefix) => !all.some((other) => other !== prefix && prefix.startsWith(other)))
}

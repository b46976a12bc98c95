import { Observable } from 'rxjs'
import type { Life } from '../redis/life.js'
import { EPOCH } from '../redis/marks.js'
import { ask } from '../redis/wire.js'

const CHANNEL = '__redis__:invalidate'

/** Asks Redis to announce flushes to the subscriber of this life. Rejects if client tracking is not to be had. */
export async function trackFlushes({
  probe,
  ears,
  earsId = 0,
}: Pick<Life, 'probe' | 'ears' | 'earsId'>): Promise<void> {
  await ears.subscribe(CHANNEL)
  await ask(probe, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', earsId, 'BCAST', 'PREFIX', EPOCH, 'NOLOOP')
}

/**
 * Emits the time whenever Redis announces a flush: client tracking sends an invalidation without keys. FLUSHALL sends no keyspace
 * event at all. Another database's FLUSHDB sends the same, so this is a suspicion only.
 */
export function watchFlushes({ ears }: Pick<Life, 'ears'>): Observable<number> {
  return new Observable((out) => {
    const onMessage = (channel: Buffer, payload: Buffer | null): void => {
      // `message` would turn the null into an empty text; `messageBuffer` tells the truth.
      if (channel.toString() === CHANNEL && payload === null) out.next(Date.now())
    }
    ears.on('messageBuffer', onMessage)
    return () => ears.off('messageBuffer', onMessage)
  })
}

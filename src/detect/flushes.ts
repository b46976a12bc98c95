import { Observable } from 'rxjs'
import type { Life } from '../redis/life.js'
import { EPOCH } from '../redis/marks.js'
import { ask } from '../redis/wire.js'

const CHANNEL = '__redis__:invalidate'

/**
 * Emits the time whenever Redis announces a flush: client tracking sends an invalidation without keys. FLUSHALL sends no keyspace
 * event at all. Another database's FLUSHDB sends the same, so this is a suspicion only. Errors if tracking is not to be had.
 */
export function watchFlushes({ probe, ears }: Pick<Life, 'probe' | 'ears'>): Observable<number> {
  return new Observable((out) => {
    const onMessage = (channel: Buffer, payload: Buffer | null): void => {
      // `message` would turn the null into an empty text; `messageBuffer` tells the truth.
      if (channel.toString() === CHANNEL && payload === null) out.next(Date.now())
    }
    ears.on('messageBuffer', onMessage)
    const start = async (): Promise<void> => {
      const id = Number(await ears.client('ID'))
      await ears.subscribe(CHANNEL)
      await ask(probe, 'CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', EPOCH, 'NOLOOP')
    }
    start().catch((error: unknown) => out.error(error))
    return () => ears.off('messageBuffer', onMessage)
  })
}

import { Observable } from 'rxjs'
import { steadyTime } from '../clock.js'
import { extendNotifyFlags } from '../decide/notify-flags.js'
import type { Life } from '../redis/life.js'
import { ask } from '../redis/wire.js'

export interface KeyEvent {
  readonly event: string
  readonly key: string
  readonly at: number
}

/**
 * The events that can mean that a key of ours is gone or is another. `set`, `restore` and `rename_to` write over any type;
 * `overwritten` and `type_changed` say so from Redis 8.2 on. What workers do all day (`ts.add`, `hset`, `zadd`) is not subscribed to.
 */
export const SUSPICIOUS_EVENTS = [
  'del',
  'unlink',
  'evicted',
  'expired',
  'rename_from',
  'rename_to',
  'move_from',
  'set',
  'restore',
  'copy_to',
  'overwritten',
  'type_changed',
] as const

/**
 * Subscribes to the suspicious events of the life's database and has the server announce them. Rejects if that cannot be asked of
 * it; what it announces anyway still arrives.
 */
export async function announceKeyEvents({
  probe,
  ears,
  database,
}: Pick<Life, 'probe' | 'ears' | 'database'>): Promise<void> {
  await ears.subscribe(...SUSPICIOUS_EVENTS.map((event) => channelPrefix(database) + event))
  const setting = (await ask(probe, 'CONFIG', 'GET', 'notify-keyspace-events')) as string[]
  const flags = extendNotifyFlags(setting[1] ?? '')
  if (flags !== undefined) await ask(probe, 'CONFIG', 'SET', 'notify-keyspace-events', flags)
}

/** Emits suspicious events, on any key of the life's database. */
export function watchKeyEvents({ ears, database }: Pick<Life, 'ears' | 'database'>): Observable<KeyEvent> {
  const prefix = channelPrefix(database)
  return new Observable((out) => {
    const onMessage = (channel: string, key: string): void => {
      if (channel.startsWith(prefix)) out.next({ event: channel.slice(prefix.length), key, at: steadyTime() })
    }
    ears.on('message', onMessage)
    return () => ears.off('message', onMessage)
  })
}

function channelPrefix(database: number): string {
  return `__keyevent@${database}__:`
}

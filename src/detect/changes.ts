import pgListen from 'pg-listen'
import { Observable } from 'rxjs'
import { type Change, parseAnnouncement, pingPayload } from '../decide/announcement.js'
import { clientConfig } from '../postgres/database.js'
import { postgresTrouble } from '../postgres/trouble.js'

/** What the listener tells. `listening` comes when LISTEN is committed and a notification of our own has come back. */
export type Heard =
  | { readonly kind: 'listening' }
  | { readonly kind: 'change'; readonly change: Change; readonly at: number }
  | { readonly kind: 'foreign'; readonly payload: string }

/** How often the listener sends itself a notification, and how long that, or to begin, may take, in ms. */
const BEAT = 15_000
const LIMIT = 5_000

export interface ListenOptions {
  readonly url: string
  readonly server: string
  readonly channel: string
  /** How often the listener sends itself a notification, in ms; 15 s unless given. */
  readonly beat?: number
  /** How long that may take, and how long to connect and listen, in ms; 5 s unless given. */
  readonly limit?: number
}

/**
 * One session of LISTEN: errors with a Trouble when the connection breaks or falls silent, so that the caller opens the next and
 * treats what lies between as a gap.
 *
 * pg-listen could reconnect by itself, but would give up for good after `retryTimeout`, and its own check waits for ever on a
 * half-open socket. So it gets one attempt (`retryLimit: 1` is none after the first). The heartbeat runs the whole way, NOTIFY to callback, and so finds both, and a PgBouncer that swallows LISTEN.
 */
export function listen({ url, server, channel, beat = BEAT, limit = LIMIT }: ListenOptions): Observable<Heard> {
  return new Observable<Heard>((out) => {
    const subscriber = pgListen.default(clientConfig(url), {
      paranoidChecking: false,
      retryLimit: 1,
      parse: String,
      serialize: String,
    })
    const fail = (error: unknown): void => out.error(postgresTrouble(error, server))
    // pg-listen reports a lost connection by its own attempt, that we forbid, to make another.
    const lost = (): void => fail(new Error('the connection that listens was lost'))
    const giveUp = (): NodeJS.Timeout => setTimeout(() => fail(new Error(DEAF)), limit)
    let next: NodeJS.Timeout | undefined
    let patience = giveUp()
    let expected = ''
    let listening = false

    const ping = (): void => {
      expected = `${process.pid}-${Date.now()}-${Math.random()}`
      clearTimeout(patience)
      patience = giveUp()
      subscriber.notify(channel, pingPayload(expected)).catch(fail)
    }
    const pong = (): void => {
      clearTimeout(patience)
      next = setTimeout(ping, beat)
      if (!listening) out.next({ kind: 'listening' })
      listening = true
    }
    subscriber.events.on('error', lost)
    subscriber.notifications.on(channel, (payload: unknown) => {
      const announcement = parseAnnouncement(String(payload ?? ''))
      if (!announcement) out.next({ kind: 'foreign', payload: String(payload ?? '').slice(0, 100) })
      else if (!('ping' in announcement)) out.next({ kind: 'change', change: announcement, at: Date.now() })
      else if (announcement.ping === expected) pong()
    })
    subscriber
      .connect()
      .then(() => subscriber.listenTo(channel))
      .then(ping)
      .catch(fail)
    return () => {
      clearTimeout(next)
      clearTimeout(patience)
      // Ending a connection that is already broken may fail; it is gone either way.
      subscriber.close().catch(() => undefined)
    }
  })
}

const DEAF =
  'notifications do not arrive on the listening connection; through PgBouncer, LISTEN needs session pooling or a direct connection'

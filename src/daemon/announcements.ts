import { auditTime, buffer, concatMap, filter, ignoreElements, type Observable, share } from 'rxjs'
import { Trouble } from '../errors.js'
import type { Life } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import { encode, exchange, isErrorReply } from '../redis/wire.js'
import type { Conditions } from '../report/conditions.js'
import type { LogEvent } from '../report/events.js'

/** The channel on which workers hear which symbols have become whole and which have been lost. */
export const CHANNEL = 'rekindle:events'

export interface AnnouncementsContext {
  /** `host:port/db` of Redis. */
  readonly server: string
  readonly conditions: Conditions
  /** Everything that is emitted. */
  readonly events: Observable<LogEvent>
}

type Announced = Extract<LogEvent, { event: 'symbol_ready' | 'symbol_lost' }>

/**
 * Tells the workers on the Redis channel, as JSON `{"event":"ready","symbol":"BTCUSDT","at":<epoch ms>}` or `"lost"`. The hash
 * `rekindle:ready` is what counts: whoever was not listening has missed it. Never emits, never errors.
 */
export function announce({ probe }: Life, { server, conditions, events }: AnnouncementsContext): Observable<never> {
  const news = events.pipe(filter(isAnnounced), share())
  return news.pipe(
    buffer(news.pipe(auditTime(0))),
    concatMap(async (some) => {
      try {
        const replies = await exchange(
          probe,
          some.map((event) => encode('PUBLISH', CHANNEL, messageOf(event))),
        )
        const refused = replies.find(isErrorReply)
        if (refused) throw refused
        conditions.worked('events')
      } catch (error) {
        const { code, message, passing } = redisTrouble(error, server)
        const reason = `workers do not hear on ${CHANNEL} which symbols are whole (${message})`
        const trouble = new Trouble(code, reason, `allow +publish and the channel &${CHANNEL} to the user`, passing)
        if (!endsLife(trouble)) conditions.failed('events', trouble)
      }
    }),
    ignoreElements(),
  )
}

function isAnnounced(event: LogEvent): event is Announced {
  return event.event === 'symbol_ready' || event.event === 'symbol_lost'
}

function messageOf({ event, symbol }: Announced): string {
  return JSON.stringify({ event: event === 'symbol_ready' ? 'ready' : 'lost', symbol, at: Date.now() })
}

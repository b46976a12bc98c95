import pgListen from 'pg-listen'
import { Observable } from 'rxjs'
import { steadyTime } from '../clock.js'
import { serverName } from '../config/redact.js'
import { type Change, parseAnnouncement, pingPayload } from '../decide/announcement.js'
import { Trouble } from '../errors.js'
import { clientConfig } from '../postgres/database.js'
import { quoteIdent, quoteLiteral } from '../postgres/identifiers.js'
import { postgresTrouble } from '../postgres/trouble.js'

/**
 * What the listener tells. `listening` comes when LISTEN is committed and a notification of another session has arrived; `echo` for
 * each ping that is not its own.
 */
export type Heard =
  | { readonly kind: 'listening' }
  | { readonly kind: 'change'; readonly change: Change; readonly at: number }
  | { readonly kind: 'foreign'; readonly payload: string }
  | { readonly kind: 'echo'; readonly ping: string }

/** How often the listener has a notification sent to it, and how long that, or to begin, may take, in ms. */
const BEAT = 15_000
const LIMIT = 5_000
/** The first notification is waited for no longer than this, in ms, before the connection is asked about it: the first look waits for it. */
const FIRST = 500

export interface ListenOptions {
  readonly url: string
  readonly server: string
  readonly channel: string
  /** Runs a statement in another session of the database whose changes are to be heard. */
  readonly notify: (sql: string) => Promise<unknown>
  /** How often a notification is sent that must arrive, in ms; 15 s unless given. */
  readonly beat?: number
  /** How long that may take, and how long to connect and listen, in ms; 5 s unless given. */
  readonly limit?: number
}

/**
 * One session of LISTEN: errors with a Trouble when the connection breaks, falls silent or is deaf, so that the caller opens the next
 * and treats what lies between as a gap.
 *
 * pg-listen could reconnect by itself, but would give up for good after `retryTimeout`, and its own check waits for ever on a
 * half-open socket. So it gets one attempt (`retryLimit: 1` is none after the first).
 *
 * The heartbeat is sent by another session: one that we sent ourselves would come back through a pooler that has long given the
 * session which listens to others.
 */
export function listen(options: ListenOptions): Observable<Heard> {
  return new Observable<Heard>((out) => {
    const session = new ListeningSession(options, {
      next: (heard) => out.next(heard),
      error: (error) => out.error(postgresTrouble(error, options.server)),
    })
    session.open()
    return () => session.close()
  })
}

class ListeningSession {
  private readonly subscriber: ReturnType<typeof pgListen.default>
  private readonly beat: number
  private readonly limit: number
  private next: NodeJS.Timeout | undefined
  private patience: NodeJS.Timeout | undefined
  /** The ping that is to arrive; '' while none is on its way. */
  private expected = ''
  /** True once another session was heard. */
  private hears = false

  constructor(
    private readonly options: ListenOptions,
    private readonly out: { next(heard: Heard): void; error(error: unknown): void },
  ) {
    this.beat = options.beat ?? BEAT
    this.limit = options.limit ?? LIMIT
    this.subscriber = pgListen.default(clientConfig(options.url), {
      paranoidChecking: false,
      retryLimit: 1,
      parse: String,
      serialize: String,
    })
  }

  open(): void {
    const { subscriber } = this
    const { channel } = this.options
    // pg-listen reports a lost connection by its own attempt, that we forbid, to make another.
    subscriber.events.on('error', () => this.out.error(new Error('the connection that listens was lost')))
    subscriber.notifications.on(channel, (payload: unknown) => this.take(String(payload ?? '')))
    this.expect(() => this.out.error(new Error(SILENT)))
    subscriber
      .connect()
      .then(() => subscriber.listenTo(channel))
      .then(() => this.ping())
      .catch((error: unknown) => this.out.error(error))
  }

  close(): void {
    clearTimeout(this.next)
    clearTimeout(this.patience)
    // Ending a connection that is already broken may fail; it is gone either way.
    this.subscriber.close().catch(() => undefined)
  }

  private take(payload: string): void {
    const announcement = parseAnnouncement(payload)
    if (!announcement) this.out.next({ kind: 'foreign', payload: payload.slice(0, 100) })
    else if (!('ping' in announcement)) this.out.next({ kind: 'change', change: announcement, at: steadyTime() })
    else if (announcement.ping === this.expected) this.pong()
    else this.out.next({ kind: 'echo', ping: announcement.ping })
  }

  /** Has another session send what must arrive here. */
  private async ping(): Promise<void> {
    const { channel, notify } = this.options
    const ping = token()
    this.expected = ping
    this.expect(() => this.out.error(new Error(SILENT)))
    try {
      await notify(`NOTIFY ${quoteIdent(channel)}, ${quoteLiteral(pingPayload(ping))}`)
    } catch (error) {
      if (!this.hears) throw error
      // That this session hears others is known; whether it still stands, it can tell itself.
      await this.subscriber.notify(channel, pingPayload(ping))
    }
    if (this.expected === ping) this.expect(() => void this.doubt(ping), this.hears ? this.limit : FIRST)
  }

  private pong(): void {
    clearTimeout(this.patience)
    this.expected = ''
    this.next = setTimeout(() => {
      this.ping().catch((error: unknown) => this.out.error(error))
    }, this.beat)
    if (!this.hears) this.out.next({ kind: 'listening' })
    this.hears = true
  }

  /**
   * Asks the connection for an answer, before which the server sends whatever waits for this session: after it, a ping that has not
   * arrived never will.
   */
  private async doubt(ping: string): Promise<void> {
    const { channel, url } = this.options
    this.expect(() => this.out.error(new Error(SILENT)))
    try {
      await this.subscriber.notify(channel, pingPayload(token()))
      if (this.expected !== ping) return
      // The session that listens is another client's by now; where we still meet it, it need not go on.
      await this.subscriber.unlisten(channel)
      this.out.error(deaf(`the connection to ${serverName(url)} that listens`))
    } catch (error) {
      this.out.error(error)
    }
  }

  private expect(orElse: () => void, limit = this.limit): void {
    clearTimeout(this.patience)
    this.patience = setTimeout(orElse, Math.min(limit, this.limit))
  }
}

const SILENT = 'notifications do not arrive on the listening connection'

function deaf(which: string): Trouble {
  return new Trouble(
    'postgres_pooler',
    `${which} is deaf: what other sessions notify does not arrive, as through a pooler in transaction mode; changes are found by polling`,
    'postgres.listen_url (DATABASE_LISTEN_URL) should lead to the database of postgres.url directly, or through pool_mode = session',
    false,
  )
}

export function token(): string {
  return `${process.pid}-${Date.now()}-${Math.random()}`
}

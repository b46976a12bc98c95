import { pingPayload } from '../decide/announcement.js'
import { quoteIdent, quoteLiteral } from '../postgres/identifiers.js'
import { token } from './changes.js'

/** How long a notification of our own may take to come back, in ms. */
const LIMIT = 5_000

/**
 * Finds out whether everything has been heard that was committed before a moment. PostgreSQL delivers notifications in the order of
 * their commits, so behind one that is sent after that moment nothing from before can still be on its way.
 */
export class Echoes {
  private readonly waiting = new Map<string, (came: boolean) => void>()

  /** `send` runs a statement in another session than the one that listens. */
  constructor(
    private readonly channel: string,
    private readonly send: (sql: string) => Promise<unknown>,
  ) {}

  /** True if all that was committed before this call has been heard by now; false if that cannot be told. */
  async caughtUp(): Promise<boolean> {
    const ping = token()
    const back = new Promise<boolean>((resolve) => this.waiting.set(ping, resolve))
    const patience = setTimeout(() => this.settle(ping, false), LIMIT)
    const sql = `NOTIFY ${quoteIdent(this.channel)}, ${quoteLiteral(pingPayload(ping))}`
    // What cannot be sent does not come back; the database's own condition tells why.
    this.send(sql).catch(() => this.settle(ping, false))
    return back.finally(() => clearTimeout(patience))
  }

  /** A ping has come back. */
  came(ping: string): void {
    this.settle(ping, true)
  }

  /** The session that listens has ended: what was sent will not be heard. */
  lost(): void {
    for (const ping of [...this.waiting.keys()]) this.settle(ping, false)
  }

  private settle(ping: string, came: boolean): void {
    this.waiting.get(ping)?.(came)
    this.waiting.delete(ping)
  }
}

import { catchError, type Observable } from 'rxjs'
import { steadyTime } from '../clock.js'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import { hasTriggers } from '../decide/change-sources.js'
import { type Heard, listen } from '../detect/changes.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'
import type { Catalog } from '../postgres/trigger-catalog.js'
import type { Conditions } from '../report/conditions.js'

/** What tells of changes as they are committed. */
export interface HeardSource {
  readonly kind: 'triggers' | 'wal'
  /** One session: `listening` when nothing more will be missed, then changes; errors with a Trouble when it breaks. */
  open(): Observable<Heard>
}

/** The WAL as a source of changes. */
export interface WalSource {
  /** Why it cannot be read; undefined if it can. Asked before each session and every few seconds, so it should be cheap. */
  hindrance(): Promise<Trouble | undefined>
  open(): Observable<Heard>
}

export interface ChoiceContext {
  readonly config: Config
  /** `host:port/database`. */
  readonly server: string
  readonly db: Database
  readonly conditions: Conditions
  /** Absent where this Rekindle cannot read the WAL. */
  readonly wal?: WalSource
}

/**
 * After the WAL could not be read for a reason of its own, it is not tried again for so long, in ms: doubling from the first to the last,
 * since each attempt leaves what is listened to meanwhile.
 */
const WAL_AGAIN = 60_000
const WAL_AGAIN_LAST = 3_600_000

/** Chooses what to listen to, by `sync.source` and what is there. */
export class SourceChoice {
  private walAgainAt = Number.NEGATIVE_INFINITY
  private walPatience = WAL_AGAIN
  private walLostAt = Number.NEGATIVE_INFINITY
  /** What became of the WAL when it was last chosen. */
  private walState: 'none' | 'tried' | 'read' = 'none'

  constructor(private readonly context: ChoiceContext) {}

  /** What to open next; undefined where everything is to be polled. `catalog` is undefined where it cannot be read. */
  async choose(catalog: Catalog | undefined): Promise<HeardSource | undefined> {
    const { source } = this.context.config.sync
    if (source === 'poll') return undefined
    if (source === 'triggers') return this.triggers()
    const isWanted = source === 'wal' || (catalog !== undefined && !hasTriggers(catalog.sources))
    return (isWanted ? await this.readableWal(source === 'wal') : undefined) ?? this.triggers()
  }

  /** A session of this kind is listening. */
  worked(kind: HeardSource['kind']): void {
    this.context.conditions.worked(kind === 'wal' ? 'wal' : 'listener')
    if (kind === 'wal') {
      this.context.conditions.worked('listener')
      this.walState = 'read'
      this.walPatience = WAL_AGAIN
    }
  }

  /** A session of this kind has broken. */
  failed(kind: HeardSource['kind'], trouble: Trouble): void {
    // Where nobody asked for it, what it never had is no loss.
    const isNoLoss = kind === 'wal' && this.walState === 'tried' && this.context.config.sync.source === 'auto'
    if (kind === 'wal') this.giveUpWal()
    if (!isNoLoss) this.context.conditions.failed(kind === 'wal' ? 'wal' : 'listener', trouble)
  }

  /** A session that is lost now and then is opened again at once, and a server that is away is no failure of its WAL. */
  private giveUpWal(): void {
    const now = steadyTime()
    if (this.walState === 'read' && now - this.walLostAt > WAL_AGAIN) this.walLostAt = now
    else if (this.walState !== 'none') {
      this.walAgainAt = now + this.walPatience
      this.walPatience = Math.min(WAL_AGAIN_LAST, 2 * this.walPatience)
    }
    this.walState = 'none'
  }

  private triggers(): HeardSource {
    const { config, server, db } = this.context
    const { url, listen_url = url } = config.postgres
    return {
      kind: 'triggers',
      open: () =>
        listen({
          url: listen_url,
          server: listen_url === url ? server : serverName(listen_url),
          channel: config.sync.channel,
          notify: (sql) => db.query(sql, []),
        }).pipe(
          catchError((error: Trouble) => {
            throw listen_url === url ? error : ofListenUrl(error)
          }),
        ),
    }
  }

  private async readableWal(isDemanded: boolean): Promise<HeardSource | undefined> {
    const { wal, conditions } = this.context
    if (steadyTime() < this.walAgainAt) return undefined
    const hindrance = wal ? await wal.hindrance() : NO_WAL
    if (wal && !hindrance) {
      const open = (): Observable<Heard> => {
        this.walState = 'tried'
        return wal.open()
      }
      return { kind: 'wal', open }
    }
    // Where nobody asked for it, it is no loss.
    if (isDemanded && hindrance) conditions.failed('wal', hindrance)
    return undefined
  }
}

/** The mend of what is wrong with the listener's own address. */
function ofListenUrl({ code, message, hint, passing }: Trouble): Trouble {
  const mend = hint.replaceAll('postgres.url (DATABASE_URL)', 'postgres.listen_url (DATABASE_LISTEN_URL)')
  return new Trouble(code, message, `${mend}; changes are polled for meanwhile`, passing)
}

const NO_WAL = new Trouble(
  'unexpected',
  'this Rekindle cannot read the WAL; it listens to the triggers and polls instead',
  'set sync.source to auto, triggers or poll',
  false,
)

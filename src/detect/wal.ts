import { Observable } from 'rxjs'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { Hints } from '../decide/wal-hints.js'
import { Places } from '../decide/wal-places.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'
import { suitablePublication } from '../postgres/publication.js'
import { Replication } from '../postgres/replication.js'
import type { WatchedTarget } from '../postgres/wal-tables.js'
import { walTrouble } from '../postgres/wal-trouble.js'
import { visibleOf } from '../postgres/wal-visible.js'
import type { Heard } from './changes.js'
import { byPgoutput, byTestDecoding, type Decoding } from './wal-decoding.js'
import { WalNews } from './wal-news.js'
import { WalTables } from './wal-tables.js'

export interface WalOptions {
  readonly config: Config
  /** Leads to the server directly: no pooler lets replication through. */
  readonly url: string
  /** `host:port/database`. */
  readonly server: string
  /** Another session of the same database, by which rows will be read. */
  readonly db: Database
  /** In another way than what is there would have it. */
  readonly decoding?: Decoding
  /** Told the name of the slot once it stands, and how it is read. */
  readonly onSlot?: (slot: string, decoding: Decoding) => void
  /** As for {@link Replication}. */
  readonly beat?: number
  readonly limit?: number
}

/** How often the catalog is looked at, and how soon again, in ms. */
const LOOK = 10_000
const LOOK_AGAIN = 1_000
/** How soon it is asked again whether a commit is visible: doubling from the first to the last, in ms. */
const VISIBLE_FIRST = 2
const VISIBLE_LAST = 250
/** What concerns nobody is looked at no more often than this, in ms. */
const IDLE = 100
/** More commits than this that are not visible yet are kept together. */
const MOST_PENDING = 1_000

/**
 * One session that reads the WAL: what was changed by whom, in whatever way, a few ms after it is visible. Errors with a Trouble when
 * it breaks, so that the caller opens the next, or another source, and treats what lies between as a gap.
 *
 * What the WAL holds is only a hint of which rows to read again.
 */
export function watchWal(options: WalOptions): Observable<Heard> {
  return new Observable<Heard>((out) => {
    const session = new WalSession(options, {
      next: (heard) => out.next(heard),
      error: (error) => out.error(walTrouble(error, options.server)),
    })
    session.open().catch((error: unknown) => out.error(walTrouble(error, options.server)))
    return () => session.close()
  })
}

class WalSession {
  private readonly tables: WalTables
  private readonly news: WalNews
  private readonly places = new Places()
  private decoding: Decoding | undefined
  private replication: Replication | undefined
  /** What the transaction that is coming in has changed. */
  private current: Hints<WatchedTarget> | undefined
  /** What has been committed and is not known to be visible. */
  private pending: Hints<WatchedTarget>[] = []
  private isSettling = false
  private settling: NodeJS.Timeout | undefined
  private wake = (): void => undefined
  private looking: NodeJS.Timeout | undefined
  private isLooking = false
  private lookedAt = 0
  private isClosed = false

  constructor(
    private readonly options: WalOptions,
    private readonly out: { next(heard: Heard): void; error(error: unknown): void },
  ) {
    const { config, db } = options
    this.tables = new WalTables(config, db)
    this.news = new WalNews(db, (change, at) => {
      if (!this.isClosed) out.next({ kind: 'change', change, at })
    })
  }

  async open(): Promise<void> {
    const { url, server, onSlot, beat, limit } = this.options
    await this.tables.look()
    const publication = await this.publication()
    if (this.isClosed) return
    const decoding = this.options.decoding ?? (publication === undefined ? byTestDecoding() : byPgoutput(publication))
    this.decoding = decoding
    this.replication = new Replication({
      url,
      server,
      plugin: decoding.plugin,
      take: (data) => this.take(data),
      fail: (error) => this.fail(error),
      ...(beat !== undefined && { beat }),
      ...(limit !== undefined && { limit }),
    })
    await this.replication.open()
    if (this.isClosed) return
    this.lookIn(LOOK)
    onSlot?.(this.replication.slot, decoding)
    this.out.next({ kind: 'listening' })
  }

  close(): void {
    this.isClosed = true
    this.replication?.close()
    this.news.close()
    clearTimeout(this.looking)
    clearTimeout(this.settling)
    this.wake()
  }

  private fail(error: unknown): void {
    if (this.isClosed) return
    this.close()
    this.out.error(error)
  }

  private take(data: Buffer): void {
    const message = this.decoding?.parse(data, (table) => this.tables.get(table)?.columns)
    switch (message?.kind) {
      case 'begin':
        this.current = new Hints(message.xid, 0)
        return
      case 'commit':
        this.committed()
        return
      case 'other':
        this.current?.addOther(message.table)
        return
      case 'any':
        for (const table of message.tables) this.changed(table)
        return
      case 'insert':
      case 'update':
      case 'delete': {
        const table = this.tables.get(message.table)
        if (!table) this.current?.addOther(message.table)
        else for (const hint of this.places.take(message, table)) this.current?.add(hint)
      }
    }
  }

  private changed(name: string): void {
    const table = this.tables.get(name)
    if (!table) this.current?.addOther(name)
    else for (const hint of this.places.takeAll(table)) this.current?.add(hint)
  }

  private committed(): void {
    if (!this.current) return
    const hints = this.current
    this.current = undefined
    hints.at = steadyTime()
    if (hints.isIdle && hints.others.size === 0) return
    hints.isUrgent = !hints.isIdle || !this.tables.ignores(hints.others)
    const last = this.pending.at(-1)
    if (last && this.pending.length >= MOST_PENDING) last.merge(hints)
    else this.pending.push(hints)
    if (hints.isUrgent) this.settleNow()
    else this.settleSoon()
  }

  private settleNow(): void {
    this.wake()
    this.settle().catch((error: unknown) => this.fail(error))
  }

  /** A table of no interest may have become a part of one that is, so these are looked at, too; but others may write to it all the time. */
  private settleSoon(): void {
    this.settling ??= setTimeout(() => {
      this.settling = undefined
      this.settleNow()
    }, IDLE)
  }

  /** Tells what has become visible, until nothing is left that has not. */
  private async settle(): Promise<void> {
    if (this.isSettling) return
    this.isSettling = true
    try {
      for (let wait = VISIBLE_FIRST; this.pending.length > 0 && !this.isClosed; ) {
        const arrived = new Promise<void>((resolve) => {
          this.wake = resolve
        })
        const visible = await visibleOf(
          this.options.db,
          this.pending.flatMap(({ xids }) => xids),
        )
        const isVisible = ({ xids }: Hints): boolean => xids.every((xid) => visible.has(xid))
        const ready = this.pending.filter(isVisible)
        this.pending = this.pending.filter((hints) => !isVisible(hints))
        if (ready.length > 0) await this.told(ready)
        if (!this.pending.some(({ isUrgent }) => isUrgent)) break
        if (ready.length === 0) await Promise.race([arrived, delay(wait)])
        wait = ready.length > 0 ? VISIBLE_FIRST : Math.min(VISIBLE_LAST, 2 * wait)
      }
    } finally {
      this.isSettling = false
    }
    if (this.pending.length > 0 && !this.isClosed) this.settleSoon()
  }

  private async told([first, ...rest]: Hints<WatchedTarget>[]): Promise<void> {
    if (!first) return
    for (const hints of rest) first.merge(hints)
    for (const dataset of this.tables.doubt(first.others)) first.addAll(dataset)
    if (first.isCrowded) for (const dataset of this.tables.datasets) first.addAll(dataset)
    if (this.tables.isUnsure) this.lookIn(Math.max(0, this.lookedAt + LOOK_AGAIN - steadyTime()))
    await this.news.of(first)
  }

  /** One that tells everything: this one, or any. */
  private publication(only?: string): Promise<string | undefined> {
    return suitablePublication(this.tables.all, (sql, values) => this.options.db.query(sql, values), only)
  }

  private lookIn(wait: number): void {
    if (this.isClosed) return
    clearTimeout(this.looking)
    this.looking = setTimeout(() => void this.look(), wait)
  }

  private async look(): Promise<void> {
    if (this.isLooking) return
    this.isLooking = true
    const at = steadyTime()
    try {
      for (const dataset of await this.tables.look()) this.news.all(dataset, at)
      const { publication } = this.decoding ?? {}
      if (publication !== undefined && (await this.publication(publication)) === undefined)
        this.fail(untold(this.options.server, publication))
    } catch {
      // The database's own condition tells of a server that is away; it is looked again.
    }
    this.isLooking = false
    this.lookedAt = steadyTime()
    this.lookIn(this.tables.isUnsure ? LOOK_AGAIN : LOOK)
  }
}

/** What it left out until now is caught up with by the next session. */
function untold(server: string, publication: string): Trouble {
  const reason = `PostgreSQL ${server}: the publication ${publication} no longer tells all changes`
  return new Trouble('postgres_wal', reason, 'ALTER PUBLICATION; without one that does, test_decoding is used', true)
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}

import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { wallTime } from '../clock.js'
import { clientConfig } from './database.js'
import { quoteIdent, quoteLiteral } from './identifiers.js'
import { pinOwn } from './settings.js'
import { walTrouble } from './wal-trouble.js'

/** An output plugin, with its options. */
export interface OutputPlugin {
  readonly name: 'test_decoding' | 'pgoutput'
  readonly options: Readonly<Record<string, string>>
}

export interface ReplicationOptions {
  readonly url: string
  /** `host:port/database`, for errors. */
  readonly server: string
  readonly plugin: OutputPlugin
  /** Given each message of the plugin; what it holds lasts until this returns. */
  readonly take: (data: Buffer) => void
  /** Told once, with a Trouble, when the session breaks after it was open. */
  readonly fail: (error: unknown) => void
  /** How often the server is asked for a sign of life, in ms; 10 s unless given. */
  readonly beat?: number
  /** How long each step, and the server's silence, may last, in ms; 10 s unless given. */
  readonly limit?: number
}

/** How the server knows this session, also in synchronous_standby_names. */
export const APPLICATION = 'rekindle_wal'

const BEAT = 10_000
const LIMIT = 10_000
/** How soon it is confirmed what was received, in ms: until then the server keeps the WAL. */
const CONFIRM = 1_000
/** Microseconds of the protocol count from 2000. */
const EPOCH_2000 = 946_684_800_000

/** The part of node-postgres that speaks of replication, which its types leave out. */
interface Wire extends NodeJS.EventEmitter {
  readonly stream: { destroy(): void; readonly writable: boolean }
  sendCopyFromChunk(chunk: Buffer): void
  end(): void
}

/**
 * One session that reads the WAL through a temporary slot of its own, which the server drops with the session, however it ends.
 *
 * The protocol, https://www.postgresql.org/docs/current/protocol-replication.html: after START_REPLICATION both sides send CopyData,
 * the server XLogData (`w`) and keepalives (`k`), we what we have received (`r`). That is confirmed at once: whoever reads has lost
 * his place with the session anyhow, and looks at everything again.
 */
export class Replication {
  readonly slot = `rekindle_${process.pid}_${randomBytes(4).toString('hex')}`
  private readonly client: pg.Client
  private readonly wire: Wire
  private readonly beat: number
  private readonly limit: number
  /** As far as we have it. */
  private received = 0n
  private confirmed = 0n
  private readonly timers: NodeJS.Timeout[] = []
  /** While an answer is waited for. */
  private patience: NodeJS.Timeout | undefined
  private isOpen = false
  private isOver = false
  /** Why it broke before it was open. */
  private failure: unknown

  /** Reads the files of TLS that the URL names, and throws where one cannot be read. */
  constructor(private readonly options: ReplicationOptions) {
    this.beat = options.beat ?? BEAT
    this.limit = options.limit ?? LIMIT
    const config = {
      ...clientConfig(options.url),
      application_name: APPLICATION,
      connectionTimeoutMillis: this.limit,
      // The query that reads the WAL never ends.
      query_timeout: 0,
      replication: 'database',
    }
    this.client = new pg.Client(config)
    this.wire = (this.client as pg.Client & { connection: Wire }).connection
    this.client.on('error', (error) => this.fail(error))
    this.client.on('end', () => this.fail(new Error('the connection that reads the WAL was lost')))
  }

  /**
   * Resolves when the slot stands and is read: what is committed from then on arrives, and what was committed before is visible.
   * Rejects with a Trouble, and is over then.
   */
  async open(): Promise<void> {
    const slot = quoteIdent(this.slot)
    const { name } = this.options.plugin
    try {
      await this.within(this.client.connect())
      // Settings of the role must not change how values are written, nor end what takes long by its nature.
      await this.within(this.client.query(pinOwn()))
      // The slot waits for every transaction that is writing; only the server can give that up without leaving a process behind.
      await this.within(this.client.query(`SET statement_timeout = 0; SET lock_timeout = ${this.limit}`))
      const create = `CREATE_REPLICATION_SLOT ${slot} TEMPORARY LOGICAL ${name} NOEXPORT_SNAPSHOT`
      await this.within(this.client.query(create), 2 * this.limit, SLOT_NOT_MADE)
      await this.within(this.start(slot))
    } catch (error) {
      this.close()
      throw walTrouble(this.failure ?? error, this.options.server)
    }
    this.isOpen = true
    this.timers.push(
      setInterval(() => this.confirm(), CONFIRM),
      setInterval(() => this.ask(), this.beat),
    )
  }

  /** Ends it; the server drops the slot. */
  close(): void {
    if (this.isOver) return
    this.isOver = true
    clearTimeout(this.patience)
    for (const timer of this.timers) clearInterval(timer)
    // A goodbye where it can be said; the socket is closed in any case, by which the server learns it too.
    if (this.wire.stream.writable && this.isOpen) this.wire.end()
    const { stream } = this.wire
    setTimeout(() => stream.destroy(), this.isOpen ? 200 : 0).unref()
  }

  private async start(slot: string): Promise<void> {
    const options = Object.entries(this.options.plugin.options).map(
      ([name, value]) => `${quoteIdent(name)} ${quoteLiteral(value)}`,
    )
    await new Promise<void>((resolve, reject) => {
      this.wire.once('replicationStart', () => resolve())
      this.wire.on('copyData', ({ chunk }: { chunk: Buffer }) => this.take(chunk))
      // It ends when the server shuts down, or with an error.
      this.client.query(`START_REPLICATION SLOT ${slot} LOGICAL 0/0 (${options.join(', ')})`).then(
        () => this.fail(new Error('the server has stopped sending its WAL')),
        (error: unknown) => {
          reject(error)
          this.fail(error)
        },
      )
    })
  }

  private take(chunk: Buffer): void {
    if (this.isOver) return
    clearTimeout(this.patience)
    this.patience = undefined
    const kind = chunk[0]
    if (kind === XLOG_DATA) {
      this.advance(chunk.readBigUInt64BE(1))
      try {
        this.options.take(chunk.subarray(XLOG_HEADER))
      } catch (error) {
        this.fail(error)
      }
    } else if (kind === KEEPALIVE) {
      this.advance(chunk.readBigUInt64BE(1))
      if (chunk[17] === 1) this.confirm(true)
    }
  }

  private advance(lsn: bigint): void {
    if (lsn > this.received) this.received = lsn
  }

  /** Confirms what was received, if that is news or the server asks; `asks` has the server answer. */
  private confirm(isDue = false, asks = false): void {
    if (this.isOver || (!isDue && this.received === this.confirmed)) return
    this.confirmed = this.received
    const message = Buffer.alloc(34)
    message.write('r')
    for (const at of [1, 9, 17]) message.writeBigUInt64BE(this.received, at)
    message.writeBigInt64BE(BigInt(wallTime() - EPOCH_2000) * 1_000n, 25)
    message.writeUInt8(asks ? 1 : 0, 33)
    this.wire.sendCopyFromChunk(message)
  }

  /** Asks for a sign of life, and gives up if none comes. */
  private ask(): void {
    this.confirm(true, true)
    this.patience ??= setTimeout(() => {
      this.fail(new Error(`nothing has come on the connection that reads the WAL for ${this.limit} ms`))
    }, this.limit)
  }

  private fail(error: unknown): void {
    if (this.isOver) return
    this.failure ??= error
    if (!this.isOpen) return
    this.close()
    this.options.fail(walTrouble(error, this.options.server))
  }

  private async within<T>(step: Promise<T>, limit = this.limit, orElse?: object): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<never>((_, reject) => {
      const why = new Error(`the connection that reads the WAL did not answer for ${limit} ms`)
      timer = setTimeout(() => reject(Object.assign(why, orElse)), limit)
    })
    try {
      return await Promise.race([step, over])
    } finally {
      clearTimeout(timer)
      // What comes after the limit is of no interest.
      step.catch(() => undefined)
    }
  }
}

/** As PostgreSQL says where a transaction that writes holds it up. */
const SLOT_NOT_MADE = { code: '55P03', message: 'the slot could not be made in time' }
const XLOG_DATA = 'w'.charCodeAt(0)
const KEEPALIVE = 'k'.charCodeAt(0)
/** The kind, two positions and a time. */
const XLOG_HEADER = 1 + 3 * 8

import { open } from 'node:fs/promises'
import { CorruptRdb, UnknownRdb } from '../backup/rdb-bytes.js'
import { findRdbEnd } from '../backup/rdb-keys.js'
import { Trouble } from '../errors.js'
import { type AofCommand, type AofEnd, type Reading, readAof } from './aof-reader.js'

/** A flush of our database, as an append-only file tells of it. */
export interface Flush {
  /** Where it begins, or the transaction that it is part of: what stands before it is the moment before. */
  readonly offset: number
  /** The newest time noted before it, in epoch ms; only where Redis notes times. */
  readonly at: number | undefined
}

/** A program that flushes again and again must not fill our memory. */
const MOST = 1_000

/**
 * Finds every FLUSHALL, and every FLUSHDB of this database, in one file; oldest first, the newest thousand. One that found nothing to
 * flush, since nothing was written after the one before it, is left out. Memory stays flat, whatever the size of the file. Rejects
 * with a Trouble for a file that begins with a snapshot that cannot be read, with the error of the file system, or with the signal's
 * reason.
 */
export async function findFlushes(
  path: string,
  database: number,
  reading: Reading = {},
): Promise<{ flushes: Flush[] } & AofEnd> {
  const search = new Search(database)
  const start = (await isSnapshot(path)) ? await endOfSnapshot(path, reading) : 0
  const end = await readAof(path, search, { ...reading, start })
  return { flushes: search.flushes, ...end }
}

/** True for a file that begins as an RDB does. */
export async function isSnapshot(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(5), position: 0 })
    return bytesRead === 5 && /^(REDIS|VALKE)$/.test(buffer.toString('latin1'))
  } finally {
    await file.close()
  }
}

async function endOfSnapshot(path: string, { signal }: Reading): Promise<number> {
  try {
    return await findRdbEnd(path, signal)
  } catch (error) {
    if (error instanceof CorruptRdb || error instanceof UnknownRdb) throw withPreamble(path, error)
    throw error
  }
}

class Search {
  readonly flushes: Flush[] = []
  /** The file is read by a client that begins in database 0. */
  private current = 0
  private at: number | undefined
  /** What stands before the first flush may be in an earlier file. */
  private isUnknown = true
  private written = 0
  /** Where the open transaction begins, and whether it flushes. */
  private transaction: number | undefined
  private flushing = false

  constructor(private readonly database: number) {}

  time(at: number): void {
    this.at = at
  }

  command(name: AofCommand, offset: number, database: number | undefined): void {
    switch (name) {
      case 'select':
        this.current = database ?? this.current
        return
      case 'multi':
        this.transaction = offset
        return
      case 'exec':
        // A transaction without its end never took place.
        if (this.flushing) this.found(this.transaction ?? offset)
        this.transaction = undefined
        this.flushing = false
        return
      case 'flushdb':
      case 'flushall':
        if (name === 'flushdb' && this.current !== this.database) return
        if (this.transaction === undefined) this.found(offset)
        else this.flushing = true
        return
      default:
        if (this.current === this.database) this.written++
    }
  }

  private found(offset: number): void {
    if (this.written > 0 || this.isUnknown) this.flushes.push({ offset, at: this.at })
    if (this.flushes.length > MOST) this.flushes.shift()
    this.written = 0
    this.isUnknown = false
  }
}

function withPreamble(path: string, error: Error): Trouble {
  return new Trouble(
    'bad_backup',
    `${path}: the snapshot that it begins with cannot be read: ${error.message}`,
    'bring keys back from a backup: rekindle recover',
    false,
    { cause: error },
  )
}

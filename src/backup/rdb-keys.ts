import { open } from 'node:fs/promises'
import { CorruptRdb, RdbBytes, UnknownRdb } from './rdb-bytes.js'
import { moduleParts, skipValue, typeName } from './rdb-skip.js'

export { CorruptRdb, UnknownRdb } from './rdb-bytes.js'

/** A key in an RDB. */
export interface RdbKey {
  readonly key: Buffer
  /** The number of its database. */
  readonly db: number
  /** As TYPE says, but `module` for the types of modules. */
  readonly type: string
  /** When it expires, in epoch ms. */
  readonly expiresAt: number | undefined
}

/** Keys that are handed on together: a turn of the event loop for each single one would cost more than reading it. */
const BATCH = 1_000

const SLOT_INFO = 244
const FUNCTION = 245
const MODULE_AUX = 247
const IDLE = 248
const FREQ = 249
const AUX = 250
const RESIZE_DB = 251
const EXPIRES_MS = 252
const EXPIRES_S = 253
const SELECT_DB = 254
const END = 255

/**
 * Reads the keys of an RDB file batch by batch, in constant memory and without decoding a value, and checks on the way that the
 * file is whole: it begins as an RDB does, and after its end come the 8 bytes of a checksum and no more. Rejects with CorruptRdb,
 * with UnknownRdb for what is newer than Rekindle, with an error of the file system, or with the signal's reason. `onFunction` is told
 * the name of each library of functions.
 */
export async function* readRdbKeys(
  path: string,
  signal?: AbortSignal,
  onFunction?: OnFunction,
): AsyncGenerator<readonly RdbKey[]> {
  const { end, size } = yield* readRdb(path, signal, onFunction)
  if (size > end) throw new CorruptRdb(`${size - end} bytes follow its end`)
}

/**
 * Finds where the snapshot ends with which an append-only file of Redis 4 to 6 begins: there its commands begin, in bytes. Rejects
 * as {@link readRdbKeys} does.
 */
export async function findRdbEnd(path: string, signal?: AbortSignal): Promise<number> {
  const reading = readRdb(path, signal)
  for (;;) {
    const { done, value } = await reading.next()
    if (done) return value.end
  }
}

type OnFunction = (library: string) => void

/** Yields the keys, and returns where the RDB ends and how long the file is, in bytes. */
async function* readRdb(
  path: string,
  signal: AbortSignal | undefined,
  onFunction: OnFunction = () => undefined,
): AsyncGenerator<readonly RdbKey[], { end: number; size: number }> {
  const file = await open(path)
  try {
    const bytes = new RdbBytes(file, signal)
    const version = await readVersion(bytes)
    yield* readEntries(bytes, onFunction)
    const end = bytes.offset + (version >= 5 ? 8 : 0)
    const { size } = await file.stat()
    if (size < end) throw new CorruptRdb('it ends before its checksum')
    return { end, size }
  } finally {
    await file.close()
  }
}

/** The version of the format in the nine bytes with which an RDB begins. */
async function readVersion(bytes: RdbBytes): Promise<number> {
  await bytes.fill()
  let magic = ''
  for (let i = 0; i < 9; i++) magic += String.fromCharCode(bytes.byte())
  // Valkey 9 and later: the same numbers stand for other types.
  if (/^VALKEY\d{3}$/.test(magic)) throw new UnknownRdb(`it is of Valkey's own format ${magic.slice(-3)}`)
  if (!/^REDIS\d{4}$/.test(magic)) throw new CorruptRdb('it does not begin as an RDB does')
  return Number(magic.slice(5))
}

async function* readEntries(bytes: RdbBytes, onFunction: OnFunction): AsyncGenerator<readonly RdbKey[]> {
  let batch: RdbKey[] = []
  let db = 0
  let expiresAt: number | undefined
  for (;;) {
    if (bytes.isShort) await bytes.fill()
    const code = bytes.byte()
    if (code === END) break
    if (code === SELECT_DB) db = bytes.length()
    else if (code === EXPIRES_MS) expiresAt = bytes.signed(8)
    else if (code === EXPIRES_S) expiresAt = bytes.signed(4) * 1000
    else if (code === FUNCTION) onFunction(libraryOf(await bytes.string()))
    else if (code >= SLOT_INFO) await skipExtra(bytes, code)
    else {
      const type = typeName(code)
      const read = bytes.string()
      const key = read instanceof Promise ? await read : read
      batch.push({ key, db, type, expiresAt })
      expiresAt = undefined
      if (bytes.isShort) await bytes.fill()
      const skipped = skipValue(bytes, code)
      if (skipped) await skipped
      if (batch.length >= BATCH) {
        yield batch
        batch = []
      }
    }
  }
  if (batch.length > 0) yield batch
}

/** Its first line is `#!lua name=…`. */
function libraryOf(code: Buffer): string {
  return /^#![^\n]*?\bname=(\S+)/.exec(code.toString('latin1'))?.[1] ?? '?'
}

/** Skips what belongs to the file or to the next key, but is of no use here. */
async function skipExtra(bytes: RdbBytes, code: number): Promise<void> {
  switch (code) {
    case FREQ:
      return bytes.advance(1)
    case IDLE:
      return void bytes.length()
    case RESIZE_DB:
      bytes.length()
      return void bytes.length()
    case SLOT_INFO:
      bytes.length()
      bytes.length()
      return void bytes.length()
    case AUX:
      bytes.skipString()
      if (bytes.isShort) await bytes.fill()
      return bytes.skipString()
    case MODULE_AUX:
      bytes.length()
      // When it is to be loaded, as a kind of part and a number.
      bytes.length()
      bytes.length()
      return moduleParts(bytes)
    default:
      throw new UnknownRdb(`opcode ${code} is newer than Rekindle`)
  }
}

import { open } from 'node:fs/promises'
import { CorruptRdb, RdbBytes } from '../backup/rdb-bytes.js'
import { moduleParts, skipValue, typeName } from '../backup/rdb-skip.js'

/** `REDIS`, the version of the format in four digits; and the checksum after the end. */
const MAGIC = 9
const CHECKSUM = 8
const END = 255

/** What stands between the keys of an RDB, and how each is stepped over; lengths, strings or bytes follow. */
const EXTRAS: ReadonlyMap<number, (bytes: RdbBytes) => void | Promise<void>> = new Map([
  [244, lengths(3)],
  [245, (bytes: RdbBytes) => bytes.skipString()],
  [247, moduleData],
  [248, lengths(1)],
  [249, (bytes: RdbBytes) => bytes.skip(1)],
  [250, fact],
  [251, lengths(2)],
  [252, (bytes: RdbBytes) => bytes.skip(8)],
  [253, (bytes: RdbBytes) => bytes.skip(4)],
  [254, lengths(1)],
])

/**
 * Finds where the snapshot ends with which an append-only file of Redis 4 to 6 begins, and its commands begin. Rejects with CorruptRdb,
 * with UnknownRdb for what is newer than Rekindle, with an error of the file system, or with the signal's reason.
 */
export async function preambleEnd(path: string, signal?: AbortSignal): Promise<number> {
  const file = await open(path)
  try {
    const bytes = new RdbBytes(file, signal)
    bytes.skip(MAGIC)
    for (;;) {
      if (bytes.isShort) await bytes.fill()
      const code = bytes.byte()
      if (code === END) return await endOf(bytes.offset + CHECKSUM, file)
      const extra = EXTRAS.get(code)
      if (extra) await extra(bytes)
      else await skipKey(bytes, code)
    }
  } finally {
    await file.close()
  }
}

async function endOf(end: number, file: Awaited<ReturnType<typeof open>>): Promise<number> {
  const { size } = await file.stat()
  if (size < end) throw new CorruptRdb('it ends before its checksum')
  return end
}

async function skipKey(bytes: RdbBytes, type: number): Promise<void> {
  typeName(type)
  bytes.skipString()
  if (bytes.isShort) await bytes.fill()
  await skipValue(bytes, type)
}

function lengths(count: number): (bytes: RdbBytes) => void {
  return (bytes) => {
    for (let i = 0; i < count; i++) bytes.length()
  }
}

async function fact(bytes: RdbBytes): Promise<void> {
  bytes.skipString()
  if (bytes.isShort) await bytes.fill()
  bytes.skipString()
}

function moduleData(bytes: RdbBytes): Promise<void> {
  lengths(3)(bytes)
  return moduleParts(bytes)
}

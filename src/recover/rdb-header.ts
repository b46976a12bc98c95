import { open } from 'node:fs/promises'
import { Trouble } from '../errors.js'

/** What the first bytes of an RDB file tell. */
export interface RdbHeader {
  /** The version of the format: 10 is Redis 7.0, 12 is Redis 8. */
  readonly format: number
  /** `redis-ver`, `used-mem`, `ctime`, … */
  readonly facts: ReadonlyMap<string, string>
}

/** The facts stand first; they never take more than this. */
const ENOUGH = 4_096
const FACT = 0xfa

/** Reads the first facts of an RDB file. Rejects with a Trouble if it is none, and with what the file system says. */
export async function readRdbHeader(path: string): Promise<RdbHeader> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(ENOUGH), position: 0 })
    const header = parseRdbHeader(buffer.subarray(0, bytesRead))
    if (header) return header
  } finally {
    await file.close()
  }
  throw new Trouble('bad_backup', `${path}: it is no RDB file`, 'name a backup, or a dump.rdb of Redis', false)
}

function parseRdbHeader(bytes: Buffer): RdbHeader | undefined {
  const format = /^(?:REDIS|VALKEY)(\d{3,4})$/.exec(bytes.subarray(0, 9).toString('latin1'))?.[1]
  if (format === undefined) return undefined
  const facts = new Map<string, string>()
  let at = 9
  const text = (): string | undefined => {
    const { value, next } = readString(bytes, at)
    at = next
    return value
  }
  while (bytes[at] === FACT) {
    at++
    const [name, value] = [text(), text()]
    if (name === undefined || value === undefined) break
    facts.set(name, value)
  }
  return { format: Number(format), facts }
}

/** A string as RDB writes it: a length of 6 or 14 bits and the bytes, or a small number; anything else ends the reading. */
function readString(bytes: Buffer, at: number): { value: string | undefined; next: number } {
  const first = bytes[at] ?? 0x80
  const numbers = [() => bytes.readInt8(at + 1), () => bytes.readInt16LE(at + 1), () => bytes.readInt32LE(at + 1)]
  const size = 2 ** (first & 0x3f)
  const number = first >= 0xc0 && at + 1 + size <= bytes.length ? numbers[first & 0x3f] : undefined
  if (number) return { value: String(number()), next: at + 1 + size }
  if (first >= 0x80) return { value: undefined, next: bytes.length }
  const isShort = first < 0x40
  const length = isShort ? first : ((first & 0x3f) << 8) | (bytes[at + 1] ?? 0)
  const start = at + (isShort ? 1 : 2)
  const value = start + length <= bytes.length ? bytes.toString('utf8', start, start + length) : undefined
  return { value, next: start + length }
}

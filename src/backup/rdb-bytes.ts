import type { FileHandle } from 'node:fs/promises'

/** The file is no RDB, ends too early, or holds what no RDB holds. */
export class CorruptRdb extends Error {
  override readonly name = 'CorruptRdb'
}

/** It may be a good RDB, but holds a type, an opcode or an encoding that this reader does not know. */
export class UnknownRdb extends Error {
  override readonly name = 'UnknownRdb'
}

const CHUNK = 1 << 20
/** More than the longest run of lengths and numbers that is read without asking for more. */
const HEADROOM = 128
const TWO_TO_32 = 2 ** 32

/** Encodings of strings, in the lower bits of a first byte that begins with 11. */
const LZF = 3

/**
 * Reads an RDB forwards: lengths and numbers at once, out of a chunk in memory. Before each element its caller asks `isShort` and
 * awaits `fill` if so; a promise for every length would cost more than all the reading. What is skipped may end beyond the chunk,
 * and is then never read from the disk.
 */
export class RdbBytes {
  private readonly memory = Buffer.allocUnsafe(CHUNK)
  private chunk = Buffer.alloc(0)
  private at = 0
  /** The place in the file of the first byte of the chunk. */
  private start = 0
  private atEnd = false

  constructor(
    private readonly file: FileHandle,
    private readonly signal?: AbortSignal,
  ) {}

  /** The place in the file of the next byte. */
  get offset(): number {
    return this.start + this.at
  }

  /** True if the next element may reach beyond what is in memory. */
  get isShort(): boolean {
    return this.chunk.length - this.at < HEADROOM && !this.atEnd
  }

  /** Reads on, so that at least `wanted` bytes are in memory if the file has as many. Rejects with the signal's reason. */
  async fill(wanted = HEADROOM): Promise<void> {
    this.signal?.throwIfAborted()
    const kept = this.at < this.chunk.length ? this.chunk.subarray(this.at) : Buffer.alloc(0)
    // The same memory each time, except for a key that is longer: what was handed out are copies.
    const next = wanted > this.memory.length ? Buffer.allocUnsafe(wanted) : this.memory
    kept.copy(next)
    let length = kept.length
    const start = this.offset
    while (length < wanted && !this.atEnd) {
      const { bytesRead } = await this.file.read(next, length, next.length - length, start + length)
      length += bytesRead
      this.atEnd = bytesRead === 0
    }
    this.chunk = next.subarray(0, length)
    this.start = start
    this.at = 0
  }

  byte(): number {
    const byte = this.chunk[this.at]
    if (byte === undefined) throw new CorruptRdb(`it ends at byte ${this.offset}, in the middle`)
    this.at++
    return byte
  }

  /** A length or a number of a variable size; one above 2^53 loses its last digits. */
  length(): number {
    return this.lengthAfter(this.byte())
  }

  private lengthAfter(first: number): number {
    if (first < 0x40) return first
    if (first < 0x80) return ((first & 0x3f) << 8) | this.byte()
    if (first === 0x80) return this.uint32()
    if (first === 0x81) return this.uint32() * TWO_TO_32 + this.uint32()
    throw new CorruptRdb(`no length begins with ${first}, as at byte ${this.offset - 1}`)
  }

  private uint32(): number {
    return ((this.byte() << 24) | (this.byte() << 16) | (this.byte() << 8) | this.byte()) >>> 0
  }

  /** An integer of so many bytes, the lowest first, signed. */
  signed(bytes: number): number {
    let value = 0
    for (let i = 0; i < bytes; i++) value += this.byte() * 256 ** i
    return value >= 256 ** bytes / 2 ? value - 256 ** bytes : value
  }

  advance(bytes: number): void {
    this.at += bytes
  }

  skipString(): void {
    const first = this.byte()
    if (first < 0xc0) this.advance(this.lengthAfter(first))
    else if ((first & 0x3f) < LZF) this.advance(integerBytes(first))
    else if ((first & 0x3f) === LZF) {
      const packed = this.length()
      this.length()
      this.advance(packed)
    } else throw new UnknownRdb(`a string at byte ${this.offset - 1} is encoded in way ${first & 0x3f}`)
  }

  /** A string, as a copy of its bytes; at once if all of it is in memory. */
  string(): Buffer | Promise<Buffer> {
    const first = this.byte()
    if (first < 0xc0) return this.take(this.lengthAfter(first))
    if ((first & 0x3f) < LZF) return Buffer.from(String(this.signed(integerBytes(first))))
    if ((first & 0x3f) !== LZF)
      throw new UnknownRdb(`a string at byte ${this.offset - 1} is encoded in way ${first & 0x3f}`)
    const packed = this.length()
    const length = this.length()
    const bytes = this.take(packed)
    return bytes instanceof Promise ? bytes.then((all) => unpack(all, length)) : unpack(bytes, length)
  }

  private take(length: number): Buffer | Promise<Buffer> {
    if (this.at + length > this.chunk.length) return this.takeMore(length)
    const taken = Buffer.from(this.chunk.subarray(this.at, this.at + length))
    this.at += length
    return taken
  }

  private async takeMore(length: number): Promise<Buffer> {
    // No string is longer than 512 MB by default; a broken length must not eat all memory.
    const { size } = await this.file.stat()
    if (this.offset + length > size) throw new CorruptRdb(`a string at byte ${this.offset} reaches beyond the end`)
    await this.fill(length)
    return this.take(length)
  }
}

function integerBytes(first: number): number {
  return 2 ** (first & 0x3f)
}

/** Undoes LZF: literal runs, and references back into what is unpacked already. */
function unpack(packed: Buffer, length: number): Buffer {
  // Three bytes give 264 at most.
  if (length > packed.length * 88) throw new CorruptRdb('a packed string is longer than it can be')
  const out = Buffer.alloc(length)
  let from = 0
  let to = 0
  while (from < packed.length) {
    const control = packed[from++] as number
    if (control < 32) {
      to += packed.copy(out, to, from, from + control + 1)
      from += control + 1
      continue
    }
    let run = control >> 5
    if (run === 7) run += packed[from++] ?? 0
    let back = to - ((control & 0x1f) << 8) - (packed[from++] ?? 0) - 1
    if (back < 0) throw new CorruptRdb('a packed string refers to before its beginning')
    // Byte by byte, since a reference may reach into what it itself writes.
    for (let i = 0; i < run + 2; i++) out[to++] = out[back++] as number
  }
  if (to !== length) throw new CorruptRdb('a packed string has another length than it says')
  return out
}

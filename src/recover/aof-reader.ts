import { createReadStream } from 'node:fs'

/** The commands that decide where an append-only file can be cut; all others are only counted. */
export type AofCommand = 'select' | 'multi' | 'exec' | 'flushall' | 'flushdb' | 'other'

/** What a reading comes by. Offsets are bytes from the beginning of the file. */
export interface AofVisitor {
  /** One whole command that begins at `offset`; `database` is what a SELECT names. */
  command(name: AofCommand, offset: number, database: number | undefined): void
  /** The time of what follows, in epoch ms; written only with `aof-timestamp-enabled yes`. */
  time(at: number): void
}

/** How a reading ended: `end` is where the last whole command ends, and what follows is `cut short`, or is no command. */
export interface AofEnd {
  readonly end: number
  readonly rest: 'nothing' | 'cut short' | 'damaged'
}

const HASH = 0x23
const DOLLAR = 0x24
const STAR = 0x2a
const CR = 0x0d
/** The longest line that is waited for: a count, a length, or an annotation. */
const LONGEST_LINE = 4096
const LONGEST_NAME = 8
const KNOWN = new Set<string>(['select', 'multi', 'exec', 'flushall', 'flushdb'] satisfies AofCommand[])

/** How a file is read; told of every piece. */
export interface Reading {
  /** Where the commands begin; 0 unless said otherwise. */
  readonly start?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (bytes: number) => void
}

/**
 * Reads the commands of an append-only file in pieces: values are skipped, never held. Rejects with the error of the file system, or
 * with the signal's reason.
 */
export async function readAof(path: string, visitor: AofVisitor, reading: Reading = {}): Promise<AofEnd> {
  const { start = 0, signal, onProgress } = reading
  const scanner = new Scanner(visitor, start)
  for await (const chunk of createReadStream(path, { start, highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted()
    if (!scanner.take(chunk as Buffer)) break
    onProgress?.((chunk as Buffer).length)
  }
  return scanner.finish()
}

class Scanner {
  /** What could not be read yet, since its end is missing; it begins `at` in the file. */
  private held: Buffer = Buffer.alloc(0)
  private position = 0
  /** Bytes of a value that are still to come and of no interest. */
  private skip = 0
  /** Where the last whole command ends. */
  private end: number
  private damaged = false
  /** Of the command that is being read; `argumentsLeft` is 0 when all its lines have been seen, -1 between two commands. */
  private argumentsLeft = -1
  private begin = 0
  private isFirst = false
  private name: AofCommand = 'other'
  private database: number | undefined

  constructor(
    private readonly visitor: AofVisitor,
    private at: number,
  ) {
    this.end = at
  }

  /** Reads on; false as soon as the file is found damaged. */
  take(chunk: Buffer): boolean {
    if (this.skip >= chunk.length) {
      this.skip -= chunk.length
      this.at += chunk.length
      return true
    }
    this.held = this.held.length > 0 ? Buffer.concat([this.held, chunk]) : chunk
    this.position = this.skip
    while (this.step());
    const used = Math.min(this.position, this.held.length)
    this.skip = this.position - used
    this.at += used
    this.held = this.held.subarray(used)
    this.position = 0
    return !this.damaged
  }

  finish(): AofEnd {
    if (this.skip === 0) this.endCommand()
    const isWhole = this.argumentsLeft < 0 && this.held.length === 0
    return { end: this.end, rest: this.damaged ? 'damaged' : isWhole ? 'nothing' : 'cut short' }
  }

  /** Reads one line, and steps over the value that follows it; false if that takes more bytes, or is not possible. */
  private step(): boolean {
    if (this.position > this.held.length) return false
    this.endCommand()
    if (this.position === this.held.length) return false
    const lineEnd = this.held.indexOf(CR, this.position)
    if (lineEnd < 0 || lineEnd + 1 >= this.held.length) {
      this.damaged = this.held.length - this.position > LONGEST_LINE
      return false
    }
    const kind = this.held[this.position]
    if (this.argumentsLeft > 0) return kind === DOLLAR ? this.argument(lineEnd) : this.fail()
    if (kind === STAR) return this.startCommand(lineEnd)
    return kind === HASH ? this.annotation(lineEnd) : this.fail()
  }

  private startCommand(lineEnd: number): boolean {
    const count = this.integer(lineEnd)
    if (!(count > 0)) return this.fail()
    this.argumentsLeft = count
    this.begin = this.at + this.position
    this.isFirst = true
    this.name = 'other'
    this.database = undefined
    this.position = lineEnd + 2
    return true
  }

  private argument(lineEnd: number): boolean {
    const length = this.integer(lineEnd)
    if (!(length >= 0)) return this.fail()
    const from = lineEnd + 2
    if (length <= LONGEST_NAME && (this.isFirst || this.name === 'select')) {
      if (from + length > this.held.length) return false
      const text = this.held.toString('latin1', from, from + length).toLowerCase()
      if (!this.isFirst) this.database = Number(text)
      else if (KNOWN.has(text)) this.name = text as AofCommand
    }
    this.isFirst = false
    this.argumentsLeft--
    this.position = from + length + 2
    return true
  }

  private endCommand(): void {
    if (this.argumentsLeft !== 0) return
    this.argumentsLeft = -1
    this.end = this.at + this.position
    this.visitor.command(this.name, this.begin, this.database)
  }

  private annotation(lineEnd: number): boolean {
    const time = /^#TS:(\d+)$/.exec(this.held.toString('latin1', this.position, lineEnd))
    if (time) this.visitor.time(Number(time[1]) * 1000)
    this.position = lineEnd + 2
    return true
  }

  /** The number between the first character of the line and its end. */
  private integer(lineEnd: number): number {
    let value = 0
    for (let i = this.position + 1; i < lineEnd; i++) {
      const digit = (this.held[i] as number) - 0x30
      if (digit < 0 || digit > 9) return Number.NaN
      value = value * 10 + digit
    }
    return lineEnd > this.position + 1 ? value : Number.NaN
  }

  private fail(): false {
    this.damaged = true
    return false
  }
}

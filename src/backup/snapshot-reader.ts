const NEWLINE = 10
const MARK = 40
/** No line of a reply is longer. */
const LONGEST_LINE = 1_024

/**
 * Finds the RDB in what a server sends after SYNC: newlines that keep the connection alive, and then either `$<length>` and so many
 * bytes, or `$EOF:<mark>`, bytes, and the mark of 40 bytes once more.
 */
export class SnapshotReader {
  /** Whether all of it has come. */
  isComplete = false
  /** How many bytes it has, if the server said so. */
  total: number | undefined
  private left = 0
  private head = Buffer.alloc(0)
  private mark: Buffer | undefined
  /** The last bytes of what came: they may be the mark. */
  private tail: Buffer | undefined

  /** Takes the next bytes from the server, and gives those that belong to the file. Throws the error with which a server refuses. */
  take(chunk: Buffer): Buffer[] {
    if (this.mark) return this.beforeMark(chunk, this.mark)
    if (this.total !== undefined) return this.counted(chunk)
    this.head = Buffer.concat([this.head, chunk])
    let start = 0
    while (this.head[start] === NEWLINE) start++
    const end = this.head.indexOf(NEWLINE, start)
    if (end < 0) {
      this.head = this.head.subarray(start)
      if (this.head.length > LONGEST_LINE) throw new Error('the reply to SYNC is no snapshot')
      return []
    }
    this.readLine(this.head.toString('latin1', start, end).trimEnd())
    return this.take(this.head.subarray(end + 1))
  }

  private readLine(line: string): void {
    const [, mark, length] = /^\$(?:EOF:(.{40})|(\d+))$/s.exec(line) ?? []
    if (mark !== undefined) this.mark = Buffer.from(mark, 'latin1')
    else if (length !== undefined) this.total = this.left = Number(length)
    else
      throw new Error(line.startsWith('-') ? line.slice(1) : `the reply to SYNC is no snapshot: ${line.slice(0, 80)}`)
  }

  private counted(chunk: Buffer): Buffer[] {
    const part = chunk.subarray(0, this.left)
    this.left -= part.length
    this.isComplete = this.left === 0
    return part.length > 0 ? [part] : []
  }

  private beforeMark(chunk: Buffer, mark: Buffer): Buffer[] {
    const all = this.tail ? Buffer.concat([this.tail, chunk]) : chunk
    this.tail = all.subarray(-MARK)
    // Nothing follows the mark until we answer, and we do not.
    this.isComplete = this.tail.equals(mark)
    return all.length > MARK ? [all.subarray(0, -MARK)] : []
  }
}

import { type ColumnsOf, type Tuple, tableKey, type WalMessage } from './row-change.js'

/** No name of a table with its schema takes more bytes, with every character doubled and in quotes. */
const LONGEST_HEAD = 'table '.length + 2 * 128 + 4

/**
 * Reads a message of the output plugin test_decoding, with `include-xids`; undefined for one that tells nothing of rows. What is said
 * of a table that is asked for and cannot be read tells that any of its rows may have changed.
 *
 * Its form, https://github.com/postgres/postgres/blob/master/contrib/test_decoding/test_decoding.c:
 * `BEGIN 7`, `COMMIT 7`, `table public.t: UPDATE: old-key: id[integer]:1 new-tuple: id[integer]:2 name[text]:'it''s'`,
 * `table public.a, public.b: TRUNCATE: (no-flags)`. A value may hold line breaks, and whatever a name holds.
 */
export function parseTestDecoding(data: Buffer, columnsOf: ColumnsOf): WalMessage | undefined {
  const head = data.toString('utf8', 0, LONGEST_HEAD)
  if (head.startsWith('BEGIN ')) return { kind: 'begin', xid: Number.parseInt(head.slice('BEGIN '.length), 10) }
  if (head.startsWith('COMMIT')) return { kind: 'commit' }
  if (!head.startsWith('table ')) return undefined
  const scan = new Scan(head, 'table '.length)
  const table = readTable(scan)
  // Most of what a busy server writes may be of no interest: it is not read to its end.
  if (scan.isAt(': ') && !columnsOf(table)) return { kind: 'other', table }
  const text = data.length > LONGEST_HEAD ? data.toString('utf8') : head
  try {
    return readChange(new Scan(text, 'table '.length), columnsOf)
  } catch (error) {
    if (error instanceof Unreadable) return { kind: 'any', tables: [table] }
    throw error
  }
}

function readChange(scan: Scan, columnsOf: ColumnsOf): WalMessage {
  const table = readTable(scan)
  const tables = [table]
  while (scan.take(', ')) tables.push(readTable(scan))
  if (scan.take(': TRUNCATE:')) return { kind: 'any', tables }
  const columns = columnsOf(table)
  if (!columns) return { kind: 'other', table }
  if (scan.take(': INSERT:')) return { kind: 'insert', table, row: readTuple(scan, columns) }
  if (scan.take(': DELETE:')) {
    if (scan.take(' (no-tuple-data)')) return { kind: 'delete', table }
    return { kind: 'delete', table, old: readTuple(scan, columns) }
  }
  scan.expect(': UPDATE:')
  if (!scan.take(' old-key:')) return { kind: 'update', table, row: readTuple(scan, columns) }
  const old = readTuple(scan, columns)
  scan.expect(' new-tuple:')
  return { kind: 'update', table, old, row: readTuple(scan, columns) }
}

/** Up to the end, or to where the next tuple begins: no column can be called `new-tuple` without quotes. */
function readTuple(scan: Scan, columns: ReadonlySet<string>): Tuple {
  const tuple = new Map<string, string | null>()
  while (!scan.isAtEnd && !scan.isAt(' new-tuple:')) {
    scan.expect(' ')
    const column = readName(scan, '[')
    skipType(scan)
    scan.expect(':')
    const value = readValue(scan)
    if (value !== undefined && columns.has(column)) tuple.set(column, value)
  }
  return tuple
}

function readTable(scan: Scan): string {
  const schema = readName(scan, '.')
  scan.take('.')
  return tableKey(schema, readName(scan, ':,'))
}

/** An identifier: in quotes if it needs them, else up to one of the characters that end it. */
function readName(scan: Scan, ends: string): string {
  return scan.take('"') ? scan.quoted('"') : scan.until(ends)
}

/** A type's name in brackets; it may hold brackets itself, `integer[]`, and names in quotes. */
function skipType(scan: Scan): void {
  scan.expect('[')
  for (let depth = 1; depth > 0; ) {
    if (scan.take('"')) scan.quoted('"')
    else if (scan.take('[')) depth++
    else if (scan.take(']')) depth--
    else scan.skip()
  }
}

/** Undefined for one that is unchanged and was left out. */
function readValue(scan: Scan): string | null | undefined {
  if (scan.take("'") || scan.take("B'")) return scan.quoted("'")
  const plain = scan.until(' ')
  if (plain === 'unchanged-toast-datum') return undefined
  return plain === 'null' ? null : plain
}

class Unreadable extends Error {}

class Scan {
  constructor(
    private readonly text: string,
    private at: number,
  ) {}

  get isAtEnd(): boolean {
    return this.at >= this.text.length
  }

  isAt(what: string): boolean {
    return this.text.startsWith(what, this.at)
  }

  take(what: string): boolean {
    const isThere = this.isAt(what)
    if (isThere) this.at += what.length
    return isThere
  }

  expect(what: string): void {
    if (!this.take(what)) throw new Unreadable()
  }

  skip(): void {
    if (this.isAtEnd) throw new Unreadable()
    this.at++
  }

  /** Up to one of these characters, or the end. */
  until(ends: string): string {
    const from = this.at
    while (this.at < this.text.length && !ends.includes(this.text.charAt(this.at))) this.at++
    return this.text.slice(from, this.at)
  }

  /** The rest of what is in quotes, which inside are doubled. */
  quoted(quote: string): string {
    const from = this.at
    for (;;) {
      const end = this.text.indexOf(quote, this.at)
      if (end < 0) throw new Unreadable()
      this.at = end + 1
      if (!this.take(quote)) return this.text.slice(from, end).replaceAll(quote + quote, quote)
    }
  }
}

import { type ColumnsOf, type Tuple, tableKey, type WalMessage } from './row-change.js'

interface Relation {
  readonly table: string
  readonly columns: ReadonlyArray<{ readonly name: string; readonly isKey: boolean }>
}

/**
 * Reads the messages of one session of the output plugin pgoutput, protocol version 1, in their order: each table is described before
 * its first row, and again when it has changed. Undefined for messages that tell nothing of rows.
 *
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 */
export function pgoutputParser(): (data: Buffer, columnsOf: ColumnsOf) => WalMessage | undefined {
  const relations = new Map<number, Relation>()
  return (data, columnsOf) => {
    const scan = new Bytes(data)
    switch (scan.letter()) {
      case 'B':
        // After the position of the commit and its time.
        return { kind: 'begin', xid: scan.skip(16).uint32() }
      case 'C':
        return { kind: 'commit' }
      case 'R':
        relations.set(scan.uint32(), readRelation(scan))
        return undefined
      case 'T': {
        const count = scan.uint32()
        scan.skip(1)
        const tables = Array.from({ length: count }, () => relations.get(scan.uint32())?.table ?? '')
        return { kind: 'any', tables }
      }
      case 'I':
        return readRow(scan, relations, columnsOf, (table, relation, columns) => {
          scan.skip(1)
          return { kind: 'insert', table, row: readTuple(scan, relation, columns) }
        })
      case 'U':
        return readRow(scan, relations, columnsOf, (table, relation, columns) => {
          const old = readOld(scan, relation, columns)
          if (old) scan.skip(1)
          return { kind: 'update', table, ...(old && { old }), row: readTuple(scan, relation, columns) }
        })
      case 'D':
        return readRow(scan, relations, columnsOf, (table, relation, columns) => {
          const old = readOld(scan, relation, columns)
          return { kind: 'delete', table, ...(old && { old }) }
        })
      default:
        return undefined
    }
  }
}

function readRow(
  scan: Bytes,
  relations: ReadonlyMap<number, Relation>,
  columnsOf: ColumnsOf,
  read: (table: string, relation: Relation, columns: ReadonlySet<string>) => WalMessage,
): WalMessage | undefined {
  const relation = relations.get(scan.uint32())
  if (!relation) return undefined
  const { table } = relation
  const columns = columnsOf(table)
  return columns ? read(table, relation, columns) : { kind: 'other', table }
}

function readRelation(scan: Bytes): Relation {
  // An empty name stands for pg_catalog.
  const table = tableKey(scan.name() || 'pg_catalog', scan.name())
  const count = scan.skip(1).uint16()
  const columns = Array.from({ length: count }, () => {
    const isKey = (scan.byte() & 1) === 1
    const name = scan.name()
    // The type and its modifier.
    scan.skip(8)
    return { name, isKey }
  })
  return { table, columns }
}

/** The key (K) or the whole (O) of the row before; undefined, with the new one to be read next, if there is none. */
function readOld(scan: Bytes, relation: Relation, columns: ReadonlySet<string>): Tuple | undefined {
  const kind = scan.letter()
  if (kind === 'N') return undefined
  // What is no part of the key is told as NULL, but is not.
  const isTold = (isKey: boolean): boolean => kind === 'O' || isKey
  return readTuple(scan, relation, columns, isTold)
}

function readTuple(
  scan: Bytes,
  relation: Relation,
  columns: ReadonlySet<string>,
  isTold: (isKey: boolean) => boolean = () => true,
): Tuple {
  const tuple = new Map<string, string | null>()
  const count = scan.uint16()
  for (let i = 0; i < count; i++) {
    const kind = scan.letter()
    const text = kind === 't' || kind === 'b' ? scan.text() : undefined
    const column = relation.columns[i]
    if (!column || kind === 'u' || !columns.has(column.name) || !isTold(column.isKey)) continue
    tuple.set(column.name, text === undefined ? null : text())
  }
  return tuple
}

class Bytes {
  private at = 0

  constructor(private readonly data: Buffer) {}

  skip(bytes: number): this {
    this.at += bytes
    return this
  }

  byte(): number {
    return this.data.readUInt8(this.at++)
  }

  letter(): string {
    return String.fromCharCode(this.byte())
  }

  uint16(): number {
    this.at += 2
    return this.data.readUInt16BE(this.at - 2)
  }

  uint32(): number {
    this.at += 4
    return this.data.readUInt32BE(this.at - 4)
  }

  /** Up to a zero. */
  name(): string {
    const from = this.at
    this.at = this.data.indexOf(0, from) + 1
    return this.data.toString('utf8', from, this.at - 1)
  }

  /** A length, and as many bytes, which are decoded only if they are wanted. */
  text(): () => string {
    const length = this.uint32()
    const from = this.at
    this.at += length
    return () => this.data.toString('utf8', from, from + length)
  }
}

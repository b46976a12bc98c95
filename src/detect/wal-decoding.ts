import { pgoutputParser } from '../decide/pgoutput.js'
import type { ColumnsOf, WalMessage } from '../decide/row-change.js'
import { parseTestDecoding } from '../decide/test-decoding.js'
import { quoteIdent } from '../postgres/identifiers.js'
import type { OutputPlugin } from '../postgres/replication.js'

/** How the WAL is told to us, in one session. */
export interface Decoding {
  readonly plugin: OutputPlugin
  /** The publication by which the server chooses what to tell; absent where it tells everything. */
  readonly publication?: string
  readonly parse: (data: Buffer, columnsOf: ColumnsOf) => WalMessage | undefined
}

/** Needs no publication, which would be a write to PostgreSQL; it tells every table's changes. */
export function byTestDecoding(): Decoding {
  return {
    plugin: { name: 'test_decoding', options: { 'include-xids': '1', 'skip-empty-xacts': '1' } },
    parse: parseTestDecoding,
  }
}

/** Tells the changes of a publication's tables alone, and is a part of every PostgreSQL. */
export function byPgoutput(publication: string): Decoding {
  return {
    plugin: { name: 'pgoutput', options: { proto_version: '1', publication_names: quoteIdent(publication) } },
    publication,
    parse: pgoutputParser(),
  }
}

/** What the WAL tells of a row, however it was decoded. */

/**
 * The texts of a row's columns, as far as they were asked for; null is NULL. One that is absent was not told: of a new row it is
 * large and unchanged, of an old one it is NULL or no part of the replica identity.
 */
export type Tuple = ReadonlyMap<string, string | null>

/** Tables are named by {@link tableKey}. `old` is absent where it is not told: it has the same identity, or there is none. */
export type RowChange =
  | { readonly kind: 'insert'; readonly table: string; readonly row: Tuple }
  | { readonly kind: 'update'; readonly table: string; readonly old?: Tuple; readonly row: Tuple }
  | { readonly kind: 'delete'; readonly table: string; readonly old?: Tuple }
  /** Any row of these may be another: they were truncated, or it cannot be told what became of them. */
  | { readonly kind: 'any'; readonly tables: readonly string[] }

/** One message of a slot: a transaction comes whole, in the order of the commits. */
export type WalMessage =
  | { readonly kind: 'begin'; readonly xid: number }
  | { readonly kind: 'commit' }
  | RowChange
  /** A row of a table of which nothing was asked for. */
  | { readonly kind: 'other'; readonly table: string }

/** The columns that are asked for of a table; undefined if it is of no interest. */
export type ColumnsOf = (table: string) => ReadonlySet<string> | undefined

/** Names a table, whatever characters its names have. */
export function tableKey(schema: string, name: string): string {
  return `${schema}\u0000${name}`
}

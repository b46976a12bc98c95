import type { Config } from '../config/schema.js'
import { tableKey } from '../decide/row-change.js'
import { columnsToRead, type Form, type WalTable, type WalTarget } from '../decide/wal-places.js'
import type { Query } from './relations.js'
import type { Catalog } from './trigger-catalog.js'
import type { Announced } from './trigger-sql.js'
import { watchedTables } from './watched-tables.js'

/** A dataset, and how the keys of a row are told from its place. */
export interface WatchedTarget extends WalTarget {
  readonly announced: Announced
}

/** A table, a partition or a child whose changes are looked for in the WAL. */
export interface WatchedTable extends WalTable<WatchedTarget> {
  /** With its schema, as SQL. */
  readonly name: string
  /** True if it holds rows itself: a partitioned table has them in its partitions. */
  readonly hasRows: boolean
  /** The columns whose texts must be read. */
  readonly columns: ReadonlySet<string>
  /** Another text whenever what is told of its rows may be something else. */
  readonly version: string
}

interface FoundTable {
  readonly name: string
  readonly schema: string
  readonly table: string
  readonly identity: string[]
  readonly full: boolean
  readonly kind: string
  /** OIDs of the types beneath all domains, by column. */
  readonly types: Record<string, number>
}

/** By OID, https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat; all others are written as their cast to text. */
const FORMS: Readonly<Record<number, Form>> = {
  16: 'boolean',
  114: 'untold',
  869: 'untold',
  1042: 'padded',
  3802: 'untold',
}

/** What the rows of these tables tell in the WAL, by {@link tableKey}. Rejects as `query` does. */
export async function readWalTables(
  config: Config,
  { sources }: Catalog,
  query: Query,
): Promise<Map<string, WatchedTable>> {
  const targets = new Map<string, WatchedTarget[]>()
  for (const { dataset, key, table, announced } of watchedTables(config)) {
    const source = sources.find((each) => each.dataset === dataset && each.key === key && each.table === table)
    // What is written through one that is above is told of the partition that it went to.
    for (const { name } of source?.relations.filter(({ role }) => role !== 'parent') ?? []) {
      targets.set(name, [...(targets.get(name) ?? []), { dataset, announced, columns: columnsOf(announced) }])
    }
  }
  const found = await query<FoundTable>(IDENTITIES, [[...targets.keys()]])
  return new Map(found.map((each) => [tableKey(each.schema, each.table), watched(each, targets.get(each.name) ?? [])]))
}

function watched({ name, kind, identity, full, types }: FoundTable, targets: readonly WatchedTarget[]): WatchedTable {
  const forms = new Map(
    Object.entries(types).flatMap(([column, type]): [string, Form][] => {
      const form = FORMS[type]
      return form === undefined ? [] : [[column, form]]
    }),
  )
  const table: WalTable<WatchedTarget> = { targets, identity: new Set(identity), isFull: full, forms }
  const version = JSON.stringify([identity, full, types, targets])
  return { ...table, name, hasRows: kind === 'r', columns: columnsToRead(table), version }
}

function columnsOf(announced: Announced): string[] {
  switch (announced.kind) {
    case 'symbols':
      return []
    case 'candles':
      return [announced.symbol]
    case 'instances':
      return [announced.symbol, announced.timeframe]
    case 'values':
      return [announced.symbol, announced.instance]
    case 'rows':
      return [announced.symbol ?? [], ...announced.columns].flat()
  }
}

/** An index serves as identity by its own columns, without those that it merely includes, and only if it is checked at once. */
const IDENTITIES = `
  SELECT asked.name, n.nspname AS schema, c.relname AS table, c.relreplident = 'f' AS full,
    c.relkind::text AS kind,
    ARRAY(
      SELECT a.attname::text FROM pg_catalog.pg_attribute AS a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND (c.relreplident = 'f' OR EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS part(attnum, nth)
        WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
          AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END
          AND part.nth <= i.indnkeyatts AND part.attnum = a.attnum
      ))
      ORDER BY a.attnum
    ) AS identity,
    (
      SELECT json_object_agg(a.attname, (
        WITH RECURSIVE base(oid, beneath) AS (
          SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type AS t WHERE t.oid = a.atttypid
          UNION ALL
          SELECT t.oid, t.typbasetype FROM base JOIN pg_catalog.pg_type AS t ON t.oid = base.beneath
        )
        SELECT oid::bigint FROM base WHERE beneath = 0
      ))
      FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS types
  FROM unnest($1::text[]) AS asked(name)
  JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(asked.name)::oid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace`

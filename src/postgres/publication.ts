import type { Query } from './relations.js'
import type { WatchedTable } from './wal-tables.js'

/** Which of a publication's tables are told whole. */
interface Published {
  readonly publication: string
  /** With its schema, as SQL. */
  readonly table: string
  /** Undefined if all. */
  readonly columns: string[] | null
  readonly filtered: boolean
}

/** `attnames` and `rowfilter` are there from PostgreSQL 15 on; read so, they are null before. */
const PUBLISHED = `
  SELECT p.pubname AS publication, format('%I.%I', t.schemaname, t.tablename) AS table,
    ARRAY(SELECT jsonb_array_elements_text(nullif(to_jsonb(t) -> 'attnames', 'null'))) AS columns,
    coalesce(to_jsonb(t) ->> 'rowfilter', '') <> '' AS filtered
  FROM pg_catalog.pg_publication AS p JOIN pg_catalog.pg_publication_tables AS t ON t.pubname = p.pubname
  WHERE p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND NOT p.pubviaroot
    AND format('%I.%I', t.schemaname, t.tablename) = ANY ($1)
  ORDER BY 1`

/**
 * A publication that tells all changes of these tables, each under its own name, with every row and the columns that are read; undefined
 * if there is none. With `only`, whether that one does. Rejects as `query` does.
 */
export async function suitablePublication(
  tables: Iterable<WatchedTable>,
  query: Query,
  only?: string,
): Promise<string | undefined> {
  const wanted = [...tables].filter(({ hasRows }) => hasRows)
  if (wanted.length === 0) return undefined
  const found = await query<Published>(PUBLISHED, [wanted.map(({ name }) => name)])
  const names = only === undefined ? [...new Set(found.map(({ publication }) => publication))] : [only]
  return names.find((name) => {
    const its = new Map(found.filter(({ publication }) => publication === name).map((each) => [each.table, each]))
    return wanted.every((table) => tells(its.get(table.name), table))
  })
}

function tells(published: Published | undefined, { columns }: WatchedTable): boolean {
  if (!published || published.filtered) return false
  const told = published.columns ?? []
  return told.length === 0 || [...columns].every((column) => told.includes(column))
}

import { quoteLiteral, quoteTable } from './identifiers.js'

/** Runs one statement and gives its rows. */
export type Query = <Row>(sql: string, values: readonly unknown[]) => Promise<Row[]>

/** A relation that rows of a table of the configuration can be written through. */
export interface FoundRelation {
  /** The table as the configuration names it. */
  readonly table: string
  /** With its schema, as SQL. */
  readonly name: string
  readonly role: 'self' | 'part' | 'parent'
  readonly kind: string
  readonly persistence: string
  readonly subscribed: boolean
  readonly columns: readonly string[]
  /** Another text whenever the relation is another one, or its rows were written anew without a statement that fires triggers. */
  readonly version: string
}

/**
 * SQL of `tree`: the tables $1, quoted as $2, with everything below them (partitions, children by inheritance) and above them. Above
 * counts as well: a statement on the parent writes to its parts, and fires the parent's triggers only.
 */
export const TREE = treeOf('unnest($1::text[], $2::text[])')

/** SQL that gives the relations on which the table of this name, itself left out, needs triggers as well. */
export function relationsSql(table: string): string {
  return `${treeOf(`(VALUES ('', ${quoteLiteral(quoteTable(table))}))`)}
    SELECT DISTINCT format('%I.%I', n.nspname, c.relname)
    FROM tree JOIN pg_class AS c ON c.oid = tree.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE tree.role <> 'self' AND c.relkind IN ('r', 'p')`
}

function treeOf(given: string): string {
  return `WITH RECURSIVE asked(name, self) AS (
    SELECT name, to_regclass(quoted)::oid FROM ${given} AS given(name, quoted)
    WHERE to_regclass(quoted) IS NOT NULL
  ),
  below(name, oid) AS (
    SELECT name, self FROM asked
    UNION SELECT below.name, i.inhrelid FROM below JOIN pg_catalog.pg_inherits AS i ON i.inhparent = below.oid
  ),
  above(name, oid) AS (
    SELECT name, self FROM asked
    UNION SELECT above.name, i.inhparent FROM above JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = above.oid
  ),
  tree(name, oid, role) AS (
    SELECT name, self, 'self' FROM asked
    UNION ALL SELECT below.name, oid, 'part' FROM below JOIN asked USING (name) WHERE oid <> self
    UNION ALL SELECT above.name, oid, 'parent' FROM above JOIN asked USING (name) WHERE oid <> self
  )`
}

/** Looks tables up as SQL would, each itself first; those that do not exist are absent from the answer. */
export function findRelations(names: readonly string[], query: Query): Promise<FoundRelation[]> {
  const unique = [...new Set(names)]
  return query<FoundRelation>(
    `${TREE}
     SELECT tree.name AS table, format('%I.%I', n.nspname, c.relname) AS name, tree.role, c.relkind::text AS kind,
       c.relpersistence::text AS persistence,
       EXISTS (SELECT FROM pg_catalog.pg_subscription_rel AS s WHERE s.srrelid = c.oid) AS subscribed,
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
         AS columns,
       concat_ws(' ', c.oid, c.relfilenode) AS version
     FROM tree JOIN pg_class AS c ON c.oid = tree.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     ORDER BY tree.name, tree.role <> 'self', 2`,
    [unique, unique.map(quoteTable)],
  )
}

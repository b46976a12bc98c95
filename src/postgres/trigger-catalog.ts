import type { Config } from '../config/schema.js'
import { quoteTable, splitTable } from './identifiers.js'
import { symbolsTable } from './symbols-table.js'
import { functionName, rowsArgument, triggerNames, type Watched, watchedTables } from './triggers.js'

/** Runs one statement and gives its rows. */
export type Query = <Row>(sql: string, values: readonly unknown[]) => Promise<Row[]>

/** What PostgreSQL knows of a table. */
export interface FoundTable {
  /** With its schema, as `quoteTable` takes it. */
  readonly table: string
  /** False for a view, a foreign table and the like, on which no such trigger can be. */
  readonly triggerable: boolean
  readonly columns: ReadonlySet<string>
}

/** A trigger of ours, on the table of this configured name. */
export interface FoundTrigger {
  readonly table: string
  readonly name: string
  /** Its function as SQL, with its arguments: `public.f()`. */
  readonly function: string
  /** True if it is enabled and announces this dataset, by these columns if it is one of rows, on this channel. */
  readonly current: boolean
}

/** Whose changes arrive by NOTIFY; the rest must be polled. */
export interface InstalledTriggers {
  /** Datasets, and `symbols` unless their query reads more than the one table. */
  readonly announced: ReadonlySet<string>
  /** Those whose triggers `rekindle triggers --apply` would install, and that lack some. */
  readonly missing: readonly string[]
}

/** Tells of which datasets all triggers are there, enabled and as the configuration asks for. Rejects as `query` does. */
export async function installedTriggers(config: Config, query: Query): Promise<InstalledTriggers> {
  const tables = watchedTables(config, { candles: true })
  const current = (await findTriggers(tables, config.sync.channel, query)).filter((found) => found.current)
  const announced = new Set(tables.map(({ dataset }) => dataset))
  for (const watched of tables) if (!isComplete(watched, current)) announced.delete(watched.dataset)
  if (symbolsTable(config.symbols.query)?.alone !== true) announced.delete('symbols')
  const lacking = watchedTables(config).filter((watched) => !isComplete(watched, current))
  const found =
    lacking.length > 0 ? await findTables([...new Set(lacking.map(({ table }) => table))], query) : new Map()
  const missing = lacking.filter(({ table }) => found.get(table)?.triggerable !== false)
  return { announced, missing: [...new Set(missing.map(({ dataset }) => dataset))] }
}

/** True if each of the table's triggers is among these. */
export function isComplete(watched: Watched, found: readonly FoundTrigger[]): boolean {
  return triggerNames(watched).every((name) => found.some((each) => each.table === watched.table && each.name === name))
}

/** The triggers of ours on these tables, current or not. */
export function findTriggers(tables: readonly Watched[], channel: string, query: Query): Promise<FoundTrigger[]> {
  const asked = tables.flatMap((watched) => triggerNames(watched).map((name) => ({ watched, name })))
  return query<FoundTrigger>(
    `SELECT asked.name AS table, t.tgname AS name, t.tgfoid::regprocedure::text AS function,
       t.tgenabled IN ('O', 'A') AND t.tgargs =
         convert_to($4, getdatabaseencoding()) || decode('00', 'hex') ||
         convert_to(asked.dataset, getdatabaseencoding()) || decode('00', 'hex') ||
         CASE WHEN asked.more IS NULL THEN '' ELSE convert_to(asked.more, getdatabaseencoding()) || decode('00', 'hex') END
         AS current
     FROM unnest($1::text[], $2::text[], $3::text[], $5::text[], $6::text[])
       AS asked(name, quoted, trigger, dataset, more)
     JOIN pg_trigger AS t ON t.tgrelid = to_regclass(asked.quoted) AND t.tgname = asked.trigger`,
    [
      asked.map(({ watched }) => watched.table),
      asked.map(({ watched }) => quoteTable(watched.table)),
      asked.map(({ name }) => name),
      channel,
      asked.map(({ watched }) => watched.dataset),
      asked.map(({ watched }) => rowsArgument(watched) ?? null),
    ],
  )
}

/** Functions of ours that these tables would have, whether the tables exist or not, as SQL with their arguments. */
export async function findFunctions(tables: readonly Watched[], query: Query): Promise<string[]> {
  const rows = await query<{ name: string }>(
    `SELECT p.oid::regprocedure::text AS name
     FROM unnest($1::text[], $2::text[]) AS asked(schema, name)
     JOIN pg_proc AS p ON p.proname = asked.name AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
     JOIN pg_namespace AS n ON n.oid = p.pronamespace
     WHERE CASE WHEN asked.schema = '' THEN pg_function_is_visible(p.oid) ELSE n.nspname = asked.schema END`,
    [tables.map(({ table }) => splitTable(table).at(-2) ?? ''), tables.map(functionName)],
  )
  return rows.map(({ name }) => name)
}

/** Looks tables up as SQL would; those that do not exist are absent from the answer. */
export async function findTables(names: readonly string[], query: Query): Promise<Map<string, FoundTable>> {
  const rows = await query<{ name: string; table: string; kind: string; columns: string[] }>(
    `SELECT asked.name, format('%I.%I', n.nspname, c.relname) AS table, c.relkind AS kind,
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
         AS columns
     FROM unnest($1::text[], $2::text[]) AS asked(name, quoted)
     JOIN pg_class AS c ON c.oid = to_regclass(asked.quoted)
     JOIN pg_namespace AS n ON n.oid = c.relnamespace`,
    [names, names.map(quoteTable)],
  )
  return new Map(
    rows.map(({ name, table, kind, columns }) => [
      name,
      { table, triggerable: kind === 'r' || kind === 'p', columns: new Set(columns) },
    ]),
  )
}

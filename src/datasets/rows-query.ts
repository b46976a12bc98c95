import type { RowsConfig } from '../config/rows.js'
import { templateColumns } from '../config/template.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'
import { columnSql, sourceSql } from './rows-sql.js'

/** Runs a query about rows; where it cannot be run, the Trouble names the one configuration key that is at fault, if one is. */
export async function queryRows<Row>(
  db: Database,
  { name, config }: { readonly name: string; readonly config: RowsConfig },
  sql: string,
  values: readonly unknown[],
): Promise<Row[]> {
  try {
    return await db.query<Row>(sql, values, source(name, config))
  } catch (error) {
    if (error instanceof Trouble && error.code === 'postgres_schema') await findFault(db, name, config)
    throw error
  }
}

/** Asks for the source alone, then for each column alone: PostgreSQL's own words about columns come in many languages. */
async function findFault(db: Database, name: string, config: RowsConfig): Promise<void> {
  const probes = [
    { sql: sourceSql(config), chosen: source(name, config) },
    ...columnsOf(config).map(([path, column]) => ({
      sql: columnSql(config, column),
      chosen: { [`rows.${name}.${path}`]: column },
    })),
  ]
  for (const { sql, chosen } of probes) {
    try {
      await db.query(sql, [], chosen)
    } catch (error) {
      const [[key, what] = ['', '']] = Object.entries(chosen)
      if (!(error instanceof Trouble) || error.code !== 'postgres_schema' || error.hint.includes(key)) throw error
      throw new Trouble(error.code, error.message, `${error.hint} (${key}: ${what})`, error.passing)
    }
  }
}

function source(name: string, { table }: RowsConfig): Record<string, string> {
  return table === undefined ? { [`rows.${name}.query`]: 'what it reads' } : { [`rows.${name}.table`]: table }
}

/** Every column that the configuration names, by the key below `rows.<name>` that names it. */
function columnsOf({ key, fields = {}, value, expires, symbol }: RowsConfig): [path: string, column: string][] {
  const single = Object.entries({ value, expires, symbol }).flatMap(([path, column]): [string, string][] =>
    column === undefined ? [] : [[path, column]],
  )
  return [
    ...templateColumns(key).map((column): [string, string] => ['key', column]),
    ...Object.entries(fields).map(([field, column]): [string, string] => [`fields.${field}`, column]),
    ...single,
  ]
}

import type { IndicatorsConfig } from '../config/schema.js'
import { groupBy } from '../decide/group-by.js'
import { isSame, NewestMemory, type Recalled, type SeenRow } from '../decide/newest-memory.js'
import type { Database } from '../postgres/database.js'
import type { Announced, ReadOptions } from './dataset.js'
import { knownSql, tablesOf, wholeSql } from './indicators-sql.js'

/** The newest value of one parameter of one instance, as PostgreSQL prints it. */
export type NewestRow = Row & { readonly param: string }

type Row = SeenRow & { readonly value: string | null }

/**
 * Reads the newest value of each parameter of each instance, exactly.
 *
 * Which parameters an instance has, only its whole history tells: no index that the tables have begins with instance and parameter, so
 * one that was last written a million rows ago is found by nothing less. That is read whenever nothing is known, and by every look that
 * is thorough. Between two such reads nothing needs to be taken on trust, as long as every change is announced:
 *
 * An earlier read saw, for an instance, the set K of its parameters and the time of each one's newest row. Let `floor` be the latest of
 * these times, or the earliest time of any row written since, by an INSERT or as what an UPDATE made of a row, if that is earlier. Now
 * one statement reads all rows from `floor` on, and of each parameter in K whose newest row was older, that row by its unique key.
 * - A parameter with a row from `floor` on: its newest row is among those read.
 * - Another parameter with rows at all: they are older than `floor`, hence were not written since, hence the earlier read saw them, and
 *   the parameter is in K. If its newest row was older than `floor` and still stands, that is the newest, since no newer one came.
 *   If it is gone, or if its newest row was not older and is gone, a parameter of K is missing from what was read, and the whole history
 *   is read in the same breath.
 * - A parameter outside K has no row older than `floor`.
 *
 * So the answer is that of the whole history, if all that was committed before the statement's snapshot has been heard. Who reads because
 * something was heard need not wait for that: whatever is still on its way makes it read again. Everybody else asks for proof when the
 * statement is done: a notification of our own has come back, behind all that was sent before; the triggers are the very same ones that
 * stood when the memory began; and nothing that was heard meanwhile is older than the floor that was read from. Else the whole history is
 * read.
 */
export class NewestValues implements Announced {
  private readonly memory = new NewestMemory()
  private proof: (() => Promise<boolean>) | undefined

  constructor(private readonly config: IndicatorsConfig) {}

  renew(proof: (() => Promise<boolean>) | undefined): void {
    this.proof = proof
    this.memory.renew(proof !== undefined)
  }

  hear(keys: Parameters<Announced['hear']>[0]): void {
    this.memory.hear(keys)
  }

  /** Oldest first, so that the last of a name is the newest. */
  async read(db: Database, symbols: readonly string[], options: ReadOptions): Promise<NewestRow[]> {
    const { parts, thorough, following = false } = options
    const reading = this.memory.open(symbols, parts, thorough)
    const { recalled } = reading
    const { proof } = this
    try {
      let rows = await this.query(db, symbols, parts, recalled)
      let seen = groupBy(rows, ({ instance }) => instance)
      const isProven = following || recalled.size === 0 || ((await proof?.()) ?? false)
      const doubtful = isProven ? lacking(recalled, seen) : new Set([...recalled.values()].map(({ symbol }) => symbol))
      if (!following) for (const symbol of reading.surpassed()) doubtful.add(symbol)
      if (doubtful.size > 0) {
        const whole = await this.query(db, [...doubtful], parts, new Map())
        rows = [...rows.filter(({ symbol }) => !doubtful.has(symbol)), ...whole]
        seen = groupBy(rows, ({ instance }) => instance)
      }
      reading.learn(seen)
      return rows.filter((row): row is NewestRow => row.param !== null)
    } finally {
      reading.close()
    }
  }

  private async query(
    db: Database,
    symbols: readonly string[],
    parts: ReadonlySet<string> | undefined,
    recalled: ReadonlyMap<string, Recalled>,
  ): Promise<Row[]> {
    if (symbols.length === 0) return []
    const { config } = this
    const tables = tablesOf(config)
    const values: unknown[] = [symbols, parts ? [...parts] : null]
    if (recalled.size === 0) return db.query<Row>(wholeSql(config), values, tables)
    const [ids, its] = [[...recalled.keys()], [...recalled.values()]]
    values.push(
      ids,
      its.map(({ symbol }) => symbol),
      its.map(({ floor }) => floor),
    )
    const older = ids.flatMap((instance, i) => its[i]?.older.map((place) => ({ instance, ...place })) ?? [])
    const sql = knownSql(config, { older: older.length > 0, many: its.some(({ isLowered }) => isLowered) })
    if (older.length === 0) return db.query<Row>(sql, values, tables)
    values.push(
      older.map(({ instance }) => instance),
      older.map(({ param }) => param),
      older.map(({ time }) => time),
    )
    return newestOf(await db.query<Row>(sql, values, tables))
  }
}

/** One row a parameter of an instance: the newest, which comes last. */
function newestOf(rows: readonly Row[]): Row[] {
  const newest = new Map<string, Row>()
  for (const row of rows) {
    // No text of PostgreSQL holds the character in between.
    const key = `${row.instance}\0${row.param ?? '\0'}`
    // Anew, so that it stands where it was read.
    newest.delete(key)
    newest.set(key, row)
  }
  return [...newest.values()]
}

/** The symbols of instances of which nothing is known, or of which a parameter that they had was not found. */
function lacking(recalled: ReadonlyMap<string, Recalled>, seen: ReadonlyMap<string, readonly Row[]>): Set<string> {
  const symbols = new Set<string>()
  if (recalled.size === 0) return symbols
  for (const [instance, { symbol, params }] of recalled) if (!hasAll(params, seen.get(instance))) symbols.add(symbol)
  for (const [instance, [row]] of seen)
    if (row && recalled.get(instance)?.symbol !== row.symbol) symbols.add(row.symbol)
  return symbols
}

function hasAll(params: readonly string[], rows: readonly Row[] = []): boolean {
  if (isSame(params, rows)) return true
  const found = new Set(rows.map(({ param }) => param))
  return params.every((param) => found.has(param))
}

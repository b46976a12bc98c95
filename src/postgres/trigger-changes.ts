import type { Config } from '../config/schema.js'
import type { ChangeSource } from '../decide/change-sources.js'
import { Trouble } from '../errors.js'
import { type FoundRelation, findRelations, type Query } from './relations.js'
import { expectedSources, type FoundTrigger, findFunctions, findTriggers, readCatalog } from './trigger-catalog.js'
import { installSteps, LOCK_TIMEOUT, type Step } from './triggers.js'
import { postgresTrouble } from './trouble.js'
import { functionName, leftToPolling, renamed, type Watched, watchedTables } from './watched-tables.js'

export interface Installed {
  /** The tables that have their triggers now, by their full names. */
  readonly tables: readonly Watched[]
  /** What is left to polling, by configuration key, each with the reason. */
  readonly left: Readonly<Record<string, string>>
  /** How the changes of every table are found from now on. */
  readonly sources: readonly ChangeSource[]
}

/** Keeps two installations from replacing the same function at once, which PostgreSQL refuses. */
const ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('rekindle triggers'))"

/**
 * Installs the triggers in one transaction. Those that are as they should be are not touched, and only a trigger that is replaced
 * locks out readers, for a moment; to create one waits for writers only. `query` must use one connection; `server` is for errors.
 * Rejects with a Trouble that names the table, and the configuration key that chose it.
 */
export async function installTriggers(
  config: Config,
  options: { candles?: boolean },
  query: Query,
  server: string,
): Promise<Installed> {
  return inTransaction(query, server, async (run) => {
    const asked = watchedTables(config, options)
    const found = await findRelations(
      asked.map(({ table }) => table),
      run,
    )
    const selfOf = ({ table }: Watched) => found.find((each) => each.table === table && each.role === 'self')
    for (const watched of asked) checkTable(watched, selfOf(watched), server)
    const possible = asked.filter((watched) => canHaveTriggers(selfOf(watched)))
    const existing = await findTriggers(possible, config.sync.channel, run)
    const tables = possible.map((watched) => renamed(watched, (table) => fullName(found, table)))
    const relationsOf = (watched: Watched): string[] => {
      const configured = possible[tables.indexOf(watched)]?.table
      return found.flatMap((each) => (each.table === configured && canHaveTriggers(each) ? [each.name] : []))
    }
    for (const step of installSteps(tables, config.sync.channel, relationsOf)) {
      if (!isNeedless(step, existing)) await runStep(step, run, server)
    }
    const views = asked.filter((watched) => !possible.includes(watched))
    const why = views.map(({ key, table }) => [key, `${table} is no ordinary table; its changes are left to polling`])
    const left = { ...leftToPolling(config, options), ...Object.fromEntries(why) }
    return { tables, left, sources: expectedSources(config, (await readCatalog(config, run)).sources) }
  })
}

function canHaveTriggers(relation: FoundRelation | undefined): boolean {
  return relation?.kind === 'r' || relation?.kind === 'p'
}

function fullName(found: readonly FoundRelation[], table: string): string {
  return found.find((each) => each.table === table && each.role === 'self')?.name ?? table
}

/** True if the trigger is as the step would make it. */
function isNeedless({ trigger }: Step, existing: readonly FoundTrigger[]): boolean {
  if (!trigger) return false
  const same = existing.find(({ name, on }) => name === trigger.name && on === trigger.on)
  if (trigger.act === 'always') return same?.fits === true && same.enabled === 'A'
  return same?.fits ?? trigger.act === 'drop'
}

/**
 * Removes the triggers, those of the candles too, and their functions, also where a table is missing; gives the functions' names.
 * `query` must use one connection; `server` is for errors. Rejects with a Trouble.
 */
export async function dropTriggers(config: Config, query: Query, server: string): Promise<string[]> {
  return inTransaction(query, server, async (run) => {
    const tables = watchedTables(config)
    const functions = await findFunctions(tables, run)
    for (const { name, triggers } of functions) {
      const watched = tables.find((each) => name.includes(functionName(each)))
      for (const trigger of triggers) {
        const sql = `DROP TRIGGER ${trigger.name} ON ${trigger.on}`
        await runStep({ sql, ...(watched && { watched: renamed(watched, () => trigger.on) }) }, run, server)
      }
      await runStep({ sql: `DROP FUNCTION ${name}` }, run, server)
    }
    return functions.map(({ name }) => name)
  })
}

async function inTransaction<Result>(
  query: Query,
  server: string,
  act: (query: Query) => Promise<Result>,
): Promise<Result> {
  try {
    await query('BEGIN', [])
    await query(LOCK_TIMEOUT, [])
    await query(ONE_AT_A_TIME, [])
    const result = await act(query)
    await query('COMMIT', [])
    return result
  } catch (error) {
    // The first error tells more than that of a connection which cannot roll back either.
    await query('ROLLBACK', []).catch(() => undefined)
    throw triggerTrouble(error, server)
  }
}

async function runStep({ sql, watched }: Step, query: Query, server: string): Promise<void> {
  try {
    await query(sql, [])
  } catch (error) {
    throw triggerTrouble(error, server, watched)
  }
}

function checkTable({ key, table, columns }: Watched, found: FoundRelation | undefined, server: string): void {
  const missing = (what: string, by: string) => {
    const hint = `correct ${by} in the configuration, or create it`
    return new Trouble('postgres_schema', `PostgreSQL ${server}: ${what} does not exist`, hint, false)
  }
  if (!found) throw missing(`table ${table}`, key)
  for (const [by, column] of Object.entries(columns)) {
    if (!found.columns.includes(column)) throw missing(`column ${column} of table ${table}`, by)
  }
}

function triggerTrouble(error: unknown, server: string, watched?: Watched): Trouble {
  if (error instanceof Trouble) return error
  const { code, message } = error as Error & { code?: string }
  const table = watched ? `table ${watched.table} (${watched.key})` : 'the tables'
  const about = `PostgreSQL ${server}: ${table}: ${message}`
  switch (code) {
    case '42501': {
      const hint = `run this as the owner of ${table}, or as one who has TRIGGER on it, and CREATE on its schema`
      return new Trouble('postgres_refused', about, hint, false)
    }
    case '25006': {
      const hint = 'connect to the primary, as a user who is not confined to reading'
      return new Trouble('postgres_refused', about, hint, false)
    }
    case '55P03':
    case '40P01': {
      const hint = 'a long transaction holds it: look at pg_stat_activity, and run this again when that has ended'
      return new Trouble('timeout', about, hint, true)
    }
    default:
      return postgresTrouble(error, server, watched ? { [watched.key]: watched.table } : {})
  }
}

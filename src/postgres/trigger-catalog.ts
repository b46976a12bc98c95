import type { Config } from '../config/schema.js'
import {
  type ChangeSource,
  changeSources,
  hasTriggers,
  heardDatasets,
  isMendable,
  lacksTriggers,
  type Relation,
  type Source,
  SYMBOLS_POLL,
} from '../decide/change-sources.js'
import { quoteTable, splitTable } from './identifiers.js'
import { type FoundRelation, findRelations, type Query, TREE } from './relations.js'
import { walHindrance } from './wal-access.js'
import {
  functionName,
  leftToPolling,
  rowsArgument,
  triggerNames,
  type Watched,
  watchedTables,
} from './watched-tables.js'

export type { Query } from './relations.js'

/** A trigger of ours, on a relation that belongs to the table of this configured name. */
export interface FoundTrigger {
  readonly table: string
  /** The relation that it is on: with its schema, as SQL. */
  readonly on: string
  readonly name: string
  /** True if it is told to announce this dataset, by these columns if it is one of rows, on this channel. */
  readonly fits: boolean
  /** True if its function is the one that this version would install. */
  readonly current: boolean
  /** As of pg_trigger.tgenabled: `A` always, `O` but for sessions whose role is replica, `D` disabled, `R` for those sessions only. */
  readonly enabled: string
  /** Another text whenever it was disabled, enabled or made anew since. */
  readonly version: string
}

/** What PostgreSQL's catalog tells of the tables of the configuration. */
export interface Catalog {
  readonly sources: readonly Source[]
  /**
   * By dataset: another text whenever its rows may have become others with no trigger to tell: a partition was attached or detached,
   * a table was swapped by a rename or written anew, or a trigger was off for a while.
   */
  readonly versions: ReadonlyMap<string, string>
}

/** Whose changes arrive by NOTIFY; the rest must be polled. */
export interface InstalledTriggers {
  /** Datasets, and `symbols` unless their query reads more than the one table. */
  readonly announced: ReadonlySet<string>
  /** Those of which `rekindle triggers --apply` would have more announced. */
  readonly missing: readonly string[]
}

/** Tells of which datasets every table, partition and child has all triggers, enabled and as the configuration asks for. Rejects as `query` does. */
export async function installedTriggers(config: Config, query: Query): Promise<InstalledTriggers> {
  const { sources } = await readCatalog(config, query)
  const found = expectedSources(config, sources)
  const missing = found.filter(isMendable).map(({ dataset }) => dataset)
  return { announced: heardDatasets(found), missing: [...new Set(missing)] }
}

export interface ExpectedSources {
  readonly sources: readonly ChangeSource[]
  /** True if `rekindle triggers --apply` would have more announced, and nobody has left it out on purpose. */
  readonly lacksTriggers: boolean
}

/** Reads how a daemon would find changes. Rejects as `query` does. */
export async function readExpectedSources(config: Config, query: Query): Promise<ExpectedSources> {
  const { sources } = await readCatalog(config, query)
  const [{ standby = false } = {}] = await query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby', [])
  const byWal = await expectsWal(config, sources, query)
  const deaf = standby && !byWal ? 'PostgreSQL is a standby, on which nobody can listen' : undefined
  const expected = expectedSources(config, sources, deaf, byWal ? 'wal' : 'triggers')
  return { sources: expected, lacksTriggers: expected.some(isMendable) && lacksTriggers(sources).length > 0 }
}

/** True if a daemon would read the WAL. */
async function expectsWal({ sync, postgres }: Config, sources: readonly Source[], query: Query): Promise<boolean> {
  const isWanted = sync.source === 'wal' || (sync.source === 'auto' && !hasTriggers(sources))
  return isWanted && !(await walHindrance(query, postgres.listen_url ?? postgres.url, ''))
}

/** How a daemon that listens to the triggers would find the changes of these, if PostgreSQL takes no time to be polled. */
export function expectedSources(
  { sync, watch }: Config,
  sources: readonly Source[],
  deaf?: string,
  by: 'triggers' | 'wal' = 'triggers',
): ChangeSource[] {
  const why = sync.source === 'poll' ? 'sync.source is poll' : deaf
  return changeSources(sources, {
    heard: why === undefined ? by : undefined,
    ...(why !== undefined && { deaf: { why } }),
    pollOf: (dataset) => (dataset === 'symbols' ? Math.max(watch.poll, SYMBOLS_POLL) : watch.poll),
    scrub: watch.scrub,
  })
}

/** Reads it. Rejects as `query` does. */
export async function readCatalog(config: Config, query: Query): Promise<Catalog> {
  const tables = watchedTables(config)
  const relations = await findRelations(
    tables.map(({ table }) => table),
    query,
  )
  // Read after the relations: of one that came in between the next look will tell.
  const triggers = await findTriggers(tables, config.sync.channel, query)
  const versions = new Map<string, string>()
  const watched = tables.map((each): Source => {
    const { dataset, key, table } = each
    const its = relations.filter((relation) => relation.table === table)
    const ours = triggers.filter((trigger) => trigger.table === table && triggerNames(each).includes(trigger.name))
    const seen = [...its, ...ours].map(({ version }) => version).sort()
    versions.set(dataset, [versions.get(dataset) ?? '', ...seen].join('\n'))
    return {
      dataset,
      key,
      table,
      relations: its.map((relation) => describe(relation, each, ours)),
      ...unheard(each, config),
    }
  })
  return { sources: [...watched, ...unwatched(config, tables)], versions }
}

function describe(relation: FoundRelation, watched: Watched, found: readonly FoundTrigger[]): Relation {
  const { name, role, kind, persistence, subscribed } = relation
  const its = found.filter(({ on, fits }) => fits && on === name)
  return { name, role, kind, persistence, subscribed, triggers: stateOf(triggerNames(watched), its) }
}

function stateOf(names: readonly string[], found: readonly FoundTrigger[]): Relation['triggers'] {
  const its = found.filter(({ name }) => names.includes(name))
  if (its.length < names.length) return 'missing'
  const states = new Set(its.map(({ enabled }) => enabled))
  if (states.has('D') || states.has('R')) return 'disabled'
  if (its.some(({ current }) => !current)) return 'outdated'
  return states.has('O') ? 'origin' : 'always'
}

/** The symbols' table tells half of the story where their query reads others too. */
function unheard({ dataset }: Watched, config: Config): Pick<Source, 'unheard'> {
  const why = dataset === 'symbols' ? leftToPolling(config)['symbols.query'] : undefined
  return why === undefined ? {} : { unheard: `it ${why.replace(/; .*/, '')}` }
}

/** What has no table that triggers could be on. */
function unwatched(config: Config, tables: readonly Watched[]): Source[] {
  return Object.entries(leftToPolling(config)).flatMap(([key, why]) => {
    const dataset = key.replace(/\.query$/, '')
    if (tables.some((watched) => watched.dataset === dataset)) return []
    return { dataset, key, table: key, relations: [], unheard: `it ${why.replace(/; .*/, '')}` }
  })
}

/** The triggers of ours on these tables, their parts and parents, current or not. */
export function findTriggers(tables: readonly Watched[], channel: string, query: Query): Promise<FoundTrigger[]> {
  const names = [...new Set(tables.map(({ table }) => table))]
  const asked = tables.flatMap((watched) => triggerNames(watched).map((name) => ({ watched, name })))
  return query<FoundTrigger>(
    `${TREE}
     SELECT tree.name AS table, format('%I.%I', n.nspname, c.relname) AS on, t.tgname AS name,
       t.tgargs =
         convert_to($3, getdatabaseencoding()) || decode('00', 'hex') ||
         convert_to(ours.dataset, getdatabaseencoding()) || decode('00', 'hex') ||
         CASE WHEN ours.more IS NULL THEN '' ELSE convert_to(ours.more, getdatabaseencoding()) || decode('00', 'hex') END
         AS fits,
       position(ours.mark IN p.prosrc) > 0 AS current,
       t.tgenabled::text AS enabled, concat_ws(' ', t.oid, t.xmin, p.oid, p.xmin) AS version
     FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[]) AS ours(name, trigger, dataset, more, mark)
     JOIN tree ON tree.name = ours.name
     JOIN pg_class AS c ON c.oid = tree.oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
     JOIN pg_trigger AS t ON t.tgrelid = tree.oid AND t.tgname = ours.trigger
     JOIN pg_proc AS p ON p.oid = t.tgfoid`,
    [
      names,
      names.map(quoteTable),
      channel,
      asked.map(({ watched }) => watched.table),
      asked.map(({ name }) => name),
      asked.map(({ watched }) => watched.dataset),
      asked.map(({ watched }) => rowsArgument(watched) ?? null),
      asked.map(({ watched }) => watched.mark),
    ],
  )
}

/**
 * Functions of ours that these tables would have, whether the tables exist or not, and the triggers that call them, on whatever
 * relation: also on one that was detached or renamed since. Both as SQL, a function with its arguments.
 */
export function findFunctions(
  tables: readonly Watched[],
  query: Query,
): Promise<{ name: string; triggers: { name: string; on: string }[] }[]> {
  return query(
    `SELECT DISTINCT ON (p.oid) p.oid::regprocedure::text AS name, ARRAY(
       SELECT json_build_object('name', quote_ident(t.tgname), 'on', format('%I.%I', n.nspname, c.relname))
       FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
       WHERE t.tgfoid = p.oid AND NOT t.tgisinternal
     ) AS triggers
     FROM unnest($1::text[], $2::text[]) AS asked(schema, name)
     JOIN pg_proc AS p ON p.proname = asked.name AND p.pronargs = 0 AND p.prorettype = 'trigger'::regtype
     JOIN pg_namespace AS n ON n.oid = p.pronamespace
     WHERE CASE WHEN asked.schema = '' THEN pg_function_is_visible(p.oid) ELSE n.nspname = asked.schema END`,
    [tables.map(({ table }) => splitTable(table).at(-2) ?? ''), tables.map(functionName)],
  )
}

import type { Config } from '../config/schema.js'
import { quoteIdent, quoteLiteral, quoteTable } from './identifiers.js'
import { relationsSql } from './relations.js'
import { dollarQuote, EVENTS, functionSql } from './trigger-sql.js'
import {
  functionName,
  leftToPolling,
  quotedFunction,
  rowsArgument,
  type Watched,
  watchedTables,
} from './watched-tables.js'

/** One statement of the installation. */
export interface Step {
  readonly sql: string
  /** Undefined for a setting of the transaction. */
  readonly watched?: Watched
  /** The trigger that it drops, creates, or has fire in every session, and the relation that it is on, as SQL. */
  readonly trigger?: { readonly name: string; readonly on: string; readonly act: 'drop' | 'create' | 'always' }
}

/** A table that is in use for long makes the installation fail, rather than everyone wait behind it. */
export const LOCK_TIMEOUT = "SET LOCAL lock_timeout = '5s'"

/**
 * The statements that install the triggers, to be run in order in one transaction and each time with the same result. `relationsOf`
 * gives the relations that a table needs them on, as SQL.
 */
export function installSteps(
  tables: readonly Watched[],
  channel: string,
  relationsOf: (watched: Watched) => readonly string[],
): Step[] {
  return [
    { sql: SPELL_OUT_PATH },
    ...tables.flatMap((watched) => [
      createFunction(watched),
      ...relationsOf(watched).flatMap((on) => stepsOf(watched, channel, on)),
    ]),
  ]
}

/** SQL text that installs the triggers, for psql or a migration; it may be run again at any time. */
export function installSql(config: Config, options: { candles?: boolean } = {}): string {
  const { channel } = config.sync
  const tables = watchedTables(config, options)
  const left = Object.entries(leftToPolling(config, options)).map(([key, why]) => comment(`${key}: ${why}`))
  const parts = tables.map((watched) => [
    comment(`${watched.key}: ${watched.table}`),
    `${createFunction(watched).sql};`,
    ...stepsOf(watched, channel, quoteTable(watched.table)).map(({ sql }) => `${sql};`),
    '-- The same for its partitions and children, since a statement that names one of them fires no other triggers.',
    `${partsSql(watched, channel)};`,
  ])
  const blocks = [
    [
      comment(`Rekindle: announces on channel ${channel} which symbols have changed.`),
      '-- PostgreSQL refuses PREPARE TRANSACTION after a NOTIFY, hence after a write to one of these tables.',
      'BEGIN;',
      'SET LOCAL client_min_messages = warning;',
      `${LOCK_TIMEOUT};`,
    ],
    ['-- The functions will look names up where this session does, among temporary tables last.', `${SPELL_OUT_PATH};`],
    ['-- Stops here, with nothing installed, if a name is wrong.', `${readEach(tables)};`],
    ...parts,
    ...(left.length > 0 ? [left] : []),
    ['COMMIT;'],
  ]
  return blocks.map((lines) => lines.join('\n')).join('\n\n')
}

/** Without pg_catalog, which then comes first: where a path names it last, operators may mean something else. */
const SPELL_OUT_PATH = `DO ${dollarQuote(`
BEGIN
  PERFORM pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ',
    (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ')
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS name
     WHERE name OPERATOR(pg_catalog.<>) 'pg_catalog'), 'pg_temp'), true);
END
`)}`

function createFunction(watched: Watched): Step {
  return { watched, sql: functionSql(quotedFunction(watched), watched.announced, watched.mark) }
}

function stepsOf(watched: Watched, channel: string, on: string): Step[] {
  return Object.keys(EVENTS).flatMap((event): Step[] => {
    const name = `${functionName(watched)}_${event}`
    const step = (act: 'drop' | 'create' | 'always', sql: string): Step => ({
      watched,
      trigger: { name, on, act },
      sql,
    })
    return [
      step('drop', `DROP TRIGGER IF EXISTS ${quoteIdent(name)} ON ${on}`),
      step('create', createTrigger(watched, channel, event as keyof typeof EVENTS, on)),
      step('always', `DO ${dollarQuote(`\nBEGIN\n  ALTER TABLE ${on} ${always(name)};${UNLESS_OWNER}END\n`)}`),
    ]
  })
}

function createTrigger(watched: Watched, channel: string, event: keyof typeof EVENTS, on: string): string {
  const args = [channel, watched.dataset, rowsArgument(watched) ?? []].flat().map(quoteLiteral)
  return `CREATE TRIGGER ${quoteIdent(`${functionName(watched)}_${event}`)} AFTER ${event.toUpperCase()} ON ${on}
  ${EVENTS[event]}FOR EACH STATEMENT EXECUTE FUNCTION ${quotedFunction(watched)}(${args.join(', ')})`
}

/** Triggers fire by default only where session_replication_role is not replica. */
function always(name: string): string {
  return `ENABLE ALWAYS TRIGGER ${quoteIdent(name)}`
}

/** To create a trigger needs the right TRIGGER only; to have it fire always is the owner's to say. */
const UNLESS_OWNER = `
EXCEPTION WHEN insufficient_privilege THEN
  RAISE WARNING 'not announced where session_replication_role is replica: %', SQLERRM;
`

/** The same for whatever hangs below the table, and what it hangs below, found when it is run. */
function partsSql(watched: Watched, channel: string): string {
  const each = Object.keys(EVENTS).flatMap((event) => {
    const name = `${functionName(watched)}_${event}`
    // format() takes %s for the relation; a percent sign of a name is doubled.
    const withRelation = (sql: string): string => quoteLiteral(sql.replaceAll('%', '%%').replaceAll(RELATION, '%1$s'))
    return [
      `    EXECUTE format(${withRelation(`DROP TRIGGER IF EXISTS ${quoteIdent(name)} ON ${RELATION}`)}, relation);`,
      `    EXECUTE format(${withRelation(createTrigger(watched, channel, event as keyof typeof EVENTS, RELATION))}, relation);`,
      `    BEGIN
      EXECUTE format(${withRelation(`ALTER TABLE ${RELATION} ${always(name)}`)}, relation);${UNLESS_OWNER.replaceAll('\n', '\n    ')}END;`,
    ]
  })
  return `DO ${dollarQuote(`
DECLARE
  relation text;
BEGIN
  FOR relation IN
    ${relationsSql(watched.table)}
  LOOP
${each.join('\n')}
  END LOOP;
END
`)}`
}

/** Stands for the name of a relation; no name of a table, trigger or channel holds a control character. */
const RELATION = '\u0001'

function readEach(tables: readonly Watched[]): string {
  const reads = tables.map(({ table, columns }) => {
    const list = Object.values(columns).map(quoteIdent).join(', ')
    return `  PERFORM ${list && `${list} `}FROM ${quoteTable(table)} LIMIT 0;`
  })
  return `DO ${dollarQuote(`\nBEGIN\n${reads.join('\n')}\nEND\n`)}`
}

function comment(text: string): string {
  return `-- ${text.replaceAll(/\s+/g, ' ')}`
}

import { createHash } from 'node:crypto'
import { needsSymbols } from '../config/needs-symbols.js'
import type { RowsConfig } from '../config/rows.js'
import type { CandlesConfig, Config, IndicatorsConfig } from '../config/schema.js'
import { templateColumns } from '../config/template.js'
import { quoteIdent, quoteLiteral, quoteTable, splitTable } from './identifiers.js'
import { relationsSql } from './relations.js'
import { symbolsTable } from './symbols-table.js'
import { type Announced, dollarQuote, EVENTS, functionSql, versionMark } from './trigger-sql.js'

/** A table whose changes are announced. */
export interface Watched {
  /** The dataset that its announcements name: `indicators`, `symbols`, `candles.m1`, `rows.plans`. */
  readonly dataset: string
  /** The configuration key that chose the table: `indicators.values`. */
  readonly key: string
  readonly table: string
  /** The columns that the triggers read, by the configuration key that chose each. */
  readonly columns: Readonly<Record<string, string>>
  readonly announced: Announced
  /** What its function holds if it is of this version and for these columns, whatever the names in full. */
  readonly mark: string
}

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

/** PostgreSQL cuts names at 63 bytes; this leaves room for `_truncate`. */
const LONGEST_NAME = 54

/** The tables to watch, those of the candles unless they are to be left out. */
export function watchedTables(config: Config, { candles = true }: { candles?: boolean } = {}): Watched[] {
  const symbols = needsSymbols(config) ? symbolsTable(config.symbols.query) : undefined
  const tables = [
    ...(config.indicators ? indicatorTables(config.indicators) : []),
    ...(symbols ? [symbolTable(symbols.table)] : []),
    ...Object.entries(config.rows).flatMap(([name, rows]) => rowTables(name, rows)),
    ...(config.candles && candles ? candleTables(config.candles) : []),
  ]
  return tables.map((each) => ({ ...each, mark: versionMark(each.announced) }))
}

/** What of the configuration no trigger will announce, and why: lines by configuration key. */
export function leftToPolling(config: Config, { candles = true }: { candles?: boolean } = {}): Record<string, string> {
  const leftOut = Object.entries((!candles && config.candles?.timeframes) || {}).map(([timeframe, table]) => [
    `candles.timeframes.${timeframe}`,
    `${table} is left out; its changes are left to polling, unless it has triggers already`,
  ])
  const queries = Object.entries(config.rows).flatMap(([name, { query }]) =>
    query === undefined ? [] : [[`rows.${name}.query`, 'is a query; its changes are left to polling']],
  )
  return { ...symbolsLeft(config), ...Object.fromEntries([...queries, ...leftOut]) }
}

function symbolsLeft(config: Config): Record<string, string> {
  const found = symbolsTable(config.symbols.query)
  if (found?.alone || !needsSymbols(config)) return {}
  return {
    'symbols.query': found
      ? `reads more than the table ${found.table}; changes of the others are left to polling`
      : 'names no table after its first FROM; the symbols are left to polling',
  }
}

/** The same with other names of tables, for instance their full ones. */
export function renamed(watched: Watched, rename: (table: string) => string): Watched {
  const { announced } = watched
  const table = rename(watched.table)
  if (announced.kind !== 'values') return { ...watched, table }
  return { ...watched, table, announced: { ...announced, of: { ...announced.of, table: rename(announced.of.table) } } }
}

/** Its function's name without schema; its triggers' names begin with it. No two tables of a schema share it. */
export function functionName({ announced, dataset, table }: Watched): string {
  const name = `rekindle_${kindName(announced, dataset)}${splitTable(table).at(-1)}`
  if (Buffer.byteLength(name) <= LONGEST_NAME) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  const room = Buffer.from(name).subarray(0, LONGEST_NAME - hash.length - 1)
  // A decoder that expects more bytes leaves out a character that was cut in two.
  return `${new TextDecoder().decode(room, { stream: true })}_${hash}`
}

/** The name of a rows dataset holds no `$`, so that it ends where the table's begins. */
function kindName({ kind }: Announced, dataset: string): string {
  if (kind === 'rows') return `${dataset.replace('.', '_')}$`
  return `${kind === 'candles' ? dataset.replace('.', '_') : kind}_`
}

/** What the triggers of rows are called with beside channel and dataset: the columns that they read, so that others are not taken for them. */
export function rowsArgument({ announced }: Watched): string | undefined {
  return announced.kind === 'rows' ? JSON.stringify([announced.symbol ?? null, ...announced.columns]) : undefined
}

/** The names of its triggers, one an event. */
export function triggerNames(watched: Watched): string[] {
  return Object.keys(EVENTS).map((event) => `${functionName(watched)}_${event}`)
}

/** Its function's name as SQL, in the schema of its table. */
export function quotedFunction(watched: Watched): string {
  const schema = splitTable(watched.table).slice(0, -1)
  return [...schema, functionName(watched)].map(quoteIdent).join('.')
}

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

type Unmarked = Omit<Watched, 'mark'>

function indicatorTables({ instances, values, columns: { instance, value } }: IndicatorsConfig): Unmarked[] {
  const of = { table: instances, id: instance.id, timeframe: instance.timeframe }
  return [
    {
      dataset: 'indicators',
      key: 'indicators.instances',
      table: instances,
      columns: {
        'indicators.columns.instance.id': instance.id,
        'indicators.columns.instance.symbol': instance.symbol,
        'indicators.columns.instance.timeframe': instance.timeframe,
      },
      announced: { kind: 'instances', symbol: instance.symbol, timeframe: instance.timeframe },
    },
    {
      dataset: 'indicators',
      key: 'indicators.values',
      table: values,
      columns: {
        'indicators.columns.value.instance': value.instance,
        'indicators.columns.value.symbol': value.symbol,
        'indicators.columns.value.time': value.time,
      },
      announced: { kind: 'values', symbol: value.symbol, instance: value.instance, time: value.time, of },
    },
  ]
}

function symbolTable(table: string): Unmarked {
  return { dataset: 'symbols', key: 'symbols.query', table, columns: {}, announced: { kind: 'symbols' } }
}

function rowTables(name: string, { table, key, symbol }: RowsConfig): Unmarked[] {
  if (table === undefined) return []
  const columns = templateColumns(key)
  const chosen = Object.fromEntries(columns.map((column) => [`rows.${name}.key ({${column}})`, column]))
  return [
    {
      dataset: `rows.${name}`,
      key: `rows.${name}.table`,
      table,
      columns: { ...chosen, ...(symbol !== undefined && { [`rows.${name}.symbol`]: symbol }) },
      announced: { kind: 'rows', symbol, columns },
    },
  ]
}

function candleTables({ timeframes, columns: { symbol } }: CandlesConfig): Unmarked[] {
  return Object.entries(timeframes).map(([timeframe, table]) => ({
    dataset: `candles.${timeframe}`,
    key: `candles.timeframes.${timeframe}`,
    table,
    columns: { 'candles.columns.symbol': symbol },
    announced: { kind: 'candles', symbol },
  }))
}

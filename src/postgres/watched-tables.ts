import { createHash } from 'node:crypto'
import { needsSymbols } from '../config/needs-symbols.js'
import type { RowsConfig } from '../config/rows.js'
import type { CandlesConfig, Config, IndicatorsConfig } from '../config/schema.js'
import { templateColumns } from '../config/template.js'
import { quoteIdent, splitTable } from './identifiers.js'
import { symbolsTable } from './symbols-table.js'
import { type Announced, EVENTS, versionMark } from './trigger-sql.js'

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

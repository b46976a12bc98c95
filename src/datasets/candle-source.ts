import type { CandlesConfig, Column } from '../config/schema.js'
import type { Database } from '../postgres/database.js'
import { quoteIdent, quoteTable } from '../postgres/identifiers.js'
import type { Fingerprint, Polling } from './dataset.js'
import { bytesOf, isPlain } from './series-wanted.js'

export const COLUMNS: readonly Column[] = ['open', 'high', 'low', 'close', 'volume']

/** The newest candles of one symbol and timeframe, ascending: a text a column, joined by commas as PostgreSQL prints, `''` for NULL. */
export interface CandleRun {
  readonly symbol: string
  readonly size: number
  /** Epoch ms. */
  readonly times: Uint8Array
  readonly values: Readonly<Record<Column, Uint8Array>>
  /** True if every time and value is one that Redis can hold, so that none needs to be looked at alone. */
  readonly intact: boolean
}

type Row = { symbol: string; size: number; times: string | null } & Record<Column, string | null>

/** Reads the newest `config.last` candles of each symbol; symbols without candles are absent. */
export async function readCandles(
  db: Database,
  config: CandlesConfig,
  timeframe: string,
  symbols: readonly string[],
): Promise<CandleRun[]> {
  const rows = await ask<Row>(db, config, timeframe, symbols, candlesSql)
  return rows.flatMap(({ symbol, size, times, ...texts }) => {
    if (times === null) return []
    const bytes = (column: Column): Uint8Array => bytesOf(texts[column] ?? '')
    const values = {
      open: bytes('open'),
      high: bytes('high'),
      low: bytes('low'),
      close: bytes('close'),
      volume: bytes('volume'),
    }
    const intact = !times.includes('-') && COLUMNS.every((column) => isPlain(values[column]))
    return { symbol, size, times: bytesOf(times), values, intact }
  })
}

/** How many of the newest candles a glance reads: the one that forms, and those that a late writer may still correct. */
const GLANCED = 3

/** How changes of candles are found where nothing announces them: by fingerprints of the very candles that Redis must hold. */
export function candlesPolling(config: CandlesConfig, timeframe: string): Polling {
  return {
    bySymbol: true,
    fingerprints: (db, symbols) => ask<Fingerprint>(db, config, timeframe, symbols, fingerprintsSql),
    glance: (db, symbols) => ask<Fingerprint>(db, { ...config, last: GLANCED }, timeframe, symbols, fingerprintsSql),
  }
}

function ask<Row>(
  db: Database,
  config: CandlesConfig,
  timeframe: string,
  symbols: readonly string[],
  sql: (config: CandlesConfig, table: string) => string,
): Promise<Row[]> {
  const table = config.timeframes[timeframe] ?? timeframe
  return db.query<Row>(sql(config, table), [symbols, config.last], { [`candles.timeframes.${timeframe}`]: table })
}

/**
 * One row a symbol, one text a column: PostgreSQL joins 250 values faster than Node receives 250 rows. `date_part('epoch', …)` reads a
 * timestamp without time zone as UTC, whatever the session's or Node's time zone; `extract` would do so in slow decimal arithmetic.
 */
function candlesSql(config: CandlesConfig, table: string): string {
  const { columns } = config
  const inner = COLUMNS.map((column) => `coalesce(${quoteIdent(columns[column])}::text, '') AS ${column}`)
  const outer = COLUMNS.map((column) => `string_agg(${column}, ',') AS ${column}`)
  return `
    SELECT asked.symbol, run.*
    FROM unnest($1::text[]) AS asked(symbol)
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS size, string_agg(t::text, ',') AS times, ${outer.join(', ')}
      FROM (
        SELECT * FROM (
          SELECT (date_part('epoch', ${quoteIdent(columns.time)}) * 1000)::bigint AS t, ${inner.join(', ')}
          ${newestOf(config, table)}
        ) AS newest ORDER BY t
      ) AS ascending
    ) AS run`
}

/**
 * One row a symbol: how many of its newest candles there are, and the sum of a hash of each, times and values. A hash of what was read
 * needs no column that tells of updates, sees deletions too, and serves views and foreign tables as well, which have no xmin. For 250
 * candles of 50 symbols it takes 10 ms, whatever the depth of history; hashes of xmin took 7.
 */
function fingerprintsSql(config: CandlesConfig, table: string): string {
  const candle = [config.columns.time, ...COLUMNS.map((column) => config.columns[column])].map(quoteIdent)
  return `
    SELECT asked.symbol, run.*
    FROM unnest($1::text[]) AS asked(symbol)
    CROSS JOIN LATERAL (
      SELECT count(*) || ':' || coalesce(sum(hash_record_extended(candle, 0)), 0) AS fingerprint
      FROM (SELECT ROW(${candle.join(', ')}) AS candle ${newestOf(config, table)}) AS newest
    ) AS run`
}

/**
 * FROM and what follows, for the $2 newest candles of asked.symbol, newest first. It walks the primary key backwards, so the depth of
 * history costs nothing; with `isfinite(…)` in place of the range, the planner would sort it all.
 */
function newestOf({ columns }: CandlesConfig, table: string): string {
  const time = quoteIdent(columns.time)
  return `FROM ${quoteTable(table)}
          WHERE ${quoteIdent(columns.symbol)} = asked.symbol AND ${time} > '-infinity' AND ${time} < 'infinity'
          ORDER BY ${time} DESC
          LIMIT (SELECT $2::int)`
}

/** True if Redis can hold this number: not NULL, NaN or infinite, and within the range of a double. */
export function isStorable(text: string): boolean {
  return text !== '' && Number.isFinite(Number(text))
}

/** True if RedisTimeSeries and a reader can use this time: not before 1970. */
export function isStorableTime(time: string): boolean {
  return !time.startsWith('-')
}

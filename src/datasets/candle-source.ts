import type { CandlesConfig, Column } from '../config/schema.js'
import type { Database } from '../postgres/database.js'
import { quoteIdent, quoteTable } from '../postgres/identifiers.js'
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
  const table = config.timeframes[timeframe] ?? timeframe
  const rows = await db.query<Row>(candlesSql(config, table), [symbols, config.last], {
    [`candles.timeframes.${timeframe}`]: table,
  })
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

/**
 * One row a symbol, one text a column: PostgreSQL joins 250 values faster than Node receives 250 rows. The LATERAL walks the
 * primary key backwards, so the depth of history costs nothing (with `isfinite(…)` in place of the range, the planner sorts it all). `date_part('epoch', …)` reads a timestamp without time zone as UTC,
 * whatever the session's or Node's time zone; `extract` would do so in slow decimal arithmetic.
 */
function candlesSql({ columns }: CandlesConfig, table: string): string {
  const time = quoteIdent(columns.time)
  const inner = COLUMNS.map((column) => `coalesce(${quoteIdent(columns[column])}::text, '') AS ${column}`)
  const outer = COLUMNS.map((column) => `string_agg(${column}, ',') AS ${column}`)
  return `
    SELECT asked.symbol, run.*
    FROM unnest($1::text[]) AS asked(symbol)
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS size, string_agg(t::text, ',') AS times, ${outer.join(', ')}
      FROM (
        SELECT * FROM (
          SELECT (date_part('epoch', ${time}) * 1000)::bigint AS t, ${inner.join(', ')}
          FROM ${quoteTable(table)}
          WHERE ${quoteIdent(columns.symbol)} = asked.symbol AND ${time} > '-infinity' AND ${time} < 'infinity'
          ORDER BY ${time} DESC
          LIMIT (SELECT $2::int)
        ) AS newest ORDER BY t
      ) AS ascending
    ) AS run`
}

/** True if Redis can hold this number: not NULL, NaN or infinite, and within the range of a double. */
export function isStorable(text: string): boolean {
  return text !== '' && Number.isFinite(Number(text))
}

/** True if RedisTimeSeries and a reader can use this time: not before 1970. */
export function isStorableTime(time: string): boolean {
  return !time.startsWith('-')
}

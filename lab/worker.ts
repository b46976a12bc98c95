import type { Timeframe } from './market.js'

/** Whatever runs a statement: a `Client`, a `Pool`, a test's database. */
export interface Runner {
  query(text: string, values?: unknown[]): Promise<unknown>
}

export interface Candle {
  symbol: string
  timeframe: Timeframe
  openTime: Date
  open: number | string | null
  high: number | string | null
  low: number | string | null
  close: number | string | null
  volume: number | string | null
}

export interface IndicatorValue {
  symbol: string
  timeframe: Timeframe
  param: string
  value: number | null
  /** Default: the newest candle for which the parameter has a value. */
  openTime?: Date
}

/** Writes one candle the way a worker does: one that exists is replaced. Numeric texts keep their digits. */
export async function insertCandle(database: Runner, candle: Candle): Promise<void> {
  const { symbol, timeframe, openTime, open, high, low, close, volume } = candle
  await database.query(
    `INSERT INTO ohlcv4_${timeframe} (symbol, open_time, open, high, low, close, volume, source)
     VALUES ($1, $2, $3, $4, $5, $6, $7, 'worker')
     ON CONFLICT (symbol, open_time) DO UPDATE SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low,
       close = EXCLUDED.close, volume = EXCLUDED.volume, source = EXCLUDED.source, inserted_at = now()`,
    // As text: of a Date node-postgres makes local time with an offset, and `timestamp` forgets the offset.
    [symbol, openTime.toISOString(), open, high, low, close, volume],
  )
}

/** Writes one indicator value the way a worker does; an error (instance_id is null) if the parameter never had one. */
export async function setIndicator(database: Runner, indicator: IndicatorValue): Promise<void> {
  const { symbol, timeframe, param, value, openTime } = indicator
  await database.query(
    `WITH newest AS (
       SELECT instance_id, open_time
       FROM indicator_values_v4 AS known JOIN indicator_instances_v4 AS instance ON instance.id = instance_id
       WHERE known.symbol = $1 AND timeframe = $2 AND param_name = $3
       ORDER BY open_time DESC LIMIT 1
     )
     INSERT INTO indicator_values_v4 (instance_id, symbol, param_name, value, open_time)
     VALUES ((SELECT instance_id FROM newest), $1, $3, $4, coalesce($5, (SELECT open_time FROM newest)))
     ON CONFLICT (instance_id, symbol, open_time, param_name)
       DO UPDATE SET value = EXCLUDED.value, updated_at = now()`,
    [symbol, timeframe, param, value, openTime?.toISOString()],
  )
}

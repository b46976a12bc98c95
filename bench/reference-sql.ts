import type { Layout } from './daemon.js'

const timeframes = ['m1', 'm5', 'm15']

/** The newest 250 candles of every enabled symbol, found as cheaply as Rekindle finds them. */
const candles = (timeframe: string) => `
  SELECT ticker.symbol, (extract(epoch FROM open_time) * 1000)::bigint AS ms, open, high, low, close, volume
  FROM tickers AS ticker
  CROSS JOIN LATERAL (
    SELECT * FROM ohlcv4_${timeframe} AS candle WHERE candle.symbol = ticker.symbol ORDER BY open_time DESC LIMIT 250
  ) AS newest
  WHERE status = 'enabled'`

const columns = `CROSS JOIN LATERAL (
    VALUES ('close', '', close), ('open', ':open', open), ('high', ':high', high), ('low', ':low', low), ('volume', ':volume', volume)
  ) AS part (name, suffix, value)`

// Quoted for an inline command; the quotes are no part of the member.
const member = `format('''{"t":%s,"o":%s,"h":%s,"l":%s,"c":%s,"v":%s}''', ms, open, high, low, close, volume)`

/** The newest value of each parameter, found as cheaply as Rekindle finds it. */
const indicators = `
  SELECT instance.symbol, timeframe, param_name, value
  FROM indicator_instances_v4 AS instance
  JOIN tickers AS ticker ON ticker.symbol = instance.symbol AND status = 'enabled'
  CROSS JOIN LATERAL (
    SELECT DISTINCT ON (param_name) param_name, value
    FROM (
      SELECT * FROM indicator_values_v4 AS known
      WHERE known.instance_id = instance.id AND known.symbol = instance.symbol ORDER BY open_time DESC LIMIT 64
    ) AS recent
    ORDER BY param_name, open_time DESC
  ) AS newest
  WHERE enabled`

/** As Rekindle has it: no time for compiling, and no scan that reads all of history to sort its end. */
export const settings = 'SET jit = off; SET enable_bitmapscan = off;'

/** SQL that prints a command a row, the way such scripts are written: TS.ADD or ZADD a sample, HSET a field. */
export function rowSql(layout: Layout): string {
  const perRow = (timeframe: string) =>
    layout === 'timeseries'
      ? `SELECT format('TS.ADD ohlcv:%s:${timeframe}%s %s %s', symbol, suffix, ms, value)
         FROM (${candles(timeframe)}) AS candle ${columns} ORDER BY symbol, ms;`
      : `SELECT format('ZADD ohlcv:%s:${timeframe} %s %s', symbol, ms, ${member})
         FROM (${candles(timeframe)}) AS candle ORDER BY symbol, ms;`
  const fields = `SELECT format('HSET indicator:%s:%s %s %s', symbol, timeframe, param_name, value) FROM (${indicators}) AS newest;`
  return [settings, ...timeframes.map(perRow), fields].join('\n')
}

/** One SQL statement that prints a command for 250 samples, or for the fields of one hash: as few commands as a restore needs. */
export function aggregatedSql(layout: Layout): string {
  const perKey = (timeframe: string) =>
    layout === 'timeseries'
      ? `SELECT format('TS.CREATE %s DUPLICATE_POLICY LAST LABELS symbol %s timeframe ${timeframe} column %s', key, symbol, name)
           || E'\\nTS.MADD ' || string_agg(format('%s %s %s', key, ms, value), ' ' ORDER BY ms) AS command
         FROM (
           SELECT *, format('ohlcv:%s:${timeframe}%s', symbol, suffix) AS key
           FROM (${candles(timeframe)}) AS candle ${columns}
         ) AS sample GROUP BY key, symbol, name`
      : `SELECT format('ZADD ohlcv:%s:${timeframe} ', symbol) || string_agg(format('%s %s', ms, ${member}), ' ' ORDER BY ms)
         FROM (${candles(timeframe)}) AS candle GROUP BY symbol`
  const hashes = `
    SELECT format('HSET indicator:%s:%s ', symbol, timeframe) || string_agg(format('%s %s', param_name, value), ' ')
    FROM (${indicators}) AS newest GROUP BY symbol, timeframe`
  return `SELECT command FROM (${[...timeframes.map(perKey), hashes].join('\nUNION ALL\n')}) AS made (command);`
}

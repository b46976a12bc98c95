// A worker as a trading system has many: it writes each candle and indicator value to PostgreSQL, and to Redis as the fast copy. While
// a symbol is not ready in Redis it leaves that symbol's keys to Rekindle, which restores them from PostgreSQL.

import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import pg from 'pg'

const { REDIS_URL = '', DATABASE_URL = '', LAYOUT = 'timeseries' } = process.env
/** Between two rounds over all symbols, in ms. */
const PERIOD = Number(process.env.PERIOD ?? 1_000)

const redis = new Redis(REDIS_URL, {
  connectionName: 'worker',
  // What could not be written now is in PostgreSQL: it must not be written later over something newer.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  enableReadyCheck: false,
  retryStrategy: () => 250,
})
redis.on('error', () => {})
const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 2 })
pool.on('error', () => {})

const stopping = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stopping.abort())

/** Symbols that this worker writes to Redis. */
let running = new Set()

/** The symbols that Redis holds whole: marks of another process than the one that answers came with old data, and do not count. */
async function readySymbols() {
  const [info, marks] = await Promise.all([redis.info('server'), redis.hgetall('rekindle:ready')])
  const runId = /^run_id:(\w+)/m.exec(info)?.[1] ?? ''
  return Object.entries(marks).flatMap(([symbol, mark]) => (mark.startsWith(`${runId}:`) ? [symbol] : []))
}

function log(event, fields) {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...fields }))
}

/** Says which symbols this worker pauses and resumes. */
async function lookWhatIsReady() {
  const ready = new Set(await readySymbols().catch(() => []))
  const paused = [...running].filter((symbol) => !ready.has(symbol))
  const resumed = [...ready].filter((symbol) => !running.has(symbol))
  if (paused.length > 0) log('paused', { symbols: paused })
  if (resumed.length > 0) log('resumed', { symbols: resumed })
  running = ready
}

/** The candle of the minute that is going on. */
async function storeCandle(symbol) {
  const { rows } = await pool.query(
    `WITH newest AS (SELECT close FROM ohlcv4_m1 WHERE symbol = $1 ORDER BY open_time DESC LIMIT 1),
       price AS (SELECT round(coalesce((SELECT close FROM newest), 100) * (1 + (random() - 0.5)::numeric / 1000), 2) AS now)
     INSERT INTO ohlcv4_m1 AS candle (symbol, open_time, open, high, low, close, volume, source)
     SELECT $1, date_trunc('minute', now() AT TIME ZONE 'UTC'), price.now, price.now, price.now, price.now, 1, 'worker' FROM price
     ON CONFLICT (symbol, open_time) DO UPDATE SET close = excluded.close, high = greatest(candle.high, excluded.close),
       low = least(candle.low, excluded.close), volume = candle.volume + 1
     RETURNING (extract(epoch FROM open_time) * 1000)::bigint::text AS time, open, high, low, close, volume`,
    [symbol],
  )
  return rows[0]
}

async function showCandle(symbol, { time, open, high, low, close, volume }) {
  const key = `ohlcv:${symbol}:m1`
  if (LAYOUT === 'sortedset') {
    const members = await redis.zrangebyscore(key, time, time)
    const member = `{"t":${time},"o":${open},"h":${high},"l":${low},"c":${close},"v":${volume}}`
    if (!members.includes(member)) await redis.multi().zremrangebyscore(key, time, time).zadd(key, time, member).exec()
    return
  }
  const columns = { '': close, ':open': open, ':high': high, ':low': low, ':volume': volume }
  const samples = Object.entries(columns).flatMap(([column, value]) => [key + column, time, value])
  await redis.call('TS.MADD', ...samples)
}

/** A new value of each indicator on the candles of one minute. */
async function storeIndicators(symbol) {
  const { rows } = await pool.query(
    `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
     SELECT id, symbol, date_trunc('minute', now() AT TIME ZONE 'UTC'), indicator || '_14', 50 + 40 * (random() - 0.5)
     FROM indicator_instances_v4 WHERE symbol = $1 AND timeframe = 'm1' AND enabled
     ON CONFLICT (instance_id, symbol, open_time, param_name) DO UPDATE SET value = excluded.value, updated_at = now()
     RETURNING param_name, value::text`,
    [symbol],
  )
  return rows
}

async function feed(symbol) {
  const candle = await storeCandle(symbol)
  const values = await storeIndicators(symbol)
  if (!running.has(symbol)) return
  await showCandle(symbol, candle)
  const fields = values.flatMap(({ param_name, value }) => [param_name, value])
  if (fields.length > 0) await redis.hset(`indicator:${symbol}:m1`, ...fields)
  await redis.set(`price:${symbol}`, candle.close)
}

while (!stopping.signal.aborted) {
  await lookWhatIsReady()
  try {
    const { rows } = await pool.query("SELECT symbol FROM tickers WHERE status = 'enabled' ORDER BY id")
    // One that fails does not keep the others from their turn.
    for (const { symbol } of rows) await feed(symbol).catch((error) => log('failed', { symbol, reason: error.message }))
  } catch (error) {
    log('failed', { reason: error.message })
  }
  await delay(PERIOD, undefined, { signal: stopping.signal }).catch(() => {})
}
redis.disconnect()
await pool.end()

import { Client } from 'pg'
import { indicatorNames, listMarkets, type Market, params } from './catalog.js'
import { addKeys, createSchema, type Database, dropKeys } from './schema.js'

export type Timeframe = 'm1' | 'm5' | 'm15'

export interface MarketOptions {
  /** How many enabled symbols (50 real names first, then SYM0051USDT and so on), or their names. Three disabled ones are added. */
  symbols: number | readonly string[]
  /** Candles of each symbol, by timeframe. */
  candles: Record<Timeframe, number>
  /** Indicator instances of each symbol, spread over the timeframes; at most 30. Default 20, which make 120 fields a symbol. */
  instances?: number
  /** For how many of its newest candles an instance has values. */
  history: number
  /** The newest candle of each timeframe is the last one closed at this time. */
  end?: Date
  seed?: number
}

export interface SeededMarket {
  symbols: string[]
  disabled: string[]
  /** Rows written, by table. */
  rows: Record<(typeof tables)[number], number>
}

const minutes: Record<Timeframe, number> = { m1: 1, m5: 5, m15: 15 }
const timeframes = Object.keys(minutes) as Timeframe[]
const tables = [
  'tickers',
  'ohlcv4_m1',
  'ohlcv4_m5',
  'ohlcv4_m15',
  'indicator_instances_v4',
  'indicator_values_v4',
] as const
const defaultEnd = new Date('2025-06-02T12:00:00Z')

/** Creates the tables in the empty database at this URL and fills them, over a connection of its own. */
export async function createMarket(url: string, options: MarketOptions): Promise<SeededMarket> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await createSchema(client)
    return await seedMarket(client, options)
  } finally {
    await client.end()
  }
}

/**
 * Fills the empty tables of `createSchema` with a believable market, the same for the same options.
 * Rows lie in the order in which time would have written them, so that reading one symbol costs what it costs in life.
 */
export async function seedMarket(client: Database, options: MarketOptions): Promise<SeededMarket> {
  const { instances = 20, history, end = defaultEnd, seed = 1 } = options
  if (instances > timeframes.length * indicatorNames.length) {
    throw new RangeError(`instances: ${instances} is more than ${timeframes.length * indicatorNames.length}`)
  }
  const markets = listMarkets(options.symbols)
  const rows = await inTransaction(client, async () => {
    await client.query("SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '256MB'; SET LOCAL jit = off")
    await dropKeys(client)
    const candles = (timeframe: Timeframe) =>
      seedCandles(client, markets, { timeframe, count: options.candles[timeframe], end, seed })
    const written = {
      tickers: await seedTickers(client, markets),
      ohlcv4_m1: await candles('m1'),
      ohlcv4_m5: await candles('m5'),
      ohlcv4_m15: await candles('m15'),
      indicator_instances_v4: await seedInstances(client, markets, instances),
      indicator_values_v4: await seedValues(client, { history, end, seed }),
    }
    await addKeys(client)
    return written
  })
  // The visibility map and the hint bits are part of a table at rest: without them the first reader pays for the seed.
  await client.query(`VACUUM (ANALYZE) ${tables.join(', ')}`)
  const names = (enabled: boolean) => markets.filter((market) => market.enabled === enabled).map(({ symbol }) => symbol)
  return { symbols: names(true), disabled: names(false), rows }
}

async function inTransaction<T>(client: Database, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN')
  try {
    const result = await work()
    await client.query('COMMIT')
    return result
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

async function seedTickers(client: Database, markets: Market[]): Promise<number> {
  const { rowCount } = await client.query(
    `INSERT INTO tickers (symbol, status, precision_price, precision_qty)
     SELECT symbol, CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END, "precisionPrice", "precisionQty"
     FROM jsonb_to_recordset($1) AS market (symbol text, enabled bool, "precisionPrice" int, "precisionQty" int)`,
    [JSON.stringify(markets)],
  )
  return rowCount ?? 0
}

interface CandleSeed {
  timeframe: Timeframe
  count: number
  end: Date
  seed: number
}

// Sixteen bits of a hash make a number from 0 to 1; the sum of four such numbers, scaled, is close enough to normal.
const uniform = (hash: string, part: number) => `((${hash} >> ${part * 16}) & 65535) / 65536.0::float8`
const normal = (hash: string) =>
  `(${[0, 1, 2, 3].map((part) => uniform(hash, part)).join(' + ')} - 2) * sqrt(3::float8)`

/**
 * A geometric random walk in whole ticks. It is walked backwards from the newest close, so that every timeframe of a symbol ends at the
 * same price and a deeper history has the same newest candles. A candle opens where the one before it closed.
 */
async function seedCandles(client: Database, markets: Market[], { timeframe, count, end, seed }: CandleSeed) {
  const length = minutes[timeframe]
  const { rowCount } = await client.query(
    // OFFSET 0 holds a subquery together: flattened, its expressions would be computed once for each use.
    `INSERT INTO ohlcv4_${timeframe} (symbol, open_time, open, high, low, close, volume, source, inserted_at)
     WITH market AS MATERIALIZED (
       SELECT *, volatility * sqrt(${length}) AS deviation, hashtextextended(symbol || '${timeframe}', $4) AS salt
       FROM jsonb_to_recordset($1) AS market
         (place int, symbol text, price float8, volatility float8, volume float8, tick numeric, lot numeric)
     ), moved AS (
       SELECT *, deviation * ${normal('hash')} AS move, hashint8extended(hash, 1) AS dice
       FROM (SELECT *, hashint8extended(age, salt) AS hash FROM market, generate_series(0, $3 - 1) AS age OFFSET 0) AS hashed
     ), walked AS (
       SELECT *, $2::timestamp - age * interval '${length} minutes' AS open_time, deviation * 0.6 AS wick,
         greatest(1, round(price * exp(sum(move) OVER (past ROWS UNBOUNDED PRECEDING)))) AS open,
         greatest(1, round(price * exp(
           coalesce(sum(move) OVER (past ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)))) AS close
       FROM moved WINDOW past AS (PARTITION BY place ORDER BY age)
       OFFSET 0
     )
     SELECT symbol, open_time,
       open::bigint * tick,
       ceil(greatest(open, close) * (1 + ${uniform('dice', 0)} * wick))::bigint * tick,
       greatest(1, floor(least(open, close) * (1 - ${uniform('dice', 1)} * wick)))::bigint * tick,
       close::bigint * tick,
       ceil(volume * ${length} * exp(0.8 * (${normal('-dice')})) * (0.5 + abs(move) / deviation))::bigint * lot,
       'seed', open_time + interval '${length} minutes'
     FROM walked ORDER BY open_time, place`,
    [JSON.stringify(markets.map(withUnits)), newestOpen(end, timeframe).toISOString(), count, seed],
  )
  return rowCount ?? 0
}

function withUnits(market: Market, place: number) {
  const unit = (precision: number) => (10 ** -precision).toFixed(precision)
  return { ...market, place, tick: unit(market.precisionPrice), lot: unit(market.precisionQty) }
}

async function seedInstances(client: Database, markets: Market[], count: number): Promise<number> {
  const plan = Array.from({ length: count }, (_, nth) => ({
    nth,
    indicator: indicatorNames[Math.floor(nth / timeframes.length)],
    timeframe: timeframes[nth % timeframes.length],
  }))
  const { rowCount } = await client.query(
    `INSERT INTO indicator_instances_v4 (indicator, symbol, timeframe, enabled, stream_publish)
     SELECT indicator, symbol, timeframe, true, true
     FROM unnest($1::text[]) WITH ORDINALITY AS market (symbol, place),
       jsonb_to_recordset($2) AS plan (nth int, indicator text, timeframe text)
     ORDER BY place, nth`,
    [markets.map(({ symbol }) => symbol), JSON.stringify(plan)],
  )
  return rowCount ?? 0
}

/** Values swing smoothly with time, those of price-like indicators around the close of their candle. */
async function seedValues(client: Database, { history, end, seed }: { history: number; end: Date; seed: number }) {
  const newest = timeframes.map(
    (timeframe, nth) => `
      SELECT '${timeframe}' AS timeframe, ${minutes[timeframe]} AS length, symbol, open_time, close::float8 AS close
      FROM ohlcv4_${timeframe}
      WHERE open_time > $${nth + 4}::timestamp - $1 * interval '${minutes[timeframe]} minutes'`,
  )
  await client.query('ANALYZE ohlcv4_m1, ohlcv4_m5, ohlcv4_m15, indicator_instances_v4')
  const { rowCount } = await client.query(
    `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value, updated_at)
     SELECT instance.id, symbol, open_time, param,
       (centre + spread * sin(
         extract(epoch FROM open_time)::float8 / (length * 60 * 23) + hashtextextended(symbol || param, $2) % 1000
       )) * CASE WHEN "ofPrice" THEN close ELSE 1 END,
       open_time + length * interval '1 minute' + interval '1 second'
     FROM (${newest.join(' UNION ALL ')}) AS candle
     JOIN indicator_instances_v4 AS instance USING (symbol, timeframe)
     JOIN jsonb_to_recordset($3) AS param (nth int, indicator text, param text, "ofPrice" bool, centre float8, spread float8)
       USING (indicator)
     ORDER BY open_time + length * interval '1 minute', instance.id, nth`,
    [
      history,
      seed,
      JSON.stringify(params.map((param, nth) => ({ nth, ...param }))),
      ...timeframes.map((timeframe) => newestOpen(end, timeframe).toISOString()),
    ],
  )
  return rowCount ?? 0
}

function newestOpen(end: Date, timeframe: Timeframe): Date {
  const length = minutes[timeframe] * 60_000
  return new Date(Math.floor(end.getTime() / length) * length - length)
}

import { afterAll, beforeAll, beforeEach } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { type CandlesConfig, configSchema, type IndicatorsConfig } from '../../src/config/schema.js'
import type { Dataset, Finding, Wanted } from '../../src/datasets/dataset.js'
import { datasetsOf } from '../../src/datasets/index.js'
import { liveValuesOf } from '../../src/datasets/live.js'
import type { LiveWriters } from '../../src/heal/heal.js'
import type { Lack, Tally } from '../../src/model.js'
import type { Database } from '../../src/postgres/database.js'
import { type OpenDatabase, openDatabase } from '../../src/postgres/database.js'
import { connectWire } from '../../src/redis/connect.js'
import { redisTime } from '../../src/redis/time.js'
import { ask, type Wire } from '../../src/redis/wire.js'
import { type Layout, type TestDatabase, useDatabase, useRedis } from '../support/servers.js'

/** A real Redis and a real PostgreSQL with the trading system's tables, both empty when a test begins. */
export interface Sides {
  readonly database: TestDatabase
  readonly db: Database
  readonly wire: Wire
  /** One command to Redis; values of series come as text. */
  redis(...command: (string | number)[]): Promise<unknown>
}

export function useSides(server = useRedis()): Sides {
  const database = useDatabase()
  let db: OpenDatabase
  let wire: Wire
  beforeAll(async () => {
    await createSchema({ query: async (sql) => ({ rows: await database.query(sql), rowCount: null }) })
    db = openDatabase(database.url, 'postgres')
    wire = await connectWire(server.url, 'test')
  })
  beforeEach(async () => {
    await ask(wire, 'FLUSHALL')
    await database.query('TRUNCATE tickers, ohlcv4_m1, indicator_instances_v4, indicator_values_v4 RESTART IDENTITY')
  })
  afterAll(async () => {
    wire?.close()
    await db?.close()
  })
  return {
    database,
    get db() {
      return db
    },
    get wire() {
      return wire
    },
    redis: (...command) => ask(wire, ...command),
  }
}

/** The dataset of one-minute candles. */
export function candlesOf(layout: Layout, more: Partial<CandlesConfig> = {}): Dataset {
  const candles = { layout, timeframes: { m1: 'ohlcv4_m1' }, ...more }
  const [dataset] = datasetsOf(configSchema.parse({ candles, indicators: false }))
  return dataset as Dataset
}

export function indicatorsOf(more: Partial<IndicatorsConfig> = {}): Dataset {
  const [dataset] = datasetsOf(configSchema.parse({ candles: false, indicators: more }))
  return dataset as Dataset
}

/** Reads and compares, as a survey does. */
export async function look(dataset: Dataset, sides: Sides, symbols: readonly string[], thorough = true) {
  const time = () => redisTime(sides.wire)
  const { wanted, leftOut } = await dataset.read(sides.db, symbols, { thorough, parts: undefined, time })
  const findings = await dataset.compare(sides.wire, wanted, thorough)
  return { findings, leftOut, lacks: lacksOf(findings) }
}

/** What a look found lacking, without what is the same for every lack of the test. */
export async function lacking(dataset: Dataset, sides: Sides, symbols: readonly string[], thorough = true) {
  const { lacks } = await look(dataset, sides, symbols, thorough)
  return lacks.map(({ key, kind, missing, differing }) => ({ key, kind, missing, differing }))
}

/** Reads, compares and writes once. */
export async function fill(
  dataset: Dataset,
  sides: Sides,
  symbols: readonly string[],
  thorough = true,
): Promise<Tally> {
  const { findings } = await look(dataset, sides, symbols, thorough)
  return dataset.write(sides.wire, findings, () => true)
}

/** Nobody writes to Redis but us: what differs is replaced at once. */
export function postgresFirst(dataset: Dataset): LiveWriters {
  const values = liveValuesOf([{ ...dataset, writers: 'postgres' }], 5_000)
  return { values, caughtUp: async () => undefined }
}

function lacksOf(findings: readonly Finding<Wanted>[]): Lack[] {
  return findings.flatMap(({ lack }) => lack ?? [])
}

/** A candle as PostgreSQL is told of it: time, then open, high, low, close and volume as numeric texts, null for NULL. */
export type Candle = readonly [time: string, ...numbers: (string | null)[]]

/** Writes candles of one symbol; without numbers of its own a candle gets some that no other has. */
export async function insertCandles(database: TestDatabase, symbol: string, candles: readonly Candle[]): Promise<void> {
  const rows = candles.map(([time, ...numbers], i) => {
    const own = ['1', '2', '0.5', '1.5', '10'].map((text) => String(Number(text) * (100 + i)))
    return [time, ...(numbers.length > 0 ? numbers : own)]
  })
  const column = (at: number): unknown[] => rows.map((row) => row[at] ?? null)
  await database.query(
    `INSERT INTO ohlcv4_m1 (symbol, open_time, open, high, low, close, volume)
     SELECT $1, t, o, h, l, c, v
     FROM unnest($2::timestamp[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::numeric[])
       AS candle (t, o, h, l, c, v)`,
    [symbol, ...[0, 1, 2, 3, 4, 5].map(column)],
  )
}

/** One-minute candles, the first at `START`. */
export function minutes(count: number): Candle[] {
  return Array.from({ length: count }, (_, i) => [new Date(START + 60_000 * i).toISOString()])
}

/** 2025-06-01, midnight UTC, in ms. */
export const START = Date.UTC(2025, 5, 1)

/** The time of the nth candle of `minutes`, in ms. */
export function minute(nth: number): number {
  return START + 60_000 * nth
}

/** Writes values of one instance of an indicator: parameter, value as text (null for NULL), time. Returns the instance's id. */
export async function insertIndicator(
  database: TestDatabase,
  { symbol, timeframe = 'm1', enabled = true }: { symbol: string; timeframe?: string; enabled?: boolean },
  values: readonly (readonly [param: string, value: string | null, time?: string, symbol?: string])[],
): Promise<number> {
  const [instance] = await database.query<{ id: number }>(
    `INSERT INTO indicator_instances_v4 (indicator, symbol, timeframe, enabled) VALUES ('x', $1, $2, $3) RETURNING id`,
    [symbol, timeframe, enabled],
  )
  const id = instance?.id ?? 0
  await database.query(
    `INSERT INTO indicator_values_v4 (instance_id, symbol, param_name, value, open_time)
     SELECT $1, unnest($2::text[]), unnest($3::text[]), unnest($4::float8[]), unnest($5::timestamp[])`,
    [
      id,
      values.map(([, , , other]) => other ?? symbol),
      values.map(([param]) => param),
      values.map(([, value]) => value),
      values.map(([, , time]) => time ?? '2025-06-01'),
    ],
  )
  return id
}

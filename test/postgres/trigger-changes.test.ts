import { Client } from 'pg'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Config, configSchema } from '../../src/config/schema.js'
import { type InstalledTriggers, installedTriggers, type Query } from '../../src/postgres/trigger-catalog.js'
import { dropTriggers, installTriggers } from '../../src/postgres/trigger-changes.js'
import { installSql } from '../../src/postgres/triggers.js'
import { useDatabase } from '../support/servers.js'
import { listen } from './listener.js'

const tables = `
  CREATE TABLE tickers (symbol text, status text);
  CREATE TABLE ohlcv4_m1 (symbol text); CREATE TABLE ohlcv4_m5 (symbol text); CREATE TABLE ohlcv4_m15 (symbol text);
  CREATE TABLE indicator_instances_v4 (id int PRIMARY KEY, symbol text, timeframe text);
  CREATE TABLE indicator_values_v4 (instance_id int, symbol text, open_time timestamp, value float8);`

const CANDLES = ['candles.m1', 'candles.m5', 'candles.m15']
const BY_DEFAULT = ['indicators', 'symbols']

/** What is announced, and what of all there is is missing. */
function announcing(...announced: string[]): InstalledTriggers {
  const missing = ['indicators', 'symbols', ...CANDLES].filter((dataset) => !announced.includes(dataset))
  return { announced: new Set(announced), missing }
}

const all = announcing(...BY_DEFAULT, ...CANDLES)
const none = announcing()
const withoutCandles = announcing(...BY_DEFAULT)

describe('installing and removing triggers', () => {
  const database = useDatabase()
  const config = configSchema.parse({})
  let client: Client
  const query: Query = async <Row>(sql: string, values: readonly unknown[]) =>
    (await client.query(sql, [...values])).rows as Row[]
  const install = (with_: Config = config, options = {}) => installTriggers(with_, options, query, 'here')
  const drop = (with_: Config = config) => dropTriggers(with_, query, 'here')
  const installed = (with_: Config = config) => installedTriggers(with_, query)

  beforeEach(async () => {
    client = new Client({ connectionString: database.url })
    await client.connect()
    await client.query(tables)
  })
  afterEach(async () => {
    await client.query('DROP SCHEMA public CASCADE; DROP SCHEMA IF EXISTS "Other" CASCADE; CREATE SCHEMA public')
    await client.end()
  })

  async function leftovers(): Promise<unknown[]> {
    const { rows } = await client.query(
      "SELECT proname AS name FROM pg_proc WHERE proname ~ '^rekindle_' UNION ALL SELECT tgname FROM pg_trigger WHERE tgname ~ '^rekindle_'",
    )
    return rows
  }

  it('tells what is installed, and leaves nothing when it removes', async () => {
    expect(await installed()).toEqual(none)
    await install(config, { candles: false })
    expect(await installed()).toEqual(withoutCandles)
    await install()
    await install()
    expect(await installed()).toEqual(all)
    expect(await drop()).toHaveLength(6)
    expect(await installed()).toEqual(none)
    expect(await leftovers()).toEqual([])
    expect(await drop()).toEqual([])
  })

  it('removes what the printed SQL installed, run twice', async () => {
    await client.query(installSql(config))
    await client.query(installSql(config))
    expect(await installed()).toEqual(all)
    await drop()
    expect(await leftovers()).toEqual([])
  })

  it('removes functions whose tables are gone', async () => {
    await install()
    await client.query('DROP TABLE tickers, ohlcv4_m1, indicator_values_v4, indicator_instances_v4')
    expect(await drop()).toHaveLength(6)
    expect(await leftovers()).toEqual([])
  })

  it('counts a trigger that is off, missing or on another channel as not installed, and mends it', async () => {
    await install()
    await client.query('ALTER TABLE ohlcv4_m5 DISABLE TRIGGER rekindle_candles_m5_ohlcv4_m5_update')
    await client.query('DROP TRIGGER rekindle_instances_indicator_instances_v4_truncate ON indicator_instances_v4')
    expect(await installed()).toEqual(announcing('symbols', 'candles.m1', 'candles.m15'))
    await install()
    expect(await installed()).toEqual(all)
    const elsewhere = configSchema.parse({ sync: { channel: 'Ünder "way"\\' } })
    expect(await installed(elsewhere)).toEqual(none)
    await install(elsewhere)
    expect(await installed(elsewhere)).toEqual(all)
    expect(await installed()).toEqual(none)
    const listener = await listen(database.url, elsewhere.sync.channel)
    expect(await listener.announced(() => client.query("INSERT INTO tickers VALUES ('X')"))).toHaveLength(1)
    await listener.close()
  })

  it('waits for nobody who only reads, and the second time for nobody who writes', async () => {
    const other = new Client({ connectionString: database.url })
    await other.connect()
    await other.query('BEGIN; SELECT FROM tickers; SELECT FROM indicator_values_v4')
    await install()
    await other.query("INSERT INTO tickers VALUES ('X'); INSERT INTO indicator_values_v4 VALUES (1, 'X')")
    await install()
    await other.query('COMMIT')
    await other.end()
    expect(await installed()).toEqual(all)
  })

  it('keeps several installations at once apart', async () => {
    const others = await Promise.all([1, 2, 3].map(() => installOnce(database.url, config)))
    expect(others).toHaveLength(3)
    expect(await installed()).toEqual(all)
  })

  it('takes tables of another schema and of odd and long names, each with its function beside it', async () => {
    const long = 'a_table_with_a_name_as_long_as_PostgreSQL_permits_for_Bücher'
    const odd = configSchema.parse({
      symbols: { query: `SELECT "S" FROM "Other"."Sym bols.v1"` },
      indicators: { instances: 'Other.Inst', values: 'Other.Values' },
      candles: { timeframes: { m1: `${long}_1`, m5: `${long}_2`, '5 "µ"': "Other.O'Hara $rekindle$ \\" } },
    })
    await client.query(`CREATE SCHEMA "Other";
      CREATE TABLE "Other"."Sym bols.v1" ("S" text);
      CREATE TABLE "Other"."Inst" (id int, symbol text, timeframe text);
      CREATE TABLE "Other"."Values" (instance_id int, symbol text, open_time timestamp);
      CREATE TABLE "${long}_1" (symbol text); CREATE TABLE "${long}_2" (symbol text);
      CREATE TABLE "Other"."O'Hara $rekindle$ \\" (symbol text)`)
    await client.query(installSql(odd))
    await install(odd)
    const found = announcing(...BY_DEFAULT, 'candles.m1', 'candles.m5', 'candles.5 "µ"')
    expect(await installed(odd)).toEqual({ ...found, missing: [] })
    const listener = await listen(database.url)
    const insert = `INSERT INTO "Other"."Inst" VALUES (1, 'X', 'm1'); INSERT INTO "Other"."Values" VALUES (1, 'X');
      INSERT INTO "Other"."Sym bols.v1" VALUES ('X'); INSERT INTO "${long}_1" VALUES ('Y'); INSERT INTO "${long}_2" VALUES ('Z');
      INSERT INTO "Other"."O'Hara $rekindle$ \\" VALUES ('W')`
    expect(await listener.announced(() => client.query(insert))).toEqual([
      { dataset: 'candles.5 "µ"', keys: [{ symbol: 'W' }] },
      { dataset: 'candles.m1', keys: [{ symbol: 'Y' }] },
      { dataset: 'candles.m5', keys: [{ symbol: 'Z' }] },
      // Of the instance, and of its value.
      { dataset: 'indicators', keys: [{ symbol: 'X', part: 'm1' }] },
      { dataset: 'indicators', keys: [{ symbol: 'X', part: 'm1' }] },
      { dataset: 'symbols', keys: 'all' },
    ])
    await listener.close()
    const { rows } = await client.query(
      `SELECT p.pronamespace = c.relnamespace AS beside FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
       JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname ~ '^rekindle_'`,
    )
    expect(rows).toEqual(Array(24).fill({ beside: true }))
    await drop(odd)
    expect(await leftovers()).toEqual([])
  })

  it('leaves views, and symbols that come from more than one table, to polling', async () => {
    await client.query('CREATE VIEW live AS SELECT symbol FROM tickers')
    const views = configSchema.parse({ symbols: { query: 'SELECT symbol FROM live' } })
    expect((await install(views)).left).toEqual({
      'symbols.query': 'live is no ordinary table; its changes are left to polling',
    })
    expect(await installed(views)).toEqual({ ...announcing('indicators', ...CANDLES), missing: [] })
    const joined = configSchema.parse({
      symbols: { query: 'SELECT symbol FROM tickers JOIN ohlcv4_m1 USING (symbol)' },
    })
    expect((await install(joined)).left['symbols.query']).toMatch(/^reads more than the table tickers/)
    expect(await installed(joined)).toEqual({ ...announcing('indicators', ...CANDLES), missing: [] })
    const none = configSchema.parse({ symbols: { query: "SELECT 'BTCUSDT'" } })
    expect((await install(none)).left['symbols.query']).toMatch(/^names no table/)
    expect(installSql(none)).toMatch(
      /^-- symbols.query: names no table after its first FROM; the symbols are left to polling$/m,
    )
  })
})

async function installOnce(url: string, config: Config) {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    const query: Query = async <Row>(sql: string, values: readonly unknown[]) => {
      return (await client.query(sql, [...values])).rows as Row[]
    }
    return await installTriggers(config, {}, query, 'here')
  } finally {
    await client.end()
  }
}

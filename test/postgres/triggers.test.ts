import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { type Config, configSchema } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { useDatabase } from '../support/servers.js'
import { type Listener, listen } from './listener.js'

const config: Config = configSchema.parse({})

describe('the triggers', () => {
  const database = useDatabase()
  let listener: Listener
  const run = (sql: string) => database.query(sql)
  const announced = (sql: string) => listener.announced(() => run(sql))
  const indicators = (...keys: [symbol: string, timeframe?: string][]) => ({
    dataset: 'indicators',
    keys: keys.map(([symbol, timeframe]) => (timeframe ? { symbol, part: timeframe } : { symbol })),
  })
  const everything = (dataset: string) => ({ dataset, keys: 'all' })

  beforeAll(async () => {
    await createSchema({ query: async (sql) => ({ rows: await run(sql), rowCount: null }) })
    await run(installSql(config))
    await run(installSql(config))
    listener = await listen(database.url)
  })
  afterAll(() => listener.close())
  beforeEach(async () => {
    await run('TRUNCATE tickers, ohlcv4_m1, ohlcv4_m5, ohlcv4_m15, indicator_instances_v4, indicator_values_v4')
    await run(`INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe) VALUES
      (1, 'ema', 'BTCUSDT', 'm1'), (2, 'ema', 'BTCUSDT', 'm5'), (3, 'ema', 'ETHUSDT', 'm1')`)
    await run(`INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value) VALUES
      (1, 'BTCUSDT', '2026-01-01', 'ema', 1), (1, 'BTCUSDT', '2026-01-02', 'ema', 2),
      (2, 'BTCUSDT', '2026-01-01', 'ema', 3), (3, 'ETHUSDT', '2026-01-01', 'ema', 4)`)
  })

  describe('of the values', () => {
    it('announces each symbol and timeframe of an INSERT once', async () => {
      const insert = `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
        SELECT i.id, i.symbol, '2026-02-01'::timestamp + n * interval '1 minute', 'ema', n
        FROM indicator_instances_v4 AS i, generate_series(1, 50) AS n`
      expect(await announced(insert)).toEqual([indicators(['BTCUSDT', 'm1'], ['BTCUSDT', 'm5'], ['ETHUSDT', 'm1'])])
    })

    it('announces an UPDATE', async () => {
      expect(await announced('UPDATE indicator_values_v4 SET value = 9 WHERE instance_id = 2')).toEqual([
        indicators(['BTCUSDT', 'm5']),
      ])
    })

    it('announces where a row was and where it is now', async () => {
      const update = "UPDATE indicator_values_v4 SET instance_id = 2, open_time = '2026-03-01' WHERE instance_id = 3"
      expect(await announced(update)).toEqual([indicators(['ETHUSDT', 'm1'], ['ETHUSDT', 'm5'])])
    })

    it('announces a DELETE', async () => {
      expect(await announced("DELETE FROM indicator_values_v4 WHERE symbol = 'BTCUSDT'")).toEqual([
        indicators(['BTCUSDT', 'm1'], ['BTCUSDT', 'm5']),
      ])
    })

    it('announces a TRUNCATE as everything', async () => {
      expect(await announced('TRUNCATE indicator_values_v4')).toEqual([everything('indicators')])
    })

    it('announces both halves of an INSERT … ON CONFLICT DO UPDATE', async () => {
      const upsert = `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value) VALUES
        (1, 'BTCUSDT', '2026-01-01', 'ema', 7), (3, 'ETHUSDT', '2026-01-05', 'ema', 7)
        ON CONFLICT (instance_id, symbol, open_time, param_name) DO UPDATE SET value = excluded.value`
      expect(await announced(upsert)).toEqual([indicators(['BTCUSDT', 'm1']), indicators(['ETHUSDT', 'm1'])])
    })

    it('announces a symbol without timeframe where the instance cannot be seen', async () => {
      await run('ALTER TABLE indicator_instances_v4 RENAME TO gone')
      expect(await announced('UPDATE indicator_values_v4 SET value = 5')).toEqual([
        indicators(['BTCUSDT'], ['ETHUSDT']),
      ])
      expect(await announced('DELETE FROM indicator_values_v4 WHERE instance_id = 1')).toEqual([
        indicators(['BTCUSDT']),
      ])
      await run('ALTER TABLE gone RENAME TO indicator_instances_v4')
      await run('ALTER TABLE indicator_values_v4 DROP CONSTRAINT indicator_values_v4_instance_id_fkey')
      const orphan = `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name)
        VALUES (77, 'XRPUSDT', '2026-01-01', 'ema')`
      expect(await announced(orphan)).toEqual([indicators(['XRPUSDT'])])
      await run('DELETE FROM indicator_values_v4 WHERE instance_id = 77')
      await run(`ALTER TABLE indicator_values_v4 ADD CONSTRAINT indicator_values_v4_instance_id_fkey
        FOREIGN KEY (instance_id) REFERENCES indicator_instances_v4 (id) ON DELETE CASCADE`)
    })

    it('announces everything, and lets the write through, where its own column is gone', async () => {
      await run('ALTER TABLE indicator_values_v4 RENAME symbol TO ticker')
      expect(await announced('UPDATE indicator_values_v4 SET value = 5')).toEqual([everything('indicators')])
      await run('ALTER TABLE indicator_values_v4 RENAME ticker TO symbol')
    })
  })

  describe('of the instances', () => {
    it('announces INSERT, UPDATE, DELETE and TRUNCATE', async () => {
      const insert =
        "INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe) VALUES (9, 'rsi', 'XRPUSDT', 'm15')"
      expect(await announced(insert)).toEqual([indicators(['XRPUSDT', 'm15'])])
      const disable = 'UPDATE indicator_instances_v4 SET enabled = false WHERE id = 1'
      expect(await announced(disable)).toEqual([indicators(['BTCUSDT', 'm1'])])
      const move = "UPDATE indicator_instances_v4 SET timeframe = 'm15' WHERE id = 3"
      expect(await announced(move)).toEqual([indicators(['ETHUSDT', 'm1'], ['ETHUSDT', 'm15'])])
      expect(await announced("DELETE FROM indicator_instances_v4 WHERE symbol = 'XRPUSDT'")).toEqual([
        indicators(['XRPUSDT', 'm15']),
      ])
      expect(await announced('TRUNCATE indicator_instances_v4 CASCADE')).toEqual([everything('indicators')])
    })

    it('announces a DELETE that cascades to the values once', async () => {
      expect(await announced("DELETE FROM indicator_instances_v4 WHERE symbol = 'BTCUSDT'")).toEqual([
        indicators(['BTCUSDT', 'm1'], ['BTCUSDT', 'm5']),
      ])
      expect(await run('SELECT DISTINCT symbol FROM indicator_values_v4')).toEqual([{ symbol: 'ETHUSDT' }])
    })
  })

  it('announces whatever happens to the symbols', async () => {
    for (const sql of [
      "INSERT INTO tickers (symbol) VALUES ('BTCUSDT'), ('ETHUSDT')",
      "UPDATE tickers SET status = 'disabled' WHERE symbol = 'BTCUSDT'",
      "DELETE FROM tickers WHERE symbol = 'BTCUSDT'",
      'TRUNCATE tickers',
    ]) {
      expect(await announced(sql)).toEqual([everything('symbols')])
    }
  })

  it.each(['m1', 'm5', 'm15'])('announces the candles of %s', async (timeframe) => {
    const table = `ohlcv4_${timeframe}`
    const candles = (...symbols: string[]) => ({
      dataset: `candles.${timeframe}`,
      keys: symbols.map((symbol) => ({ symbol })),
    })
    const insert = `INSERT INTO ${table} (symbol, open_time, close) SELECT symbol, time, 1
      FROM unnest('{BTCUSDT,ETHUSDT}'::text[]) AS symbol, generate_series('2026-01-01'::timestamp, '2026-01-02', '1h') AS time`
    expect(await announced(insert)).toEqual([candles('BTCUSDT', 'ETHUSDT')])
    expect(await announced(`UPDATE ${table} SET close = 2 WHERE symbol = 'BTCUSDT'`)).toEqual([candles('BTCUSDT')])
    expect(await announced(`UPDATE ${table} SET symbol = 'XRPUSDT' WHERE symbol = 'ETHUSDT'`)).toEqual([
      candles('ETHUSDT', 'XRPUSDT'),
    ])
    expect(await announced(`DELETE FROM ${table} WHERE symbol = 'XRPUSDT'`)).toEqual([candles('XRPUSDT')])
    expect(await announced(`TRUNCATE ${table}`)).toEqual([everything(`candles.${timeframe}`)])
  })

  it('is silent where a statement changes no row', async () => {
    for (const table of ['tickers', 'ohlcv4_m1', 'indicator_instances_v4', 'indicator_values_v4']) {
      expect(await announced(`INSERT INTO ${table} SELECT * FROM ${table} WHERE false`)).toEqual([])
      expect(await announced(`UPDATE ${table} SET symbol = 'X' WHERE false`)).toEqual([])
      expect(await announced(`DELETE FROM ${table} WHERE false`)).toEqual([])
    }
  })
})

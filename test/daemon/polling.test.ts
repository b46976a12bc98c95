import { afterEach, describe, expect, it } from 'vitest'
import { insertCandle, setIndicator } from '../../lab/worker.js'
import {
  anyLayout,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  untilWhole,
  useMarket,
} from '../support/daemon.js'
import { describeLayouts, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

const NEWEST = { symbol: 'BTCUSDT', timeframe: 'm1', openTime: new Date('2025-06-02T11:59:00Z') } as const
const PRICES = { open: 1, high: 9, low: 1, close: 5, volume: 7 }

describeLayouts('candles without triggers', (layout) => {
  const redis = useRedis()
  const { database } = useMarket({ triggers: false })
  const config = (more = {}) => testConfig(redis.url, database.url, { layout, poll: '100ms', more })
  const isOf = (dataset: string) => (event: { symbol: string; dataset: string }) =>
    event.symbol === 'BTCUSDT' && event.dataset === dataset

  it('are polled, each timeframe by itself, whatever changes of them', async () => {
    daemon = startDaemon(config())
    const { tables } = await daemon.next('change_sources')
    expect(tables.map(({ dataset, found_by }) => [dataset, found_by])).toContainEqual(['candles.m15', 'poll'])
    await daemon.next('watching')
    const changes: [string, () => Promise<unknown>][] = [
      ['candles.m1', () => insertCandle(database, { ...NEWEST, ...PRICES })],
      [
        'candles.m1',
        () => insertCandle(database, { ...NEWEST, ...PRICES, openTime: new Date('2025-06-02T12:00:00Z') }),
      ],
      ['candles.m1', () => insertCandle(database, { ...NEWEST, ...PRICES, close: 6 })],
      ['candles.m1', () => insertCandle(database, { ...NEWEST, ...PRICES, close: 5 })],
      ['candles.m15', () => database.query("UPDATE ohlcv4_m15 SET volume = volume + 1 WHERE symbol = 'BTCUSDT'")],
      [
        'candles.m5',
        () => database.query("DELETE FROM ohlcv4_m5 WHERE symbol = 'BTCUSDT' AND open_time = '2025-06-02 11:00'"),
      ],
    ]
    for (const [dataset, change] of changes) {
      daemon.passOver()
      await change()
      await daemon.next('sync', isOf(dataset))
      await untilWhole(redis.url, database, layout)
      expect(new Set(daemon.all('sync').map((event) => event.dataset))).toEqual(new Set([dataset]))
    }
    expect(daemon.all('data_loss')).toEqual([])
  })

  it('are polled in a view as well, which has no xmin', async () => {
    await database.query('ALTER TABLE ohlcv4_m5 RENAME TO kept_m5')
    await database.query('CREATE VIEW ohlcv4_m5 AS SELECT * FROM kept_m5')
    daemon = startDaemon(config())
    const { tables } = await daemon.next('change_sources')
    expect(tables.find(({ dataset }) => dataset === 'candles.m5')).toMatchObject({
      found_by: 'poll',
      why: expect.stringMatching(/is a view/),
    })
    await daemon.next('watching')
    await database.query("UPDATE kept_m5 SET close = close + 1 WHERE symbol = 'BTCUSDT'")
    await daemon.next('sync', isOf('candles.m5'))
    await untilWhole(redis.url, database, layout)
    await database.query('DROP VIEW ohlcv4_m5; ALTER TABLE kept_m5 RENAME TO ohlcv4_m5')
  })
})

describe('what cannot be polled', () => {
  const redis = useRedis()
  const { database } = useMarket({ ...SMALL, triggers: false })
  const config = () => testConfig(redis.url, database.url, { layout: anyLayout(), poll: '100ms' })

  it('is not the indicators of a table without a time of update', async () => {
    await database.query('ALTER TABLE indicator_values_v4 DROP COLUMN updated_at')
    daemon = startDaemon(config())
    await daemon.next('watching')
    await database.query('UPDATE indicator_values_v4 SET value = value + 1')
    await daemon.next('sync', ({ dataset }) => dataset === 'indicators')
    await untilWhole(redis.url, database, anyLayout())
    expect(daemon.all('degraded').map(({ what }) => what)).toEqual(['triggers'])
    await database.query('ALTER TABLE indicator_values_v4 ADD COLUMN updated_at timestamp DEFAULT now()')
  })

  it('is told with its configuration key, and found by the scrub at the latest', async () => {
    daemon = startDaemon(config())
    await daemon.next('watching')
    await database.query('ALTER TABLE ohlcv4_m5 RENAME COLUMN volume TO size')
    const told = await daemon.next('degraded', ({ what }) => what === 'candles.m5 polling')
    expect(told.hint).toBe('check candles.columns.volume: volume in the configuration')
    expect(told.reason).toMatch(/changes of candles.m5 cannot be polled, only the scrub finds them, every 600 s/)
    const { tables } = await daemon.next('change_sources', ({ tables }) =>
      tables.some(({ found_by }) => found_by === 'scrub'),
    )
    expect(tables.filter(({ found_by }) => found_by === 'scrub')).toMatchObject([
      { dataset: 'candles.m5', within_ms: 600_000 },
    ])
    await database.query('ALTER TABLE ohlcv4_m5 RENAME COLUMN size TO volume')
    await daemon.next('recovered', ({ what }) => what === 'candles.m5 polling')
    await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value: 3 })
    await database.query('UPDATE ohlcv4_m5 SET close = close + 1')
    await untilWhole(redis.url, database, anyLayout())
  })
})

describe('a look that takes long', () => {
  const redis = useRedis()
  const { database, install } = useMarket()

  it('at the start does not make it deaf to what the triggers tell', async () => {
    await install()
    const rows = { slow: { query: "SELECT 1 AS id, 'x' AS v FROM pg_sleep(1.5)", key: 'slow:{id}' } }
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: anyLayout(), poll: '10m', more: { rows } }))
    const { tables } = await daemon.next('change_sources', undefined, 40_000)
    expect(tables.filter(({ found_by }) => found_by !== 'triggers')).toMatchObject([
      { dataset: 'rows.slow', found_by: 'poll', why: 'it is a query' },
    ])
    await daemon.next('watching', undefined, 40_000)
    daemon.passOver()
    await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value: 3 })
    await daemon.next('sync', ({ dataset }) => dataset === 'indicators')
  })
})

describe('a whole look that takes long', () => {
  const redis = useRedis()
  const { database } = useMarket({ triggers: false })

  it('is not waited for where what is newest changes', async () => {
    // Each row of a timeframe takes its time, so that a whole look of 40 for each symbol takes a second, and comes once in a minute.
    await database.query('ALTER TABLE ohlcv4_m1 RENAME TO kept_m1')
    await database.query(`CREATE FUNCTION slowly(n numeric) RETURNS numeric LANGUAGE plpgsql VOLATILE AS
      'BEGIN PERFORM pg_sleep(0.005); RETURN n; END'`)
    await database.query(`CREATE VIEW ohlcv4_m1 AS
      SELECT symbol, open_time, open, high, low, slowly(close) AS close, volume FROM kept_m1`)
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: anyLayout(), poll: '100ms' }))
    await daemon.next('watching')
    const isSlow = ({ dataset, within_ms }: { dataset: string; within_ms: number }) =>
      dataset === 'candles.m1' && within_ms >= 5_000
    await daemon.next('change_sources', ({ tables }) => tables.some(isSlow), 60_000)
    for (const close of [5, 6]) {
      daemon.passOver()
      await database.query(
        "UPDATE kept_m1 SET close = $1 WHERE symbol = 'BTCUSDT' AND open_time = '2025-06-02 11:59'",
        [close],
      )
      await daemon.next('sync', ({ dataset, symbol }) => dataset === 'candles.m1' && symbol === 'BTCUSDT', 15_000)
    }
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { listMarkets } from '../../lab/catalog.js'
import { createMarket, type MarketOptions, seedMarket } from '../../lab/market.js'
import { insertCandle, setIndicator } from '../../lab/worker.js'
import { type TestDatabase, useDatabase } from '../support/servers.js'

const small: MarketOptions = { symbols: 3, candles: { m1: 40, m5: 30, m15: 300 }, history: 4 }

describe('seedMarket', () => {
  const database = useDatabase((url) => createMarket(url, small))

  it('writes what was asked for, and three disabled symbols beside it', async () => {
    expect(await count(database, 'tickers')).toBe(6)
    expect(await database.query("SELECT symbol FROM tickers WHERE status = 'enabled' ORDER BY id")).toEqual([
      { symbol: 'BTCUSDT' },
      { symbol: 'ETHUSDT' },
      { symbol: 'SOLUSDT' },
    ])
    expect(await count(database, 'ohlcv4_m1')).toBe(6 * 40)
    expect(await count(database, 'ohlcv4_m5')).toBe(6 * 30)
    expect(await count(database, 'ohlcv4_m15')).toBe(6 * 300)
    expect(await count(database, 'indicator_instances_v4')).toBe(6 * 20)
    expect(await count(database, 'indicator_values_v4')).toBe(6 * 120 * 4)
  })

  it('makes candles without gaps that open where the last one closed, in whole ticks', async () => {
    const faults = await database.query(
      `SELECT * FROM (
         SELECT candle.*, precision_price, precision_qty, lag(open_time) OVER past AS before, lag(close) OVER past AS closed
         FROM ohlcv4_m15 AS candle JOIN tickers USING (symbol) WINDOW past AS (PARTITION BY symbol ORDER BY open_time)
       ) AS candle
       WHERE open_time - before <> '15 minutes' OR open <> closed OR volume <= 0 OR low <= 0
         OR low > least(open, close) OR high < greatest(open, close)
         OR scale(open) <> precision_price OR scale(close) <> precision_price OR scale(volume) <> precision_qty`,
    )
    expect(faults).toEqual([])
    const [range] = await database.query(
      "SELECT max(high) / min(low) AS ratio FROM ohlcv4_m15 WHERE symbol = 'BTCUSDT'",
    )
    expect(Number(range?.['ratio'])).toBeGreaterThan(1.01)
    expect(Number(range?.['ratio'])).toBeLessThan(2)
  })

  it('ends every timeframe with the last candle closed at the end, at the same price', async () => {
    const newest = (timeframe: string) =>
      `(SELECT open_time::text, close::text FROM ohlcv4_${timeframe} WHERE symbol = 'BTCUSDT' ORDER BY open_time DESC LIMIT 1)`
    expect(await database.query(['m1', 'm5', 'm15'].map(newest).join(' UNION ALL '))).toEqual([
      { open_time: '2025-06-02 11:59:00', close: '67312.45' },
      { open_time: '2025-06-02 11:55:00', close: '67312.45' },
      { open_time: '2025-06-02 11:45:00', close: '67312.45' },
    ])
  })

  it('gives each symbol 120 indicator fields, each name once a timeframe', async () => {
    const fields = await database.query(
      `SELECT timeframe, count(DISTINCT param_name)::int AS names, count(*)::int AS fields FROM (
         SELECT DISTINCT instance_id, symbol, param_name FROM indicator_values_v4 WHERE symbol = 'SOLUSDT'
       ) AS field JOIN indicator_instances_v4 ON id = instance_id GROUP BY timeframe ORDER BY timeframe`,
    )
    expect(fields).toEqual([
      { timeframe: 'm1', names: 42, fields: 42 },
      { timeframe: 'm15', names: 36, fields: 36 },
      { timeframe: 'm5', names: 42, fields: 42 },
    ])
  })

  it('puts the keys and indexes back', async () => {
    const indexes = await database.query(
      "SELECT indexdef FROM pg_indexes WHERE tablename ~ '^(ohlcv4_m1|indicator_values_v4)$' ORDER BY indexname",
    )
    expect(indexes.map(({ indexdef }) => String(indexdef).replace(/^.* USING btree /, ''))).toEqual([
      '(instance_id)',
      '(instance_id, symbol, open_time, param_name)',
      '(param_name)',
      '(id)',
      '(symbol, open_time)',
      '(symbol, open_time)',
    ])
    await database.query('DELETE FROM indicator_instances_v4 WHERE id = 1')
    expect(await database.query('SELECT FROM indicator_values_v4 WHERE instance_id = 1')).toEqual([])
  })

  it('refuses more instances than there are indicators', async () => {
    const unused = { query: () => Promise.reject(new Error('unused')) }
    await expect(seedMarket(unused, { ...small, instances: 31 })).rejects.toThrow('instances: 31 is more than 30')
  })
})

describe('the seed', () => {
  const one = useDatabase((url) => createMarket(url, { ...small, seed: 7 }))
  const same = useDatabase((url) => createMarket(url, { ...small, seed: 7 }))
  const deeper = useDatabase((url) => createMarket(url, { ...small, seed: 7, candles: { m1: 90, m5: 30, m15: 300 } }))
  const other = useDatabase((url) => createMarket(url, { ...small, seed: 8 }))

  it('decides every value', async () => {
    const digest = (database: TestDatabase) =>
      database.query(
        `SELECT (SELECT md5(string_agg(c::text, ' ' ORDER BY symbol, open_time)) FROM ohlcv4_m1 AS c
                 WHERE open_time >= timestamp '2025-06-02 12:00' - interval '40 minutes') AS candles,
           (SELECT md5(string_agg(v::text, ' ' ORDER BY id)) FROM indicator_values_v4 AS v) AS indicators`,
      )
    const [expected] = await digest(one)
    expect(await digest(same)).toEqual([expected])
    expect(await digest(deeper)).toEqual([expected])
    expect((await digest(other))[0]).not.toMatchObject({ candles: expected?.['candles'] })
  })
})

describe('listMarkets', () => {
  it('has fifty real names and invents the rest', () => {
    const enabled = listMarkets(5000).filter((market) => market.enabled)
    expect(new Set(enabled.map(({ symbol }) => symbol)).size).toBe(5000)
    expect(enabled.slice(49, 52).map(({ symbol }) => symbol)).toEqual(['JUPUSDT', 'SYM0051USDT', 'SYM0052USDT'])
    expect(enabled.every(({ price, volatility, volume }) => price >= 100 && volatility > 0 && volume > 0)).toBe(true)
  })

  it('takes names as they are, also a delisted one', () => {
    const markets = listMarkets(['FTTUSDT', 'ODD "n\'ame:{}'])
    expect(markets.map(({ symbol, enabled }) => [symbol, enabled])).toEqual([
      ['FTTUSDT', true],
      ['ODD "n\'ame:{}', true],
      ['LUNAUSDT', false],
      ['WAVESUSDT', false],
    ])
  })
})

describe('a worker', () => {
  const database = useDatabase((url) => createMarket(url, { ...small, symbols: ['ADAUSDT'] }))
  const { TZ } = process.env
  afterEach(() => {
    if (TZ === undefined) delete process.env['TZ']
    else process.env['TZ'] = TZ
  })

  it.each(['UTC', 'Asia/Kolkata', 'America/New_York'])(
    'writes a candle at its time in UTC, in %s too',
    async (zone) => {
      process.env['TZ'] = zone
      const candle = { symbol: 'ADAUSDT', timeframe: 'm1', openTime: new Date('2025-06-02T12:00:00Z') } as const
      await insertCandle(database, { ...candle, open: 1, high: 1, low: 1, close: 1, volume: 1 })
      await insertCandle(database, { ...candle, open: '0.4213', high: '0.50', low: 0.42, close: 'NaN', volume: null })
      const rows = await database.query(
        `SELECT open_time::text, open, high, low, close, volume FROM ohlcv4_m1
       WHERE symbol = 'ADAUSDT' ORDER BY ohlcv4_m1.open_time DESC LIMIT 1`,
      )
      expect(rows).toEqual([
        { open_time: '2025-06-02 12:00:00', open: '0.4213', high: '0.50', low: '0.42', close: 'NaN', volume: null },
      ])
    },
  )

  it('replaces the newest value of an indicator, or adds a newer one', async () => {
    const rsi = { symbol: 'ADAUSDT', timeframe: 'm5', param: 'rsi_14' } as const
    await setIndicator(database, { ...rsi, value: 61.25 })
    await setIndicator(database, { ...rsi, value: 59.5, openTime: new Date('2025-06-02T12:00:00Z') })
    await setIndicator(database, { ...rsi, value: null })
    const rows = await database.query(
      `SELECT open_time::text, value, updated_at > now() - interval '1 minute' AS fresh
       FROM indicator_values_v4 AS v JOIN indicator_instances_v4 AS i ON i.id = instance_id
       WHERE v.symbol = 'ADAUSDT' AND timeframe = 'm5' AND param_name = 'rsi_14' ORDER BY v.open_time DESC LIMIT 3`,
    )
    expect(rows).toEqual([
      { open_time: '2025-06-02 12:00:00', value: null, fresh: true },
      { open_time: '2025-06-02 11:55:00', value: 61.25, fresh: true },
      { open_time: '2025-06-02 11:50:00', value: expect.any(Number), fresh: false },
    ])
  })

  it('does not write a parameter that never was', async () => {
    const unknown = { symbol: 'ADAUSDT', timeframe: 'm5', param: 'rsi_15', value: 1 } as const
    await expect(setIndicator(database, unknown)).rejects.toThrow('instance_id')
  })
})

async function count(database: TestDatabase, table: string): Promise<unknown> {
  const [row] = await database.query(`SELECT count(*)::int AS rows FROM ${table}`)
  return row?.['rows']
}

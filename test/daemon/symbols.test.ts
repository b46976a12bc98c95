import { Redis } from 'ioredis'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { setIndicator } from '../../lab/worker.js'
import {
  anyLayout,
  expectWhole,
  keysOf,
  LAST,
  type RunningDaemon,
  startDaemon,
  testConfig,
  untilWhole,
  useMarket,
} from '../support/daemon.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

describeLayouts('the list of symbols', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()
  let client: Redis

  beforeAll(async () => {
    await install()
    client = new Redis(redis.url)
    return () => client.disconnect()
  })

  async function whole(): Promise<void> {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    await daemon.next('watching')
    daemon.passOver()
  }

  const setStatus = (status: string, ...names: string[]): Promise<unknown> =>
    database.query('UPDATE tickers SET status = $1 WHERE symbol = ANY ($2)', [status, names])

  it('grows: the new one is restored at once, and the others stay ready', async () => {
    await whole()
    await setStatus('enabled', 'LUNAUSDT')
    expect(await daemon.next('symbols')).toMatchObject({ total: 4, added: ['LUNAUSDT'], removed: [] })
    await untilWhole(redis.url, database, layout)
    expect(daemon.all('data_loss')).toEqual([])
  })

  it('shrinks: the keys of the one that left stay, and its mark goes', async () => {
    await whole()
    await setStatus('disabled', 'LUNAUSDT')
    expect(await daemon.next('symbols')).toMatchObject({ total: 3, added: [], removed: ['LUNAUSDT'] })
    await until(async () => (await client.hexists('rekindle:ready', 'LUNAUSDT')) === 0)
    expect(await client.exists(...keysOf('LUNAUSDT', layout))).toBe(keysOf('LUNAUSDT', layout).length)
    await expectWhole(redis.url, database, layout)
    // What is no longer ours alarms nobody.
    await client.del('ohlcv:LUNAUSDT:m1', 'ohlcv:ETHUSDT:m1')
    expect(await daemon.next('data_loss')).toMatchObject({ keys_lost: 1, symbols: ['ETHUSDT'] })
    await daemon.next('healed')
    expect(await client.exists('ohlcv:LUNAUSDT:m1')).toBe(0)
  })

  it('becomes empty: that is told, and Redis stays as it is', async () => {
    await whole()
    const keys = await client.dbsize()
    await setStatus('disabled', 'BTCUSDT', 'ETHUSDT', 'SOLUSDT')
    expect(await daemon.next('degraded')).toMatchObject({ what: 'symbols', code: 'no_symbols' })
    expect(await client.dbsize()).toBe(keys)
    expect(await client.hlen('rekindle:ready')).toBe(3)
    await setStatus('enabled', 'BTCUSDT', 'ETHUSDT', 'SOLUSDT')
    expect(await daemon.next('recovered')).toMatchObject({ what: 'symbols' })
    await expectWhole(redis.url, database, layout)
    expect(daemon.all('symbols')).toEqual([])
  })

  it('holds one without candles, and one with few', async () => {
    await whole()
    await database.query(
      `INSERT INTO ohlcv4_m1 (symbol, open_time, open, high, low, close, volume)
       SELECT 'FEW', open_time, open, high, low, close, volume FROM ohlcv4_m1
       WHERE symbol = 'BTCUSDT' ORDER BY open_time DESC LIMIT 2`,
    )
    await database.query("INSERT INTO tickers (symbol) VALUES ('NONE'), ('FEW')")
    await untilWhole(redis.url, database, layout)
    expect(await client.keys('*:NONE:*')).toEqual([])
  })
})

describeLayouts('symbols with odd characters', (layout) => {
  const redis = useRedis()
  const names = [
    'BTC USDT',
    'Ωμέγα',
    "O'Neil",
    '"quoted"',
    '*',
    '{x}',
    'a:b',
    '(a,b)',
    'back\\slash',
    'new\nline',
    '$1',
  ]
  const { database, install } = useMarket({ symbols: names, candles: { m1: 10, m5: 10, m15: 10 }, instances: 3 })

  beforeAll(install)

  it('are restored, and brought back one by one', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout, storm: '0s' }))
    await daemon.next('watching')
    await expectWhole(redis.url, database, layout)
    for (const name of names) {
      await redis.cli('DEL', `ohlcv:${name}:m1`)
      expect(await daemon.next('data_loss')).toMatchObject({ symbols: [name] })
      await daemon.next('healed')
    }
    await expectWhole(redis.url, database, layout)
    daemon.passOver()
    for (const symbol of names) {
      await setIndicator(database, { symbol, timeframe: 'm1', param: 'rsi_14', value: 12.5 })
      expect(await daemon.next('sync')).toMatchObject({ symbol })
    }
    await expectWhole(redis.url, database, layout)
  })
})

describe('values that Redis cannot hold', () => {
  const redis = useRedis()
  const { database, install } = useMarket()

  beforeAll(install)

  it('are left out, and that is said once', async () => {
    const newest = 'open_time = (SELECT max(open_time) FROM ohlcv4_m1)'
    await database.query(`UPDATE ohlcv4_m1 SET volume = NULL WHERE symbol = 'BTCUSDT' AND ${newest}`)
    await database.query(`UPDATE ohlcv4_m1 SET close = 'NaN' WHERE symbol = 'ETHUSDT' AND ${newest}`)
    await database.query(
      "UPDATE indicator_values_v4 SET value = CASE param_name WHEN 'rsi_7' THEN 'NaN' WHEN 'rsi_14' THEN 'Infinity' END::float8 WHERE symbol = 'BTCUSDT' AND param_name IN ('rsi_7', 'rsi_14', 'rsi_21')",
    )
    const layout = anyLayout()
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    await daemon.next('watching')
    const client = new Redis(redis.url)
    expect(await client.hmget('indicator:BTCUSDT:m1', 'rsi_7', 'rsi_14', 'rsi_21')).toEqual([null, null, null])
    expect(await client.hlen('rekindle:ready')).toBe(3)
    const length = async (key: string): Promise<unknown> =>
      layout === 'sortedset' ? client.zcard(key) : ((await client.call('TS.RANGE', key, '-', '+')) as unknown[]).length
    expect(await length('ohlcv:ETHUSDT:m1')).toBe(LAST - 1)
    expect(await length('ohlcv:SOLUSDT:m1')).toBe(LAST)
    for (let i = 0; i < 3; i++) {
      await client.flushall()
      await daemon.next('healed')
    }
    // The first dataset is told at once, the others with whatever comes in the next minute.
    expect(daemon.events.filter(({ event }) => event === 'left_out')).toHaveLength(1)
    client.disconnect()
  })
})

import { Redis } from 'ioredis'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { startProxy, type TcpProxy } from '../../lab/proxy.js'
import { insertCandle, setIndicator } from '../../lab/worker.js'
import { installSql } from '../../src/postgres/triggers.js'
import { listen } from '../postgres/listener.js'
import {
  anyLayout,
  expectWhole,
  queryable,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  untilWhole,
  useMarket,
} from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { startRelay } from '../support/relay.js'
import { describeLayouts, until, usePostgres, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

const NEXT = { symbol: 'BTCUSDT', timeframe: 'm1', openTime: new Date('2025-06-02T12:00:00Z') } as const
const PRICES = { open: 1, high: 9, low: 1, close: 5, volume: 7 }

describeOwnServers('a value that changes in PostgreSQL while its key is restored', () => {
  describeLayouts('', (layout) => {
    const redis = useRedis()
    const { database } = useMarket()

    beforeAll(() => database.query(installSql(testConfig(redis.url, database.url))))

    const timeseries = layout === 'timeseries'
    const cases: [string, string[], (nth: number) => Promise<unknown>][] = [
      [
        'an indicator',
        ['indicator:BTCUSDT:m1', 'HSET'],
        (nth) => setIndicator(database, { symbol: 'BTCUSDT', timeframe: 'm1', param: 'rsi_14', value: 40 + nth }),
      ],
      [
        'the newest candle',
        ['ohlcv:BTCUSDT:m1', timeseries ? 'TS.CREATE' : 'ZADD'],
        (nth) =>
          insertCandle(database, {
            ...NEXT,
            ...PRICES,
            openTime: new Date('2025-06-02T11:59:00Z'),
            close: 5 + nth / 10,
          }),
      ],
      [
        'an older candle',
        ['ohlcv:BTCUSDT:m1', timeseries ? 'TS.CREATE' : 'ZADD'],
        (nth) =>
          insertCandle(database, {
            ...NEXT,
            ...PRICES,
            openTime: new Date('2025-06-02T11:45:00Z'),
            close: 5 + nth / 10,
          }),
      ],
    ]
    it.each(cases)('ends as the newer one: %s', async (_, request, change) => {
      await change(1)
      const relay = await startRelay(redis.port)
      const ear = await listen(database.url)
      try {
        daemon = startDaemon(testConfig(relay.url(redis.url), database.url, { layout }))
        await daemon.next('watching')
        // The values that PostgreSQL had are on their way, and then it has others.
        const held = relay.hold(...request)
        await redis.cli('FLUSHALL')
        const { release } = await held
        await ear.payloads(() => change(2))
        release()
        await daemon.next('healed')
        await untilWhole(redis.url, database, layout)
      } finally {
        daemon.stop()
        await Promise.all([relay.stop(), ear.close()])
      }
    })
  })
})

describeOwnServers('the listener', () => {
  const redis = useRedis()
  const postgres = usePostgres()
  const database = queryable(() => postgres.url)
  const layout = anyLayout
  let proxy: TcpProxy

  beforeAll(async () => {
    await createMarket(postgres.url, SMALL)
    await runSql(postgres.url, installSql(testConfig(redis.url, postgres.url)))
    proxy = await startProxy(postgres.port)
    return () => proxy.stop()
  })

  it('that is cut for 10 s while rows change catches up', { timeout: 60_000 }, async () => {
    daemon = startDaemon(testConfig(redis.url, proxy.url(postgres.url), { layout: layout() }))
    await daemon.next('watching')
    daemon.passOver()
    await proxy.cut()
    const cutAt = Date.now()
    await daemon.next('postgres_down')
    await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value: 77.25 })
    await insertCandle(database, { ...NEXT, ...PRICES })
    await database.query("UPDATE tickers SET status = 'enabled' WHERE symbol = 'LUNAUSDT'")
    await until(() => Date.now() - cutAt >= 10_000, { timeout: 20_000 })
    await proxy.resume()
    const gap = await daemon.next('gap')
    expect(gap.deaf_for_ms).toBeGreaterThanOrEqual(9_900)
    await untilWhole(redis.url, database, layout())
    expect(daemon.all('postgres_down')).toHaveLength(1)
    expect(daemon.all('data_loss')).toEqual([])
    // And it hears again.
    daemon.passOver()
    await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value: 78.25 })
    expect(await daemon.next('sync')).toMatchObject({ symbol: 'ETHUSDT', dataset: 'indicators', fields: 1 })
    await expectWhole(redis.url, database, layout())
  })

  it('ignores and counts what is not ours', async () => {
    daemon = startDaemon(testConfig(redis.url, postgres.url, { layout: layout() }))
    await daemon.next('watching')
    daemon.passOver()
    for (const payload of ['hello', '{}', '{"v":2,"dataset":"indicators","keys":null}', '[1]', 'x'.repeat(7_999)]) {
      await database.query('SELECT pg_notify($1, $2)', ['rekindle', payload])
    }
    await database.query('NOTIFY rekindle')
    await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value: 79.25 })
    expect(await daemon.next('sync')).toMatchObject({ symbol: 'ETHUSDT' })
    expect(daemon.all('foreign_notifications')).toEqual([
      { event: 'foreign_notifications', count: 1, example: 'hello' },
    ])
  })
})

describe('without triggers', () => {
  const redis = useRedis()
  const { database } = useMarket({ triggers: false })

  it('changes are polled, and one warning says so', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: anyLayout(), poll: '100ms' }))
    await daemon.next('watching')
    expect(daemon.all('degraded')).toMatchObject([{ what: 'triggers', hint: 'run: rekindle triggers --apply' }])
    daemon.passOver()
    for (const value of [31, 32, 33]) {
      await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value })
      await daemon.next('sync', ({ symbol, fields }) => symbol === 'ETHUSDT' && fields === 1)
    }
    await database.query("UPDATE tickers SET status = 'enabled' WHERE symbol = 'LUNAUSDT'")
    await untilWhole(redis.url, database, anyLayout())
    expect(daemon.all('degraded')).toEqual([])
    expect(daemon.all('data_loss')).toEqual([])
  })

  it('until they are installed under the running daemon', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: anyLayout(), poll: '20s' }))
    await daemon.next('watching')
    await database.query(installSql(testConfig(redis.url, database.url)))
    await daemon.next('recovered', ({ what }) => what === 'triggers')
    await setIndicator(database, { symbol: 'ETHUSDT', timeframe: 'm5', param: 'rsi_14', value: 41 })
    const { latency_ms } = await daemon.next('sync', ({ symbol }) => symbol === 'ETHUSDT')
    expect(latency_ms).toBeLessThan(5_000)
  })
})

describe('changes of one instance', () => {
  const redis = useRedis()
  const { database, install } = useMarket()

  beforeAll(install)

  it('reach Redis within one notification, and leave the rest alone', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: anyLayout() }))
    await daemon.next('watching')
    daemon.passOver()
    await database.query("UPDATE indicator_values_v4 SET value = value + 1 WHERE symbol = 'SOLUSDT'")
    await untilWhole(redis.url, database, anyLayout())
    expect(new Set(daemon.all('sync').map(({ symbol }) => symbol))).toEqual(new Set(['SOLUSDT']))
    const client = new Redis(redis.url)
    const before = await client.hgetall('indicator:SOLUSDT:m1')
    await database.query("DELETE FROM indicator_values_v4 WHERE symbol = 'SOLUSDT' AND param_name = 'rsi_14'")
    await database.query("UPDATE indicator_values_v4 SET value = value + 1 WHERE symbol = 'SOLUSDT'")
    await until(async () => (await client.hget('indicator:SOLUSDT:m1', 'rsi_7')) !== before['rsi_7'])
    // What PostgreSQL no longer has is reported by verify, and never removed by itself.
    expect(await client.hget('indicator:SOLUSDT:m1', 'rsi_14')).toBe(before['rsi_14'])
    client.disconnect()
  })
})

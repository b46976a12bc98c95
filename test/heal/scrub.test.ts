import { Redis } from 'ioredis'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { type RunningDaemon, startDaemon, testConfig, untilWhole, useMarket } from '../support/daemon.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

describeLayouts('the scrub', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()
  let daemon: RunningDaemon
  let client: Redis

  beforeAll(async () => {
    await install()
    client = new Redis(redis.url, { protocol: 2 })
    return () => client.disconnect()
  })
  afterEach(() => daemon.stop())

  async function whole(): Promise<void> {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout, scrub: '200ms' }))
    await daemon.next('watching')
    daemon.passOver()
  }

  /** The time of the n-th of 40 candles. */
  async function timeOf(key: string, nth: number): Promise<number> {
    if (layout === 'sortedset') return JSON.parse((await client.zrange(key, `${nth}`, `${nth}`))[0] ?? '{}').t
    return Number(((await client.call('TS.RANGE', key, '-', '+')) as [number, string][])[nth]?.[0])
  }

  async function removeCandle(key: string, time: number): Promise<unknown> {
    return layout === 'sortedset' ? client.zremrangebyscore(key, time, time) : client.call('TS.DEL', key, time, time)
  }

  async function replaceCandle(key: string, time: number): Promise<void> {
    await removeCandle(key, time)
    const member = JSON.stringify({ t: time, o: 1, h: 1, l: 1, c: 1, v: 1 })
    if (layout === 'sortedset') await client.zadd(key, time, member)
    else await client.call('TS.ADD', key, time, 1)
  }

  it('finds what nothing announces: a hole, and values that differ', async () => {
    await whole()
    await removeCandle('ohlcv:BTCUSDT:m1', await timeOf('ohlcv:BTCUSDT:m1', 20))
    await replaceCandle('ohlcv:ETHUSDT:m5', await timeOf('ohlcv:ETHUSDT:m5', 10))
    await client.hset('indicator:SOLUSDT:m15', 'rsi_14', -1)
    await client.hdel('indicator:SOLUSDT:m15', 'rsi_7')
    await until(() => daemon.all('drift').length >= 3)
    const drifts = Object.fromEntries(daemon.all('drift').map((event) => [event.dataset, event]))
    expect(drifts).toMatchObject({
      'candles.m1': { kinds: { hole: 1 }, keys: ['ohlcv:BTCUSDT:m1'], missing: 1, differing: 0 },
      'candles.m5': { kinds: { differs: 1 }, keys: ['ohlcv:ETHUSDT:m5'], missing: 0, differing: 1 },
      indicators: { kinds: { hole: 1 }, symbols: ['SOLUSDT'], missing: 1, differing: 1 },
    })
    await untilWhole(redis.url, database, layout)
    expect(daemon.all('data_loss')).toEqual([])
  })

  it('leaves alone what a worker has written that PostgreSQL does not have', async () => {
    const key = 'ohlcv:BTCUSDT:m1'
    const next = (await timeOf(key, 39)) + 60_000
    await whole()
    await replaceCandle(key, next)
    await client.hset('indicator:BTCUSDT:m1', 'of_its_own', 7)
    // Something that it does mend shows that it has been there.
    await client.hset('indicator:BTCUSDT:m1', 'rsi_14', -1)
    await daemon.next('drift')
    await until(async () => (await client.hget('indicator:BTCUSDT:m1', 'rsi_14')) !== '-1')
    expect(await timeOf(key, 40)).toBe(next)
    expect(await client.hget('indicator:BTCUSDT:m1', 'of_its_own')).toBe('7')
    expect(daemon.all('drift')).toHaveLength(1)
  })
})

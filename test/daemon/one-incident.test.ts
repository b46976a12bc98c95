import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { expectWhole, keysOf, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeLayouts, useRedis } from '../support/servers.js'

describeLayouts('one incident', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket({ symbols: 17 })
  let daemon: RunningDaemon
  let client: Redis
  let symbols: string[]

  beforeAll(async () => {
    await install()
    const rows = await database.query<{ symbol: string }>("SELECT symbol FROM tickers WHERE status = 'enabled'")
    symbols = rows.map(({ symbol }) => symbol)
    client = new Redis(redis.url)
    return () => client.disconnect()
  })
  afterEach(() => daemon.stop())

  async function whole(): Promise<void> {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    await daemon.next('watching')
    daemon.passOver()
  }

  it('is a hundred keys that are deleted one after the other', async () => {
    await whole()
    const keys = symbols.flatMap((symbol) => keysOf(symbol, layout)).slice(0, 100)
    for (const key of keys) await client.del(key)
    await daemon.next('healed')
    await expectWhole(redis.url, database, layout)
    expect(daemon.all('data_loss')).toMatchObject([{ cause: 'deletion' }])
    expect(daemon.all('healed')).toMatchObject([{ keys: 100 }])
  })

  it('is a hundred keys that one command deletes', async () => {
    await whole()
    await client.unlink(...symbols.flatMap((symbol) => keysOf(symbol, layout)).slice(0, 100))
    const loss = await daemon.next('data_loss')
    expect(loss).toMatchObject({ cause: 'deletion' })
    expect(loss.symbols.length).toBeLessThan(loss.symbols_lost)
    expect(await daemon.next('healed')).toMatchObject({ keys: 100 })
    await expectWhole(redis.url, database, layout)
    expect(daemon.all('data_loss')).toHaveLength(1)
  })

  it('is not what happens to another database', async () => {
    await whole()
    await client.multi().select(1).set('other', 1).flushdb().select(0).exec()
    expect(await daemon.next('suspicion')).toMatchObject({ signals: ['flush'], symbols: 'all' })
    await client.del('ohlcv:ETHUSDT:m1')
    await daemon.next('healed')
    expect(daemon.all('data_loss')).toMatchObject([{ cause: 'deletion', keys_lost: 1 }])
  })

  it('is not what ten thousand writes a second to other keys are, nor our own', async () => {
    await whole()
    const writers = await Promise.all([1, 2, 3].map((nth) => write(nth)))
    const written = writers.reduce((total, count) => total + count, 0)
    expect(written).toBeGreaterThan(15_000)
    expect(daemon.all('suspicion')).toEqual([])
    expect(daemon.all('data_loss')).toEqual([])
    expect(daemon.all('drift')).toEqual([])
    // It still sees what matters.
    await client.del('ohlcv:ETHUSDT:m1')
    expect(await daemon.next('data_loss')).toMatchObject({ cause: 'deletion', keys_lost: 1 })
    await daemon.next('healed')
  })

  /** Writes what workers write, 100 commands every 20 ms for 2 s; returns how many. */
  async function write(nth: number): Promise<number> {
    const worker = new Redis(redis.url)
    const until = Date.now() + 2_000
    let count = 0
    while (Date.now() < until) {
      const batch = worker.pipeline()
      for (let i = 0; i < 25; i++, count += 4) {
        const time = 1_800_000_000_000 + count
        batch.set(`price:${i}`, count)
        batch.hset(`indicator:OTHER${i}:m1`, 'rsi', count)
        batch.hset(`indicator:BTCUSDT:m1`, `worker_${nth}_${i}`, count)
        if (layout === 'timeseries') batch.call('TS.ADD', `ohlcv:OTHER${nth}:m1`, time, i)
        else batch.zadd(`ohlcv:OTHER${nth}:m1`, time, time)
      }
      await Promise.all([batch.exec(), delay(20)])
    }
    worker.disconnect()
    return count
  }
})

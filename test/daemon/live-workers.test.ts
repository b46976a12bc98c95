import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { expectWhole, LAST, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { type Relay, startRelay } from '../support/relay.js'
import { describeLayouts, useRedis } from '../support/servers.js'

// What a live worker writes after a loss and before the heal must stand, wherever exactly it falls.
describeOwnServers('a live worker that is faster than the heal', () => {
  describeLayouts('', (layout) => {
    const redis = useRedis()
    const { database, install } = useMarket()
    const key = 'ohlcv:BTCUSDT:m1'
    const hash = 'indicator:BTCUSDT:m1'
    let daemon: RunningDaemon
    let relay: Relay
    let worker: Redis
    let newest: number
    let field: string

    beforeAll(async () => {
      await install()
      const [candle] = await database.query<{ t: string }>(
        "SELECT (extract(epoch FROM max(open_time)) * 1000)::bigint AS t FROM ohlcv4_m1 WHERE symbol = 'BTCUSDT'",
      )
      newest = Number(candle?.t)
      const [param] = await database.query<{ param_name: string }>(
        `SELECT param_name FROM indicator_values_v4 AS v JOIN indicator_instances_v4 AS i ON i.id = instance_id
         WHERE i.symbol = 'BTCUSDT' AND timeframe = 'm1'`,
      )
      field = param?.param_name ?? ''
      worker = new Redis(redis.url, { protocol: 2 })
      return () => worker.disconnect()
    })
    beforeEach(async () => {
      await worker.flushall()
      relay = await startRelay(redis.port)
      daemon = startDaemon(testConfig(relay.url(redis.url), database.url, { layout }))
      await daemon.next('watching')
      await expectWhole(redis.url, database, layout)
      daemon.passOver()
    })
    afterEach(async () => {
      daemon.stop()
      await relay.stop()
    })

    /** Writes the candle that PostgreSQL has as its newest, with other numbers, and the one after it. */
    async function writeCandles(): Promise<void> {
      for (const time of [newest, newest + 60_000]) {
        if (layout === 'timeseries') await worker.call('TS.ADD', key, time, 42)
        else await worker.zadd(key, time, candle(time))
      }
    }

    const candle = (time: number): string => `{"t":${time},"o":42,"h":42,"l":42,"c":42,"v":42}`

    async function expectCandles(): Promise<void> {
      if (layout === 'sortedset') {
        expect(await worker.zrangebyscore(key, newest, newest)).toEqual([candle(newest)])
        expect(await worker.zcard(key)).toBe(LAST + 1)
        return
      }
      const samples = (await worker.call('TS.RANGE', key, '-', '+')) as [number, string][]
      expect(samples).toHaveLength(LAST + 1)
      expect(samples.slice(-2)).toEqual([
        [newest, '42'],
        [newest + 60_000, '42'],
      ])
    }

    /** The series that the worker made with the defaults of the server has our labels, and takes a second write. */
    async function expectAdopted(): Promise<void> {
      const info = (await worker.call('TS.INFO', key)) as unknown[]
      const fact = (name: string): unknown => info[info.indexOf(name) + 1]
      expect(fact('duplicatePolicy')).toBe('last')
      expect(fact('labels')).toEqual(
        expect.arrayContaining([
          ['symbol', 'BTCUSDT'],
          ['timeframe', 'm1'],
          ['column', 'close'],
        ]),
      )
    }

    const [look, write] = layout === 'timeseries' ? ['TS.RANGE', 'TS.CREATE'] : ['ZRANGEBYSCORE', 'ZADD']

    it.each([
      ['before the heal looks', look],
      ['after it has looked', write],
    ])('has its newest candle left alone %s', async (_, command) => {
      const held = relay.hold(`${key}\r\n`, command)
      await worker.flushall()
      const { release } = await held
      await writeCandles()
      release()
      await daemon.next('healed')
      await expectCandles()
      if (layout === 'timeseries' && command === look) await expectAdopted()
    })

    it.each([
      ['before the heal looks', 'HGETALL'],
      ['after it has looked', 'HSET'],
    ])('has its indicator left alone %s', async (_, command) => {
      const held = relay.hold(hash, command)
      await worker.flushall()
      const { release } = await held
      await worker.hset(hash, field, '42.5', 'of_its_own', '1')
      release()
      await daemon.next('healed')
      expect(await worker.hmget(hash, field, 'of_its_own')).toEqual(['42.5', '1'])
      const [count] = await database.query<{ count: string }>(
        `SELECT count(DISTINCT param_name) FROM indicator_values_v4 AS v JOIN indicator_instances_v4 AS i ON i.id = instance_id
         WHERE i.symbol = 'BTCUSDT' AND timeframe = 'm1'`,
      )
      expect(await worker.hlen(hash)).toBe(Number(count?.count) + 1)
    })
  })
})

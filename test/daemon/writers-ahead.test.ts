import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { installSql } from '../../src/postgres/triggers.js'
import { LAST, type RunningDaemon, startDaemon, testConfig, untilWhole, useMarket } from '../support/daemon.js'
import { type LiveWorker, startLiveWorker } from '../support/live-worker.js'
import { describeOwnServers } from '../support/processes.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

const SETTLE = 2_500

// Workers write Redis at once and PostgreSQL some time later; what they wrote must stand, whatever happens in between.
describeOwnServers('workers ahead of PostgreSQL', () => {
  describeLayouts('', (layout) => {
    const redis = useRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    const { database } = useMarket({ triggers: false })
    let field = ''
    let time = 0
    let daemon: RunningDaemon
    let worker: LiveWorker
    let reader: Redis

    const config = (writers = 'auto', scrub = '1s') =>
      testConfig(redis.url, database.url, {
        layout,
        scrub,
        more: {
          candles: { layout, last: LAST, writers },
          indicators: { writers },
          sync: { settle: `${SETTLE}ms` },
        },
      })

    beforeAll(async () => {
      await database.query(installSql(testConfig('redis://127.0.0.1', database.url)))
      const [candle] = await database.query<{ t: string }>(
        "SELECT (extract(epoch FROM max(open_time)) * 1000)::bigint AS t FROM ohlcv4_m1 WHERE symbol = 'BTCUSDT'",
      )
      time = Number(candle?.t)
      const [param] = await database.query<{ param_name: string }>(
        `SELECT param_name FROM indicator_values_v4 AS v JOIN indicator_instances_v4 AS i ON i.id = instance_id
         WHERE i.symbol = 'BTCUSDT' AND timeframe = 'm1'`,
      )
      field = param?.param_name ?? ''
    })
    beforeEach(async () => {
      await redis.cli('FLUSHALL')
      daemon = startDaemon(config())
      await daemon.next('watching')
      reader = new Redis(redis.url, { protocol: 2 })
      reader.on('error', () => undefined)
    })
    afterEach(() => {
      daemon.stop()
      reader.disconnect()
    })

    const work = (lag: number): LiveWorker =>
      startLiveWorker({ redisUrl: redis.url, database, layout, symbol: 'BTCUSDT', field, time, lag })

    it.each([0, 50, 300, 2_000])('%i ms: no value of theirs goes back', { timeout: 60_000 }, async (lag) => {
      worker = work(lag)
      await delay(1_500)
      // A flush.
      worker.forgive()
      await redis.cli('FLUSHALL')
      worker.forgive()
      await daemon.next('healed')
      await delay(1_000)
      // A gap of the listener.
      await database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rekindle' AND datname = current_database()",
      )
      await daemon.next('gap')
      await delay(1_000)
      // Another daemon, which knows nothing.
      daemon.stop()
      daemon = startDaemon(config())
      await daemon.next('watching')
      await delay(1_000)
      // Another process of Redis.
      await redis.kill()
      worker.forgive()
      await redis.start()
      worker.forgive()
      await daemon.next('redis_up')
      await delay(2_500)
      await worker.stop()
      expect(worker.reverted).toEqual([])
      expect(worker.writes).toBeGreaterThan(30)
      // Nor after the last write, for as long as PostgreSQL catches up.
      await untilWhole(redis.url, database, layout)
      expect(daemon.all('drift')).toEqual([])
    })

    it('`writers: postgres` follows PostgreSQL at once, and takes what they wrote back', async () => {
      daemon.stop()
      daemon = startDaemon(config('postgres'))
      await daemon.next('watching')
      worker = work(300)
      await until(async () => worker.reverted.length >= 2, { what: 'values taken back' })
      await worker.stop()
    })

    it('one that dies between its two writes leaves a drift, which is mended', { timeout: 60_000 }, async () => {
      worker = work(50)
      await delay(1_500)
      await worker.stop('redis only')
      const diedAt = Date.now()
      expect(await reader.hget('indicator:BTCUSDT:m1', field)).toBe('555')
      // Whatever changes in PostgreSQL meanwhile.
      await database.query("UPDATE ohlcv4_m1 SET source = 'x' WHERE symbol = 'BTCUSDT'")
      await database.query("UPDATE indicator_values_v4 SET updated_at = now() WHERE symbol = 'BTCUSDT'")
      await delay(SETTLE / 2)
      expect(await reader.hget('indicator:BTCUSDT:m1', field)).toBe('555')
      await daemon.next('drift', ({ dataset }) => dataset === 'candles.m1')
      await until(async () => (await reader.hget('indicator:BTCUSDT:m1', field)) !== '555', { timeout: 10_000 })
      expect(Date.now() - diedAt).toBeGreaterThanOrEqual(SETTLE)
      await untilWhole(redis.url, database, layout)
      expect(
        daemon
          .all('drift')
          .map(({ dataset }) => dataset)
          .sort(),
      ).toEqual(['candles.m1', 'indicators'])
    })

    it('one that dies is found out also where nothing else gives reason to look', { timeout: 60_000 }, async () => {
      daemon.stop()
      daemon = startDaemon(config('auto', '10m'))
      await daemon.next('watching')
      worker = work(50)
      await delay(1_500)
      await worker.stop('redis only')
      const diedAt = Date.now()
      const drifted = new Set<string>()
      while (drifted.size < 2) drifted.add((await daemon.next('drift')).dataset)
      expect([...drifted].sort()).toEqual(['candles.m1', 'indicators'])
      expect(Date.now() - diedAt).toBeGreaterThanOrEqual(SETTLE)
      expect(Date.now() - diedAt).toBeLessThan(5 * SETTLE)
      await untilWhole(redis.url, database, layout)
      // A field that a worker has taken away is not left out either.
      await reader.hdel('indicator:BTCUSDT:m1', field)
      await untilWhole(redis.url, database, layout)
      expect(daemon.all('data_loss')).toEqual([])
    })

    it('what goes through PostgreSQL first is followed at once', { timeout: 60_000 }, async () => {
      await delay(SETTLE)
      const took: number[] = []
      for (let i = 0; i < 20; i++) {
        const value = 1_000 + (i % 3)
        const from = performance.now()
        await database.query(
          'UPDATE ohlcv4_m1 SET close = $1 WHERE symbol = $2 AND open_time = to_timestamp($3) AT TIME ZONE $4',
          [value, 'BTCUSDT', time / 1_000, 'UTC'],
        )
        await until(async () => (await closeOf()) === value, { timeout: 1_000, what: `close ${value}` })
        took.push(performance.now() - from)
      }
      expect(took).toHaveLength(20)
    })

    async function closeOf(): Promise<number> {
      const key = 'ohlcv:BTCUSDT:m1'
      if (layout === 'timeseries')
        return Number(((await reader.call('TS.RANGE', key, time, time)) as [number, string][])[0]?.[1])
      return Number(JSON.parse((await reader.zrangebyscore(key, time, time))[0] ?? '{}').c)
    }
  })
})

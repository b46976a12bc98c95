import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { insertCandle } from '../../lab/worker.js'
import {
  expectWhole,
  keysOf,
  oneIncident,
  type RunningDaemon,
  startDaemon,
  testConfig,
  useMarket,
} from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { startRelay } from '../support/relay.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

describeOwnServers('another process', () => {
  describeLayouts('at the same address', (layout) => {
    const redis = useRedis({ args: ['--appendonly', 'no'] })
    const { database, install } = useMarket()
    const count = () => 3 * keysOf('', layout).length

    beforeAll(install)

    async function whole(url = redis.url): Promise<string | undefined> {
      daemon = startDaemon(testConfig(url, database.url, { layout }))
      const { run_id } = await daemon.next('watching')
      daemon.passOver()
      return run_id
    }

    async function addCandle(symbol: string, close: number): Promise<void> {
      await insertCandle(database, {
        symbol,
        timeframe: 'm1',
        openTime: new Date('2025-06-02T13:00:00Z'),
        open: 1,
        high: 9,
        low: 1,
        close,
        volume: 5,
      })
    }

    it('is a restart where nothing was persisted', async () => {
      const runId = await whole()
      await redis.kill()
      await daemon.next('redis_down')
      await redis.start()
      expect(await daemon.next('redis_up')).toMatchObject({ previous_run_id: runId })
      const { loss } = await oneIncident(daemon, 'restart')
      expect(loss).toMatchObject({ previous_run_id: runId, keys_lost: count(), symbols_lost: 3 })
      expect(loss.run_id).not.toBe(runId)
      expect(loss.evidence).toMatchObject({ aof_enabled: false, loading: false })
      await expectWhole(redis.url, database, layout)
    })

    it('that has loaded its AOF gets only the tail that it lacks', async () => {
      await redis.kill()
      await redis.start(['--appendonly', 'yes'])
      await whole()
      await redis.kill('SIGTERM')
      await daemon.next('redis_down')
      await addCandle('BTCUSDT', 2)
      await addCandle('ETHUSDT', 3)
      await redis.start(['--appendonly', 'yes'])
      const { loss, healed } = await oneIncident(daemon, 'restart')
      const lacking = layout === 'sortedset' ? 2 : 10
      expect(loss).toMatchObject({ keys_lost: 0, keys_incomplete: { stale_tail: lacking }, symbols_lost: 2 })
      expect(loss.evidence).toMatchObject({ aof_enabled: true })
      expect(healed).toMatchObject({ keys: lacking, samples: lacking, fields: 0, symbols: 2 })
      await expectWhole(redis.url, database, layout)
    })

    it('that has loaded its AOF and lacks nothing is no loss', async () => {
      await redis.kill()
      await redis.start(['--appendonly', 'yes'])
      const before = await whole()
      await redis.kill('SIGTERM')
      await redis.start(['--appendonly', 'yes'])
      expect(await daemon.next('watching')).not.toMatchObject({ run_id: before })
      expect(daemon.all('data_loss')).toEqual([])
      await expectWhole(redis.url, database, layout)
      await redis.kill()
      await redis.start()
    })

    it('that has loaded an old RDB gets what is missing, and what has changed since', async () => {
      await whole()
      await redis.cli('DEL', 'ohlcv:ETHUSDT:m5')
      await redis.cli('HDEL', 'indicator:BTCUSDT:m5', 'rsi_14')
      await redis.cli('SAVE')
      await daemon.next('healed')
      await redis.kill()
      await daemon.next('redis_down')
      await database.query(
        "UPDATE ohlcv4_m15 SET close = close * 2 WHERE symbol = 'SOLUSDT' AND open_time = (SELECT max(open_time) FROM ohlcv4_m15)",
      )
      await addCandle('SOLUSDT', 2)
      await redis.start()
      const { loss, healed } = await oneIncident(daemon, 'restart')
      const columns = layout === 'sortedset' ? 1 : 5
      expect(loss).toMatchObject({
        keys_lost: 1,
        keys_incomplete: { hole: 1, stale_tail: columns, differs: 1 },
        symbols_lost: 3,
      })
      expect(healed).toMatchObject({ keys: 3 + columns, samples: 40 + columns + 1, fields: 1, symbols: 3 })
      await expectWhole(redis.url, database, layout)
    })

    it('in another folder is a replacement', async () => {
      await whole()
      const other = join(redis.dir, 'other')
      mkdirSync(other, { recursive: true })
      await redis.kill()
      await redis.start(['--dir', other])
      const { loss } = await oneIncident(daemon, 'replacement')
      expect(loss).toMatchObject({ keys_lost: count() })
      await expectWhole(redis.url, database, layout)
    })

    it('that was a replica and has been promoted is a failover', async () => {
      const replica = await startRedis({ args: ['--replica-read-only', 'no'] })
      const relay = await startRelay(redis.port)
      try {
        await redis.cli('CONFIG', 'SET', 'repl-diskless-sync-delay', 0)
        await replica.cli('REPLICAOF', redis.host, redis.port)
        await until(async () => /master_link_status:up/.test(String(await replica.cli('INFO', 'replication'))))
        await whole(relay.url(redis.url))
        await until(() => replica.cli('EXISTS', 'rekindle:epoch'))
        await replica.cli('DEL', 'ohlcv:ETHUSDT:m5')
        relay.pointAt(replica.port)
        // Told as a replica first, and used as soon as it is promoted.
        await daemon.next('redis_down', ({ code }) => code === 'redis_readonly')
        await replica.cli('REPLICAOF', 'NO', 'ONE')
        const { loss, healed } = await oneIncident(daemon, 'failover')
        expect(loss).toMatchObject({ keys_lost: 1, symbols: ['ETHUSDT'] })
        expect(healed.keys).toBe(1)
        await expectWhole(replica.url, database, layout)
      } finally {
        daemon.stop()
        await relay.stop()
        await replica.stop()
      }
    })

    it('that has nothing to do with the one before is a replacement', async () => {
      const stranger = await startRedis()
      const relay = await startRelay(redis.port)
      try {
        await whole(relay.url(redis.url))
        relay.pointAt(stranger.port)
        const { loss } = await oneIncident(daemon, 'replacement')
        expect(loss).toMatchObject({ keys_lost: count() })
        await expectWhole(stranger.url, database, layout)
      } finally {
        daemon.stop()
        await relay.stop()
        await stranger.stop()
      }
    })
  })
})

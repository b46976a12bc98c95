import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { insertCandle } from '../../lab/worker.js'
import type { Cause } from '../../src/model.js'
import {
  type EventOf,
  expectWhole,
  keysOf,
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

/** The alert and the end of one incident, which must be the only one. */
async function incident(cause: Cause): Promise<{ loss: EventOf<'data_loss'>; healed: EventOf<'healed'> }> {
  const loss = await daemon.next('data_loss')
  expect(loss).toMatchObject({ cause })
  const healed = await daemon.next('healed')
  expect(healed).toMatchObject({ cause, incident: loss.incident, supersedes: [] })
  expect(healed.time_to_heal_ms).toBeGreaterThanOrEqual(loss.time_to_detect_ms)
  return { loss, healed }
}

describeLayouts('what empties a running server', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()
  const keys = () => symbols.flatMap((symbol) => keysOf(symbol, layout))
  let symbols: string[]

  beforeAll(async () => {
    await install()
    symbols = (await database.query<{ symbol: string }>("SELECT symbol FROM tickers WHERE status = 'enabled'")).map(
      ({ symbol }) => symbol,
    )
  })

  async function whole(): Promise<void> {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    await daemon.next('watching')
    daemon.skip()
  }

  it('fills an empty server at the first look', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    const { loss, healed } = await incident('unknown')
    expect(loss.evidence).toMatchObject({ first_look: true })
    expect(loss).toMatchObject({ keys_lost: keys().length, symbols_lost: 3, keys_incomplete: {} })
    expect(healed).toMatchObject({ keys: keys().length, symbols: 3 })
    expect(await daemon.next('watching')).toMatchObject({ symbols: 3, keys: keys().length })
    await expectWhole(redis.url, database, layout)
  })

  it('does nothing where everything is whole already', async () => {
    await whole()
    expect(daemon.all('data_loss')).toEqual([])
    expect(daemon.all('drift')).toEqual([])
  })

  for (const command of [['FLUSHALL'], ['FLUSHALL', 'ASYNC'], ['FLUSHDB'], ['FLUSHDB', 'ASYNC']]) {
    it(`tells ${command.join(' ')}, and who ran it`, async () => {
      await whole()
      const culprit = new Redis(redis.url, { connectionName: 'somebody' })
      await culprit.call(command[0] as string, ...command.slice(1))
      const { loss, healed } = await incident('flush')
      expect(loss).toMatchObject({
        keys_lost: keys().length,
        symbols_lost: 3,
        symbols: symbols.sort(),
        keys_incomplete: {},
      })
      expect(loss.run_id).toBe(loss.previous_run_id)
      expect(Date.parse(loss.last_seen_whole_at ?? '')).toBeLessThanOrEqual(Date.now())
      const { flushall_calls, flushdb_calls, swapdb_calls } = loss.evidence
      const calls = { FLUSHALL: flushall_calls, FLUSHDB: flushdb_calls, SWAPDB: swapdb_calls }
      // Redis 8 counts the command only when the memory is freed.
      expect(calls).toMatchObject({ FLUSHALL: 0, FLUSHDB: 0, SWAPDB: 0, [command[0] ?? '']: expect.toBeOneOf([0, 1]) })
      expect(loss.evidence).toMatchObject({
        client: { name: 'somebody', cmd: expect.stringMatching(/^flush/) },
      })
      expect(loss.evidence['signals']).toContain('flush')
      expect(healed).toMatchObject({ keys: keys().length, symbols: 3 })
      await expectWhole(redis.url, database, layout)
      culprit.disconnect()
      expect(daemon.all('data_loss')).toHaveLength(1)
    })
  }

  it('tells SWAPDB', async () => {
    await whole()
    await redis.cli('SWAPDB', 0, 1)
    const { loss } = await incident('swapdb')
    expect(loss.evidence).toMatchObject({ swapdb_calls: 1, flushall_calls: 0, flushdb_calls: 0 })
    expect(loss.keys_lost).toBe(keys().length)
    await expectWhole(redis.url, database, layout)
  })
})

describeOwnServers('another process', () => {
  describeLayouts('at the same address', (layout) => {
    const redis = useRedis({ args: ['--appendonly', 'no'] })
    const { database, install } = useMarket()
    const count = () => 3 * keysOf('', layout).length

    beforeAll(install)

    async function whole(url = redis.url): Promise<string | undefined> {
      daemon = startDaemon(testConfig(url, database.url, { layout }))
      const { run_id } = await daemon.next('watching')
      daemon.skip()
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
      const { loss } = await incident('restart')
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
      const { loss, healed } = await incident('restart')
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
      const { loss, healed } = await incident('restart')
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
      const { loss } = await incident('replacement')
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
        const { loss, healed } = await incident('failover')
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
        const { loss } = await incident('replacement')
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

import { Client } from 'pg'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { installSql } from '../../src/postgres/triggers.js'
import {
  anyLayout,
  expectWhole,
  queryable,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  useMarket,
} from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { type Relay, startRelay } from '../support/relay.js'
import { describeLayouts, until, usePostgres, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

describeOwnServers('Redis, during a restore', () => {
  describeLayouts('loses its data', (layout) => {
    const redis = useRedis()
    const { database, install } = useMarket()
    let relay: Relay

    beforeAll(install)
    beforeEach(async () => {
      relay = await startRelay(redis.port)
      return () => relay.stop()
    })

    /** Flushes, and stops the restore where the shorter timeframes are back and the longest is not. */
    async function halfRestored(): Promise<{ release(): void }> {
      daemon = startDaemon(testConfig(relay.url(redis.url), database.url, { layout }))
      await daemon.next('watching')
      daemon.passOver()
      const held = relay.hold(':m15', layout === 'timeseries' ? 'TS.CREATE' : 'ZADD')
      await redis.cli('FLUSHALL')
      expect(await daemon.next('data_loss')).toMatchObject({ cause: 'flush', symbols_lost: 3 })
      const { release } = await held
      expect(await redis.cli('EXISTS', 'ohlcv:BTCUSDT:m1', 'ohlcv:BTCUSDT:m5', 'indicator:BTCUSDT:m1')).toBe(3)
      expect(await redis.cli('EXISTS', 'ohlcv:BTCUSDT:m15', 'rekindle:epoch', 'rekindle:ready')).toBe(0)
      return { release }
    }

    it('by a second FLUSHALL', async () => {
      const { release } = await halfRestored()
      await redis.cli('FLUSHALL')
      release()
      expect(await daemon.next('loss_joined')).toMatchObject({ cause: 'flush', incident: 2 })
      expect(await daemon.next('healed')).toMatchObject({ incident: 2, supersedes: [], symbols: 3, losses: 2 })
      expect(daemon.all('data_loss')).toHaveLength(1)
      await expectWhole(redis.url, database, layout)
    })

    it('by kill -9', async () => {
      await redis.cli('FLUSHALL')
      const { release } = await halfRestored()
      await redis.kill()
      release()
      await daemon.next('redis_down')
      await redis.start()
      expect(await daemon.next('loss_joined')).toMatchObject({ cause: 'restart' })
      expect(await daemon.next('healed')).toMatchObject({ causes: ['flush', 'restart'], symbols: 3, losses: 2 })
      expect(daemon.all('data_loss')).toHaveLength(1)
      await expectWhole(redis.url, database, layout)
    })

    it('not at all, when only the connection breaks', async () => {
      const { release } = await halfRestored()
      relay.pointAt(redis.port)
      release()
      expect(await daemon.next('redis_down')).toMatchObject({ code: 'redis_unreachable' })
      expect(await daemon.next('healed')).toMatchObject({ cause: 'flush', supersedes: [], symbols: 3 })
      await expectWhole(redis.url, database, layout)
      expect(daemon.all('data_loss')).toHaveLength(1)
      expect(daemon.all('drift')).toEqual([])
    })
  })
})

describeOwnServers('PostgreSQL', () => {
  const redis = useRedis()
  const postgres = usePostgres()
  const database = queryable(() => postgres.url)

  beforeAll(async () => {
    await createMarket(postgres.url, SMALL)
    await runSql(postgres.url, installSql(config()))
  })
  const config = () => testConfig(redis.url, postgres.url, { layout: anyLayout() })

  async function whole(): Promise<void> {
    daemon = startDaemon(config())
    await daemon.next('watching')
    daemon.passOver()
  }

  it('is restarted while a restore reads from it', async () => {
    await whole()
    const blocker = new Client({ connectionString: postgres.url })
    blocker.on('error', () => {})
    await blocker.connect()
    await blocker.query('BEGIN; LOCK TABLE ohlcv4_m5 IN ACCESS EXCLUSIVE MODE')
    await redis.cli('FLUSHALL')
    await daemon.next('data_loss')
    await until(async () => {
      const { rows } = await blocker.query("SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
      return rows.length > 0
    })
    await postgres.restart()
    expect(await daemon.next('healed')).toMatchObject({ cause: 'flush', symbols: 3 })
    await expectWhole(redis.url, database, anyLayout())
    await until(() => daemon.all('gap').length === 1)
    await blocker.end().catch(() => undefined)
  })

  it('is away when Redis is flushed: the alert comes at once, the data when it is back', async () => {
    await whole()
    await postgres.kill()
    await daemon.next('postgres_down')
    await redis.cli('FLUSHALL')
    expect(await daemon.next('data_loss')).toMatchObject({ cause: 'flush', symbols_lost: 3 })
    await redis.cli('SET', 'mark', 1)
    await postgres.start()
    await daemon.next('postgres_up')
    expect(await daemon.next('healed')).toMatchObject({ symbols: 3 })
    await expectWhole(redis.url, database, anyLayout())
    expect(daemon.all('postgres_down')).toHaveLength(1)
  })

  it('is away when a key is deleted: the alert comes at once', async () => {
    await whole()
    await postgres.kill()
    await daemon.next('postgres_down')
    await redis.cli('DEL', 'ohlcv:ETHUSDT:m5')
    expect(await daemon.next('data_loss')).toMatchObject({ cause: 'deletion', keys_lost: 1, symbols: ['ETHUSDT'] })
    await postgres.start()
    expect(await daemon.next('healed')).toMatchObject({ keys: 1, symbols: 1 })
    await expectWhole(redis.url, database, anyLayout())
  })

  it('is away at the start, and then Redis, and then both', async () => {
    const absences: [string, boolean, boolean][] = [
      ['postgres_down', false, true],
      ['redis_down', true, false],
      ['redis_down', true, true],
    ]
    for (const [down, redisAway, postgresAway] of absences) {
      if (redisAway) await redis.kill()
      if (postgresAway) await postgres.kill()
      daemon = startDaemon(config())
      await daemon.next(down as 'redis_down')
      // Long enough for many attempts.
      await new Promise((resolve) => setTimeout(resolve, 500))
      if (postgresAway) await postgres.start()
      if (redisAway) await redis.start()
      await daemon.next('watching')
      await expectWhole(redis.url, database, anyLayout())
      expect(daemon.all('redis_down')).toHaveLength(redisAway ? 1 : 0)
      expect(daemon.all('postgres_down')).toHaveLength(postgresAway ? 1 : 0)
      expect(daemon.all('degraded')).toEqual([])
      daemon.stop()
    }
  })
})

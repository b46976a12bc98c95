import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { anyLayout, expectWhole, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

describeOwnServers('a Redis in trouble', () => {
  describeLayouts('', (layout) => {
    const redis = useRedis({ args: ['--loading-process-events-interval-bytes', '1024'] })
    const { database, install } = useMarket()
    let client: Redis

    beforeAll(async () => {
      await install()
      client = new Redis(redis.url)
      client.on('error', () => {})
      return () => client.disconnect()
    })

    async function whole(): Promise<void> {
      daemon = startDaemon(testConfig(redis.url, database.url, { layout, poll: '50ms' }))
      await daemon.next('watching')
      daemon.passOver()
    }

    /** Refused writes, as counted by Redis itself. */
    async function refusals(code: string): Promise<number> {
      const stats = await client.info('errorstats')
      return Number(new RegExp(`errorstat_${code}:count=(\\d+)`).exec(stats)?.[1] ?? 0)
    }

    it('is full: it is asked again with pauses, and healed when there is room', async () => {
      await whole()
      await client.config('SET', 'maxmemory', 1)
      try {
        await client.flushall()
        expect(await daemon.next('data_loss')).toMatchObject({ cause: 'flush' })
        await until(async () => (await refusals('OOM')) > 3)
      } finally {
        await client.config('SET', 'maxmemory', 0)
      }
      await daemon.next('healed')
      await expectWhole(redis.url, database, layout)
      expect(daemon.all('data_loss')).toHaveLength(1)
      // It passes by itself, so it is no news before 30 s.
      expect(daemon.all('degraded')).toEqual([])
      expect(daemon.all('redis_down')).toEqual([])
    })

    it('cannot save its snapshot: the same', async () => {
      await whole()
      // Its file cannot be written where a folder has its name.
      const file = join(redis.dir, 'dump.rdb')
      mkdirSync(file)
      await client.config('SET', 'save', '3600 1')
      await client.bgsave().catch(() => undefined)
      await until(async () => /rdb_last_bgsave_status:err/.test(await client.info('persistence')))
      await client.del('ohlcv:ETHUSDT:m5').catch(() => undefined)
      expect(await client.exists('ohlcv:ETHUSDT:m5')).toBe(1)
      await client.config('SET', 'stop-writes-on-bgsave-error', 'no')
      await client.flushall().catch(() => undefined)
      await client.config('SET', 'stop-writes-on-bgsave-error', 'yes')
      expect(await daemon.next('data_loss')).toMatchObject({ evidence: { rdb_last_status: 'err' } })
      rmSync(file, { recursive: true })
      await client.config('SET', 'save', '')
      await client.bgsave()
      await daemon.next('healed')
      await expectWhole(redis.url, database, layout)
      expect(daemon.all('degraded')).toEqual([])
    })

    it('is busy with a script: nothing is thought to be lost, and losses are seen afterwards', async () => {
      await whole()
      await client.config('SET', 'lua-time-limit', 20)
      const other = new Redis(redis.url)
      await other.ping()
      const running = other.eval('while true do end', 0).catch(() => undefined)
      // Several polls come and are refused.
      const refused = async (): Promise<boolean> => /BUSY/.test(await client.ping().catch(String))
      await until(refused)
      await new Promise((resolve) => setTimeout(resolve, 300))
      await client.call('SCRIPT', 'KILL')
      await running
      other.disconnect()
      await client.del('ohlcv:ETHUSDT:m5')
      expect(await daemon.next('data_loss')).toMatchObject({ cause: 'deletion', keys_lost: 1 })
      await daemon.next('healed')
      expect(daemon.all('redis_down')).toEqual([])
    })

    it('loads its data: that is waited for, and nothing of it is written again', async () => {
      await whole()
      const keys = await client.dbsize()
      await client.save()
      await redis.kill()
      await daemon.next('redis_down')
      const started = redis.start(['--key-load-delay', '20000'])
      expect(await daemon.next('redis_down', ({ code }) => code === 'redis_busy')).toMatchObject({
        reason: expect.stringMatching(/LOADING/),
      })
      await started
      await daemon.next('watching')
      expect(await client.dbsize()).toBe(keys)
      await expectWhole(redis.url, database, layout)
      expect(daemon.all('data_loss')).toEqual([])
      rmSync(join(redis.dir, 'dump.rdb'))
    })

    it('hangs for a moment: nothing happens', async () => {
      await whole()
      redis.pause()
      const asked = client.ping()
      await new Promise((resolve) => setTimeout(resolve, 500))
      redis.resume()
      await asked
      await client.del('ohlcv:ETHUSDT:m5')
      await daemon.next('healed')
      expect(daemon.all('redis_down')).toEqual([])
      expect(daemon.all('data_loss')).toMatchObject([{ cause: 'deletion', keys_lost: 1 }])
    })
  })

  describeLayouts('that becomes a replica', (layout) => {
    const redis = useRedis()
    const { database, install } = useMarket()

    beforeAll(install)

    it('is not written to, and followed when it is promoted', async () => {
      const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
      try {
        daemon = startDaemon(testConfig(redis.url, database.url, { layout, poll: '50ms' }))
        await daemon.next('watching')
        daemon.passOver()
        await redis.cli('REPLICAOF', master.host, master.port)
        // It takes over the emptiness of its master, and nobody heals it.
        await until(() => daemon.all('redis_down').length > 0)
        await until(async () => (await redis.cli('DBSIZE')) === 0)
        await redis.cli('REPLICAOF', 'NO', 'ONE')
        await daemon.next('healed')
        await expectWhole(redis.url, database, layout)
        expect(daemon.all('redis_down')).toMatchObject([{ code: 'redis_readonly' }])
        expect(daemon.all('data_loss')).toMatchObject([{ symbols_lost: 3, cause: 'failover' }])
        expect(await master.cli('DBSIZE')).toBe(0)
      } finally {
        daemon.stop()
        await master.stop()
      }
    })

    it('from the start is waited for', async () => {
      const master = await startRedis({ args: ['--repl-diskless-sync-delay', '0'] })
      try {
        await master.cli('SET', 'price', 1)
        await redis.cli('REPLICAOF', master.host, master.port)
        await until(async () => (await redis.cli('DBSIZE')) === 1)
        daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
        const down = await daemon.next('redis_down')
        expect(down).toMatchObject({ code: 'redis_readonly', hint: expect.stringMatching(/primary/) })
        await redis.cli('REPLICAOF', 'NO', 'ONE')
        await daemon.next('watching')
        await expectWhole(redis.url, database, layout)
      } finally {
        daemon.stop()
        await master.stop()
      }
    })
  })
})

describeOwnServers('a Redis that hangs for longer than a reply may take', () => {
  const redis = useRedis()
  const { database, install } = useMarket()

  beforeAll(install)

  it('is told to be down, and healed of what it lost meanwhile', { timeout: 60_000 }, async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: anyLayout(), poll: '50ms' }))
    await daemon.next('watching')
    daemon.passOver()
    redis.pause()
    const flushed = redis.cli('FLUSHALL').catch(() => redis.cli('FLUSHALL'))
    expect(await daemon.next('redis_down')).toMatchObject({ reason: expect.stringMatching(/timed out/) })
    redis.resume()
    await flushed
    await daemon.next('healed')
    await until(async () => (await redis.cli('EXISTS', 'rekindle:epoch')) === 1)
    await expectWhole(redis.url, database, anyLayout())
    expect(daemon.all('redis_down')).toHaveLength(1)
  })
})

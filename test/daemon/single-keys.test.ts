import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import type { Cause } from '../../src/model.js'
import { expectWhole, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

/** Memory that Redis may still use before it evicts: more than its buffers need. */
const LEEWAY = 1_000_000

describeLayouts('a single key', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()
  let daemon: RunningDaemon
  let client: Redis

  beforeAll(async () => {
    await install()
    client = new Redis(redis.url)
  })
  afterAll(() => client.disconnect())
  beforeEach(async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout, poll: '10s' }))
    await daemon.next('watching')
    daemon.passOver()
    await client.config('RESETSTAT')
  })
  afterEach(() => daemon.stop())

  const key = 'ohlcv:ETHUSDT:m5'

  /** Calls of some commands since the test began. */
  async function calls(...commands: string[]): Promise<number> {
    const stats = await client.info('commandstats')
    const count = (name: string) => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    return commands.reduce((total, name) => total + count(name), 0)
  }

  /** One key of one symbol was lost and is back, and nothing else was written. */
  async function expectOneKey(cause: Cause, keyEvents: object): Promise<void> {
    const loss = await daemon.next('data_loss')
    expect(loss).toMatchObject({ cause, symbols_lost: 1, symbols: ['ETHUSDT'] })
    expect(loss.evidence).toMatchObject({ key_events: keyEvents, first_look: false })
    expect(await daemon.next('healed')).toMatchObject({ cause, keys: 1, samples: 40, fields: 0, symbols: 1 })
    expect(daemon.all('data_loss')).toHaveLength(1)
    expect(daemon.all('drift')).toEqual([])
    await expectWhole(redis.url, database, layout)
  }

  const losses: [string, object, () => Promise<unknown>][] = [
    ['DEL', { del: 1 }, () => client.del(key)],
    ['UNLINK', { del: 1 }, () => client.unlink(key)],
    ['an expiry', { expired: 1 }, () => client.pexpire(key, 1)],
    ['RENAME', { rename_from: 1 }, () => client.rename(key, 'elsewhere')],
  ]
  it.each(losses)('is brought back after %s, and that symbol alone is written', async (_, keyEvents, lose) => {
    await lose()
    await expectOneKey('deletion', keyEvents)
    // One series is made by TS.CREATE, TS.MADD and TS.ADD; one set by ZADD for all but the newest, which goes by script.
    if (layout === 'timeseries') expect(await calls('ts.create', 'ts.madd', 'ts.add', 'ts.alter')).toBe(3)
    else expect(await calls('zadd')).toBe(2)
  })

  it('that holds another type is renamed aside, and made anew', async () => {
    await client.set(key, 'not a candle')
    const loss = await daemon.next('data_loss')
    expect(loss).toMatchObject({ cause: 'corruption', keys_lost: 0, keys_incomplete: { wrong_type: 1 } })
    expect(loss.evidence).toMatchObject({ key_events: { set: 1 } })
    expect(await daemon.next('healed')).toMatchObject({ cause: 'corruption', keys: 1 })
    expect(await client.get(`rekindle:aside:${key}`)).toBe('not a candle')
    const ttl = await client.ttl(`rekindle:aside:${key}`)
    expect(ttl).toBeGreaterThan(7 * 86_400 - 60)
    expect(ttl).toBeLessThanOrEqual(7 * 86_400)
    await expectWhole(redis.url, database, layout)
  })

  it('that holds another type again is kept beside the first', async () => {
    await client.lpush('list', 'a')
    await client.rename('list', key)
    expect(await daemon.next('data_loss')).toMatchObject({ cause: 'corruption' })
    await daemon.next('healed')
    expect(await client.get(`rekindle:aside:${key}`)).toBe('not a candle')
    expect(await client.lrange(`rekindle:aside:${key}:2`, 0, -1)).toEqual(['a'])
    expect(await client.ttl(`rekindle:aside:${key}:2`)).toBeGreaterThan(0)
    await expectWhole(redis.url, database, layout)
  })

  it('of the indicators is brought back field by field', async () => {
    const fields = await client.hlen('indicator:ETHUSDT:m1')
    await client.del('indicator:ETHUSDT:m1')
    expect(await daemon.next('data_loss')).toMatchObject({ cause: 'deletion', keys_lost: 1 })
    expect(await daemon.next('healed')).toMatchObject({ keys: 1, samples: 0, fields })
    await expectWhole(redis.url, database, layout)
  })

  it('is told for what it is where an eviction took it', async () => {
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
    await client.config('SET', 'maxmemory-policy', 'allkeys-random')
    await client.config('SET', 'maxmemory', used + LEEWAY)
    try {
      const evictions = async (): Promise<number> =>
        Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1] ?? 0)
      for (let i = 0; (await evictions()) < 300; i++) {
        await client.set(`filler:${i}`, 'x'.repeat(5_000)).catch(() => undefined)
      }
      const loss = await daemon.next('data_loss')
      expect(loss).toMatchObject({ cause: 'eviction' })
      expect(loss.evidence).toMatchObject({ maxmemory_policy: 'allkeys-random', maxmemory: used + LEEWAY })
      expect(loss.evidence['evicted_keys']).toBeGreaterThan(0)
      // A storm is one incident, not one a key.
      expect(daemon.all('data_loss').length).toBeLessThanOrEqual(2)
    } finally {
      await client.config('SET', 'maxmemory', 0)
      await client.config('SET', 'maxmemory-policy', 'noeviction')
    }
    await until(() => client.exists('rekindle:epoch'), { timeout: 20_000 })
    await daemon.next('healed')
    await expectWhole(redis.url, database, layout)
  })
})

import { afterEach, beforeEach, expect, it } from 'vitest'
import type { KeysAtStake, RiskFacts } from '../../src/decide/risks-facts.js'
import { watchRisks } from '../../src/doctor/watch-risks.js'
import { connectWire } from '../../src/redis/connect.js'
import { ask, type Wire } from '../../src/redis/wire.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'

const PRECIOUS: KeysAtStake = { backup: 10, unclassified: 0, expiring: false }

describeOwnServers('the guard', () => {
  const redis = useRedis({ modules: false })
  let probe: Wire
  let clock = 0

  beforeEach(async () => {
    probe = await connectWire(redis.url, 'rekindle-test')
    await redis.cli('CONFIG', 'SET', 'appendonly', 'yes')
  })
  afterEach(async () => {
    probe.close()
    const usual = { maxmemory: 0, 'maxmemory-policy': 'noeviction', save: '', appendfsync: 'everysec' }
    for (const [name, value] of Object.entries(usual)) await redis.cli('CONFIG', 'SET', name, value)
  })

  function guard(stake = PRECIOUS, more?: () => Partial<Pick<RiskFacts, 'backups'>>) {
    const look = watchRisks({
      probe: () => probe,
      stake: () => stake,
      clock: () => ++clock * 1_000,
      ...(more && { more }),
    })
    /** What a look told: `+code`, `-code`. */
    return async () => {
      const { appeared, gone } = await look()
      return [...appeared.map(({ code }) => `+${code}`), ...gone.map(({ code }) => `-${code}`)]
    }
  }
  const set = (name: string, value: string | number) => redis.cli('CONFIG', 'SET', name, value)

  it('tells each finding once when it comes, and once when it goes', async () => {
    const look = guard()
    await look()
    expect(await look()).toEqual(['+no_replica'])
    await set('appendonly', 'no')
    expect(await look()).toEqual([])
    expect(await look()).toEqual(['+aof_off', '+no_save_points'])
    expect(await look()).toEqual([])
    await set('save', '60 1')
    expect([await look(), await look(), await look()]).toEqual([[], [], ['-no_save_points']])
    await set('save', '')
    await set('appendonly', 'yes')
    expect([await look(), await look(), await look()]).toEqual([[], [], ['-aof_off']])
  })

  it('says nothing of a moment', async () => {
    const look = guard()
    await look()
    await look()
    for (let i = 0; i < 3; i++) {
      await set('appendfsync', 'no')
      expect(await look()).toEqual([])
      await set('appendfsync', 'everysec')
      expect([await look(), await look()].flat()).toEqual([])
    }
  })

  it('tells what stands at every other look, once', async () => {
    const look = guard()
    await look()
    await look()
    const told: string[] = []
    for (let i = 0; i < 4; i++) {
      await set('appendfsync', i % 2 === 0 ? 'no' : 'everysec')
      told.push(...(await look()))
    }
    expect(told).toEqual(['+aof_fsync_no'])
    expect([await look(), await look()].flat()).toEqual(['-aof_fsync_no'])
  })

  it('holds on to a memory that is nearly full', async () => {
    const look = guard()
    await look()
    await look()
    // So much that the connections of the test itself do not tip the scales.
    await redis.cli('SET', 'big', 'x'.repeat(20_000_000))
    const used = async () => Number(/used_memory:(\d+)/.exec(String(await redis.cli('INFO', 'memory')))?.[1])
    const share = async (part: number) => set('maxmemory', Math.round((await used()) / part))
    await share(0.93)
    expect([await look(), await look()]).toEqual([[], ['+maxmemory_near']])
    await share(0.87)
    expect([await look(), await look(), await look(), await look()].flat()).toEqual([])
    await share(0.5)
    expect([await look(), await look(), await look()].flat()).toEqual(['-maxmemory_near'])
  })

  it('tells of evictions since the last look, not of old ones', async () => {
    const evict = async () => {
      const before = String(await redis.cli('INFO', 'stats'))
      await redis.cli('SET', 'big', 'x'.repeat(500_000))
      await set('maxmemory', 1)
      await set('maxmemory', 0)
      await until(
        async () =>
          String(await redis.cli('INFO', 'stats')).match(/evicted_keys:\d+/)?.[0] !==
          before.match(/evicted_keys:\d+/)?.[0],
      )
    }
    await set('maxmemory-policy', 'allkeys-lru')
    await evict()
    const look = guard()
    expect([await look(), await look()].flat()).toEqual(['+eviction_drops_keys', '+no_replica'])
    await evict()
    await look()
    await evict()
    expect(await look()).toEqual(['+evicting'])
  })

  it('asks nothing of a pure cache', async () => {
    await set('appendonly', 'no')
    const look = guard({ backup: 0, unclassified: 0, expiring: false })
    expect([await look(), await look(), await look()].flat()).toEqual([])
  })

  it('takes what others have found out as well', async () => {
    const backups = {
      dir: '/b',
      scheduled: true,
      due: 0,
      alertAfter: undefined,
      newest: undefined,
      oldest: undefined,
      proved: undefined,
      failed: undefined,
    }
    const look = guard(PRECIOUS, () => ({ backups }))
    await look()
    expect(await look()).toContain('+no_backup')
  })

  it('rejects if Redis is away, and then has not looked', async () => {
    const look = guard()
    await look()
    probe.close()
    await expect(look()).rejects.toThrow()
    probe = await connectWire(redis.url, 'rekindle-test')
    expect(await look()).toEqual(['+no_replica'])
  })

  it('waits while Redis loads its data', async () => {
    await redis.cli('FLUSHALL')
    await redis.cli('EVAL', "for i = 1, 2000 do redis.call('SET', i, i) end", 0)
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
    await redis.cli('SAVE')
    const look = guard()
    await look()
    await redis.kill()
    const slowly = ['--key-load-delay', '1000', '--loading-process-events-interval-bytes', '1024']
    const started = redis.start(slowly)
    probe.close()
    probe = await until(() => connectWire(redis.url, 'rekindle-test').catch(() => undefined))
    expect(String(await ask(probe, 'INFO', 'persistence'))).toContain('loading:1')
    expect(await look()).toEqual([])
    expect(await look()).toEqual([])
    await started
    expect(await look()).toContain('+aof_off')
  })

  it('costs Redis next to nothing: one round trip of small commands', async () => {
    const look = guard()
    await look()
    await redis.cli('CONFIG', 'RESETSTAT')
    const began = performance.now()
    for (let i = 0; i < 100; i++) await look()
    const each = (performance.now() - began) / 100
    const stats = String(await redis.cli('INFO', 'commandstats'))
    const sum = (what: string) =>
      [...stats.matchAll(new RegExp(`cmdstat_(?:info|config\\|get):.*?${what}=(\\d+)`, 'g'))].reduce(
        (all, [, text]) => all + Number(text),
        0,
      )
    expect(sum('calls')).toBeLessThanOrEqual(100 * 13 + 1)
    expect(sum('usec') / 100).toBeLessThan(2_000)
    expect(each).toBeLessThan(20)
  })
})

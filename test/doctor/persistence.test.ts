import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { CACHE, codesOf, examined } from './examined.js'

const PRECIOUS = 'sub:user:1'
/** What every server of these tests lacks. */
const ALWAYS = ['no_backup', 'no_schedule', 'flush_open', '(no_replica)', '(no_password)']

describeOwnServers('what the doctor finds about persistence', () => {
  const redis = useRedis({ modules: false, args: ['--enable-protected-configs', 'yes'] })

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    await redis.cli('CONFIG', 'SET', 'appendonly', 'yes')
    await redis.cli('SET', PRECIOUS, 'x')
    await redis.cli('CONFIG', 'RESETSTAT')
    await until(async () => /aof_rewrite_in_progress:0/.test(String(await redis.cli('INFO', 'persistence'))))
  })

  const set = (name: string, value: string | number) => redis.cli('CONFIG', 'SET', name, value)

  it('finds nothing about persistence with an append-only file', async () => {
    expect(await codesOf(redis.url)).toEqual(ALWAYS)
  })

  it.each<[string, string, string, string[]]>([
    ['appendfsync', 'no', 'everysec', ['aof_fsync_no']],
    ['appendfsync', 'always', 'everysec', []],
    ['no-appendfsync-on-rewrite', 'yes', 'no', ['(aof_fsync_paused)']],
    ['auto-aof-rewrite-percentage', '0', '100', ['aof_rewrite_off']],
    ['appendonly', 'no', 'yes', ['aof_off', 'no_save_points']],
    ['maxmemory-policy', 'allkeys-lru', 'noeviction', ['(eviction_drops_keys)']],
    ['maxmemory-policy', 'volatile-lru', 'noeviction', []],
  ])('with %s %s', async (name, value, usual, found) => {
    await set(name, value)
    expect((await codesOf(redis.url)).filter((code) => !ALWAYS.includes(code))).toEqual(found)
    await set(name, usual)
  })

  it('looks at the time to live of what a policy may evict', async () => {
    await set('maxmemory', 1024 ** 3)
    await set('maxmemory-policy', 'volatile-ttl')
    expect(await codesOf(redis.url)).not.toContain('eviction_drops_keys')
    await redis.cli('EXPIRE', PRECIOUS, 1_000)
    expect(await codesOf(redis.url)).toContain('eviction_drops_keys')
    await set('maxmemory-policy', 'noeviction')
    await set('maxmemory', 0)
  })

  it('finds maxmemory near, for a cache as well', async () => {
    await redis.cli('DEL', PRECIOUS)
    const used = Number(/used_memory:(\d+)/.exec(String(await redis.cli('INFO', 'memory')))?.[1])
    await set('maxmemory', Math.round(used * 1.05))
    expect(await codesOf(redis.url, CACHE)).toContain('maxmemory_near')
    await set('maxmemory-policy', 'allkeys-lru')
    expect(await codesOf(redis.url, CACHE)).not.toContain('maxmemory_near')
    await set('maxmemory', 0)
    await set('maxmemory-policy', 'noeviction')
  })

  it('finds a snapshot that failed, and what that means', async () => {
    const folder = join(redis.dir, 'gone')
    mkdirSync(folder)
    await set('appendonly', 'no')
    await set('save', '3600 1')
    await set('dir', folder)
    rmSync(folder, { recursive: true })
    await redis.cli('BGSAVE')
    await until(async () => /rdb_last_bgsave_status:err/.test(String(await redis.cli('INFO', 'persistence'))))
    const { risks } = await examined(redis.url)
    expect(risks.find(({ code }) => code === 'rdb_failed')?.message).toBe(
      'The last snapshot (BGSAVE) failed, and until one succeeds Redis refuses every write.',
    )
    await expect(redis.cli('SET', 'a', 1)).rejects.toThrow(/MISCONF/)
    await set('stop-writes-on-bgsave-error', 'no')
    expect(await codesOf(redis.url)).toEqual(expect.arrayContaining(['rdb_failed', '(stop_writes_off)']))
    await set('dir', redis.dir)
    await redis.cli('BGSAVE')
    await until(async () => /rdb_last_bgsave_status:ok/.test(String(await redis.cli('INFO', 'persistence'))))
    expect(await codesOf(redis.url)).not.toContain('rdb_failed')
    await set('save', '')
    await set('stop-writes-on-bgsave-error', 'yes')
  })

  it('finds an append-only file that has grown and is not rewritten', async () => {
    await set('auto-aof-rewrite-percentage', '0')
    await set('auto-aof-rewrite-min-size', 1_000)
    await redis.cli('SET', PRECIOUS, 'x'.repeat(100_000))
    expect(await codesOf(redis.url)).toEqual(expect.arrayContaining(['aof_rewrite_off', 'aof_grown']))
    await set('auto-aof-rewrite-min-size', 64 * 1024 ** 2)
    await set('auto-aof-rewrite-percentage', 100)
  })

  it('asks nothing of a pure cache', async () => {
    await set('appendonly', 'no')
    await set('maxmemory-policy', 'allkeys-lru')
    await redis.cli('DEL', PRECIOUS)
    await redis.cli('SET', 'ratelimit:1', 1)
    await redis.cli('ZADD', 'ohlcv:BTCUSDT:m1', 1, 'a')
    await redis.cli('SET', 'rekindle:epoch', 1)
    expect(await codesOf(redis.url, CACHE)).toEqual(['(flush_open)', '(no_password)'])
    await redis.cli('SET', 'who:knows', 1)
    expect(await codesOf(redis.url, CACHE)).toEqual(expect.arrayContaining(['aof_off', 'no_backup']))
    await set('maxmemory-policy', 'noeviction')
  })
})

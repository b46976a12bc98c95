import { afterEach, beforeEach, expect, it } from 'vitest'
import type { RunningRedis } from '../../lab/redis.js'
import { copyKeys, ensureRoomFor } from '../../src/recover/copy-keys.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { connect } from './connections.js'

const { signal } = new AbortController()

describeOwnServers('a live Redis that evicts keys', () => {
  const source = useRedis()
  const target = useRedis()

  beforeEach(async () => {
    await source.cli('FLUSHALL')
    await target.cli('FLUSHALL')
    await fill(source, 'sub:', 2_000)
    await fill(target, 'live:', 2_000)
    await target.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru')
  })

  afterEach(async () => {
    await target.cli('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
  })

  const ends = () => ({ from: source.url, to: target.url, database: 0, signal, select: () => true })
  const leave = async (room: number): Promise<unknown> =>
    target.cli('CONFIG', 'SET', 'maxmemory', Math.round((await field(target, 'used_memory')) + room))

  it('must have room for what it lacks', async () => {
    await leave(2_000_000)
    await expect(ensureRoomFor(ends())).rejects.toMatchObject({
      code: 'no_memory',
      message: expect.stringMatching(/room for 1\.\d MiB.* takes about 2\.\d MiB: with maxmemory-policy allkeys-lru/),
    })
    await ensureRoomFor({ ...ends(), select: (key) => key.toString().endsWith('7') })
    await target.cli('CONFIG', 'SET', 'maxmemory', '0')
    await fill(target, 'sub:', 2_000)
    await leave(200_000)
    await ensureRoomFor(ends())
  })

  it('needs none where it refuses writes instead', async () => {
    await leave(1_000)
    await target.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction')
    await ensureRoomFor(ends())
  })

  it('really has room for what is let through', async () => {
    const evicted = await field(target, 'evicted_keys')
    await leave(2_800_000)
    await ensureRoomFor(ends())
    expect(await copyKeys({ ...ends(), replace: false, dryRun: false })).toMatchObject({ copied: 2_000, gone: [] })
    expect(await target.cli('DBSIZE')).toBe(4_000)
    expect(await field(target, 'evicted_keys')).toBe(evicted)
  })

  it('stops the copy when it begins to evict', async () => {
    await leave(100_000)
    const copying = copyKeys({ ...ends(), replace: false, dryRun: false })
    await expect(copying).rejects.toMatchObject({
      code: 'no_memory',
      message: expect.stringContaining('began to evict'),
    })
    // One round of 256 keys has gone out, and not all of them.
    expect((await connect(target.url).keys('live:*')).length).toBeGreaterThan(1_500)
  })

  it('is told of what does not stand in the end', async () => {
    const other = connect(target.url)
    const copied = await copyKeys({
      ...ends(),
      replace: false,
      dryRun: false,
      onProgress: () => void other.del('sub:1', 'sub:2'),
    })
    await until(async () => (await other.exists('sub:1', 'sub:2')) < 2)
    expect(copied.copied).toBe(2_000)
    expect(copied.gone.map(String).sort()).toEqual(['sub:1', 'sub:2'])
  })
})

async function fill(redis: RunningRedis, prefix: string, keys: number): Promise<void> {
  const script = "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, string.rep('x', 1000)) end"
  await redis.cli('EVAL', script, '0', prefix, keys)
}

async function field(redis: RunningRedis, name: string): Promise<number> {
  return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(String(await redis.cli('INFO', 'everything')))?.[1])
}

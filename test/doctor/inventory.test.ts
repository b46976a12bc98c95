import { beforeEach, describe, expect, it } from 'vitest'
import { classifier } from '../../src/decide/classes.js'
import { takeCensus } from '../../src/doctor/census.js'
import { type CountOptions, countClasses, stakeOf } from '../../src/doctor/inventory.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { withWire } from './examined.js'

const classify = classifier([
  { match: 'sub:*', recovery: 'backup' },
  { match: 'rate:*', recovery: 'itself' },
])

describeOwnServers('countClasses', () => {
  const redis = useRedis({ modules: false })
  const count = (options: CountOptions = {}) => withWire(redis.url, (wire) => countClasses(wire, classify, options))
  const fill = (script: string) => redis.cli('EVAL', script, 0)

  beforeEach(() => redis.cli('FLUSHALL'))

  it('counts nothing in an empty Redis', async () => {
    expect(await count()).toMatchObject({ total: 0, seen: 0, exact: true, classes: [], own: 0 })
  })

  it('counts class by class, names a few of each, and knows when they expire', async () => {
    await fill(
      `for i = 1, 300 do redis.call('SET', 'sub:' .. i, i) end
       for i = 1, 5 do redis.call('SET', 'rate:' .. i, i, 'EX', 600) end
       redis.call('SET', 'else', 1) redis.call('SET', 'rekindle:epoch', 1)`,
    )
    const { classes, ...all } = await count({ samples: () => 20 })
    expect(all).toMatchObject({ total: 307, seen: 307, exact: true, own: 1 })
    const byMatch = new Map(classes.map((each) => [each.class?.match, each]))
    expect(byMatch.get('sub:*')).toMatchObject({ keys: 300, exact: true, expiryKnown: true })
    const names = byMatch.get('sub:*')?.sample.map(({ name }) => name) ?? []
    expect(new Set(names).size).toBe(20)
    expect(await redis.cli('EXISTS', ...names)).toBe(20)
    expect(byMatch.get(undefined)).toMatchObject({ keys: 1, sample: [{ name: 'else' }] })
    for (const { expiresAt = 0 } of byMatch.get('rate:*')?.sample ?? []) {
      expect(Math.abs(expiresAt - Date.now() - 600_000)).toBeLessThan(10_000)
    }
    expect(stakeOf({ ...all, classes })).toEqual({ backup: 300, unclassified: 1, expiring: false, absent: [] })
  })

  it('samples evenly, not only what it meets first', async () => {
    await fill(`for i = 1, 5000 do redis.call('SET', 'sub:' .. i, i) end`)
    const { classes } = await count({ samples: () => 100 })
    const numbers = classes[0]?.sample.map(({ name }) => Number(name.slice(4))) ?? []
    const mean = numbers.reduce((sum, each) => sum + each, 0) / numbers.length
    // Five standard errors of the mean of 100 of 5,000 numbers.
    expect(Math.abs(mean - 2_500)).toBeLessThan(5 * 145)
  })

  it('finds the few that expire among many, at each look', async () => {
    await fill(
      `for i = 1, 20050 do redis.call('SET', 'sub:' .. i, i) end
       for i = 1, 50 do redis.call('SET', 'sub:t' .. i, i, 'EX', 600) end`,
    )
    const looks = async () => {
      const counts = [await count(), await count(), await count()]
      for (const { classes } of counts) expect(classes[0]?.sample).toHaveLength(100)
      return counts.map((counted) => stakeOf(counted).expiring)
    }
    expect(await looks()).toEqual([true, true, true])
    // Where others expire, too, it hangs on the sample: which is always the same.
    await fill(
      `for i = 1, 200 do
         redis.call('SET', 'rate:' .. i, i, 'EX', 600)
         redis.call('SET', 'rate:s' .. i, i)
       end`,
    )
    const [first, ...others] = await looks()
    expect(others).toEqual([first, first])
    await fill(`for i = 1, 50 do redis.call('PERSIST', 'sub:t' .. i) end`)
    expect(await looks()).toEqual([false, false, false])
  })

  it('names the same keys at each look', async () => {
    await fill(`for i = 1, 3000 do redis.call('SET', 'sub:' .. i, i) end`)
    const names = async () => (await count()).classes[0]?.sample.map(({ name }) => name)
    expect(await names()).toEqual(await names())
  })

  it('counts keys whose names are no text, but does not name them', async () => {
    await redis.cli('SET', Buffer.from([0x73, 0x75, 0x62, 0x3a, 0xff, 0xfe]), 1)
    await redis.cli('SET', 'sub:plain', 1)
    const { classes } = await count()
    expect(classes).toMatchObject([{ keys: 2, sample: [{ name: 'sub:plain' }] }])
  })

  it('stops when it is told to', async () => {
    await fill(`for i = 1, 3000 do redis.call('SET', i, i) end`)
    const abort = new AbortController()
    const counting = count({ signal: abort.signal, onStep: () => abort.abort(new Error('enough')) })
    await expect(counting).rejects.toThrow('enough')
  })

  it('does not walk more keys than it may, and takes the rest to be like them', async () => {
    await fill(
      `for i = 1, 30000 do redis.call('SET', 'sub:' .. i, i) end for i = 1, 10000 do redis.call('SET', 'rate:' .. i, i) end`,
    )
    const { classes, ...all } = await count({ limits: { keys: 8_000, ms: 60_000 } })
    expect(all).toMatchObject({ total: 40_000, exact: false })
    expect(all.seen).toBeGreaterThanOrEqual(8_000)
    expect(all.seen).toBeLessThan(9_000)
    const keys = Object.fromEntries(classes.map((each) => [each.class?.match, each.keys]))
    expect(keys['sub:*']).toBeGreaterThan(28_000)
    expect(keys['sub:*']).toBeLessThan(32_000)
    expect((keys['sub:*'] ?? 0) + (keys['rate:*'] ?? 0)).toBeCloseTo(40_000, -1)
    const census = await withWire(redis.url, (wire) =>
      takeCensus(wire, classify, { limits: { keys: 8_000, ms: 60_000 } }),
    )
    expect(census).toMatchObject({
      exact: false,
      unchecked: [
        {
          what: 'classes of few keys',
          why: expect.stringMatching(/^only 8,\d+ of 40,000 keys were looked at: rare ones may be missed$/),
        },
      ],
    })
    const soon = await count({ limits: { keys: 1_000_000, ms: 0 } })
    expect(soon.seen).toBeLessThan(1_000)
  })
})

describeOwnServers('a census of a million keys', () => {
  const redis = useRedis({ modules: false, args: ['--enable-debug-command', 'yes'] })
  const calls = async (command: string) =>
    Number(
      new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(String(await redis.cli('INFO', 'commandstats')))?.[1] ?? 0,
    )

  it('takes few commands, and seconds at most', async () => {
    await redis.cli('DEBUG', 'POPULATE', 900_000, 'sub', 10)
    await redis.cli('EVAL', `for i = 1, 100000 do redis.call('SET', 'sess:' .. i .. ':token', i) end`, 0)
    await redis.cli('CONFIG', 'RESETSTAT')
    const began = performance.now()
    const census = await withWire(redis.url, (wire) => takeCensus(wire, classify))
    const took = performance.now() - began
    if (!('classes' in census)) throw new Error(census.why)
    expect(took).toBeLessThan(15_000)
    expect(await calls('scan')).toBeLessThanOrEqual(2_001)
    expect(await calls('memory\\|usage')).toBeLessThanOrEqual(200)
    expect(await calls('pttl')).toBeLessThanOrEqual(200)
    expect(census.total).toBe(1_000_000)
    const keys = Object.fromEntries(census.classes.map((each) => [each.class?.match, each.keys]))
    expect(Math.abs((keys['sub:*'] ?? 0) - 900_000)).toBeLessThan(20_000)
    expect(census.shapes).toEqual([{ match: 'sess:*:token', keys: expect.any(Number) }])
    const used = Number(/used_memory:(\d+)/.exec(String(await redis.cli('INFO', 'memory')))?.[1])
    const weighed = census.classes.reduce((sum, { bytes = 0 }) => sum + bytes, 0)
    expect(weighed / used).toBeGreaterThan(0.5)
    expect(weighed / used).toBeLessThan(1.5)
  }, 60_000)
})

describe('stakeOf', () => {
  const its = { class: undefined, keys: 3, exact: true, sample: [{ name: 'a' }], expiryKnown: true, expiring: false }
  const cached = { ...its, class: { match: 'rate:*', recovery: 'itself' } as const, keys: 5 }
  const counted = { classes: [its, cached], exact: true, own: 1, expires: undefined }

  it('takes keys whose time to live is unknown for such that expire', () => {
    const unknown = { ...counted, classes: [{ ...its, expiryKnown: false }] }
    expect(stakeOf(unknown)).toEqual({ backup: 0, unclassified: 3, expiring: true, absent: [] })
    expect(stakeOf({ ...unknown, expires: 0 })).toMatchObject({ expiring: false })
    expect(stakeOf(counted)).toMatchObject({ expiring: false })
    expect(stakeOf(undefined)).toEqual({ backup: 0, unclassified: 0, expiring: false, absent: [] })
  })

  it('knows that some expire where more do than there are others', () => {
    expect(stakeOf({ ...counted, expires: 6 })).toMatchObject({ expiring: false })
    expect(stakeOf({ ...counted, expires: 7 })).toMatchObject({ expiring: true })
    expect(stakeOf({ ...counted, expires: 7, exact: false })).toMatchObject({ expiring: false })
  })

  it('names the declared classes of which there is no key', () => {
    const declared = [
      { match: 'sub:*', recovery: 'backup' },
      { match: 'jwt:*', recovery: 'backup' },
      { match: 'rate:*', recovery: 'itself' },
      { match: 'price:*', recovery: 'itself' },
    ] as const
    const subs = { ...its, class: declared[0] }
    expect(stakeOf({ ...counted, classes: [subs] }, declared)).toMatchObject({ backup: 3, absent: ['jwt:*'] })
    expect(stakeOf(undefined, declared)).toMatchObject({ backup: 0, absent: ['sub:*', 'jwt:*'] })
  })
})

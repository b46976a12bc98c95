import { beforeEach, describe, expect, inject, it } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { type CopyOptions, copyKeys } from '../../src/recover/copy-keys.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { connect } from './connections.js'
import { BINARY, everythingIn, fillWithEverything } from './things.js'

const live = new AbortController()

describeOwnServers('copyKeys', () => {
  const source = useRedis()
  const target = useRedis()

  beforeEach(async () => {
    await source.cli('FLUSHALL')
    await target.cli('FLUSHALL')
  })

  const copy = (options: Partial<CopyOptions> = {}) =>
    copyKeys({
      from: source.url,
      to: target.url,
      database: 0,
      select: () => true,
      replace: false,
      dryRun: false,
      signal: live.signal,
      ...options,
    })

  it('brings every type, byte by byte, with what is left of its time to live', async () => {
    await fillWithEverything(source)
    const [before, after] = [connect(source.url), connect(target.url)]
    const wanted = await everythingIn(before)
    expect(await copy()).toMatchObject({ copied: wanted.size, kept: 0, expired: 0, failed: 0 })
    expect(await everythingIn(after)).toEqual(wanted)
    expect(Math.abs((await before.pttl('a:hash')) - (await after.pttl('a:hash')))).toBeLessThan(2_000)
    expect(await after.xpending('a:stream', 'group')).toMatchObject([1, '5-1', '5-1', [['worker', '1']]])
  })

  it('keeps what the live Redis has, unless it is to replace it', async () => {
    await source.cli('SET', 'sub:1', 'old')
    await source.cli('SET', 'sub:2', 'old')
    await target.cli('SET', 'sub:1', 'new')
    expect(await copy()).toMatchObject({ copied: 1, kept: 1, names: [Buffer.from('sub:2')] })
    expect(await target.cli('MGET', 'sub:1', 'sub:2')).toEqual(['new', 'old'])
    expect(await copy()).toMatchObject({ copied: 0, kept: 2 })
    expect(await copy({ replace: true })).toMatchObject({ copied: 2, kept: 0 })
    expect(await target.cli('MGET', 'sub:1', 'sub:2')).toEqual(['old', 'old'])
  })

  it('takes only what is chosen, and never keys of ours', async () => {
    await source.cli('MSET', 'sub:1', 'a', 'other', 'b', 'rekindle:epoch', 'c')
    const names: string[] = []
    await copy({
      select: (key) => {
        names.push(key.toString())
        return key.toString() !== 'other'
      },
    })
    expect(await target.cli('KEYS', '*')).toEqual(['sub:1'])
    expect(names.sort()).toEqual(['other', 'sub:1'])
  })

  it('reads one database and writes to that of the URL', async () => {
    const from = connect(source.url, 5)
    await from.set(BINARY, 'x')
    await copy({ database: 5, to: target.url.replace(/0$/, '3') })
    expect(await connect(target.url).dbsize()).toBe(0)
    expect(await connect(target.url, 3).keysBuffer('*')).toEqual([BINARY])
  })

  it('writes nothing on a dry run, but tells what it would', async () => {
    await source.cli('MSET', 'sub:1', 'a', 'sub:2', 'b')
    await target.cli('SET', 'sub:1', 'new')
    expect(await copy({ dryRun: true })).toMatchObject({ copied: 1, kept: 1 })
    expect(await copy({ dryRun: true, replace: true })).toMatchObject({ copied: 2, kept: 0 })
    expect(await target.cli('KEYS', '*')).toEqual(['sub:1'])
  })

  it('does no harm twice at once', async () => {
    const pairs = Array.from({ length: 3_000 }, (_, i) => [`sub:${i}`, `value ${i}`]).flat()
    await source.cli('MSET', ...pairs)
    const [a, b] = await Promise.all([copy(), copy()])
    expect(a.copied + b.copied).toBe(3_000)
    expect(a.kept + b.kept).toBe(3_000)
    expect(await target.cli('DBSIZE')).toBe(3_000)
  })

  it('tells how far it has come, and stops when asked', async () => {
    await fillNumbers(source, 5_000)
    const stop = new AbortController()
    const shares: number[] = []
    const copying = copy({
      signal: stop.signal,
      onProgress: ({ copied }, share) => {
        shares.push(share)
        if (copied > 0) stop.abort(new Error('enough'))
      },
    })
    await expect(copying).rejects.toThrow('enough')
    expect(Number(await target.cli('DBSIZE'))).toBeLessThan(5_000)
    expect(await copy()).toMatchObject({ failed: 0 })
    expect(await target.cli('DBSIZE')).toBe(5_000)
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true)
  })

  it('reads large values one by one', async () => {
    const large = Buffer.alloc(9 * 1_048_576, 'x')
    for (const name of ['a', 'b', 'c']) await source.cli('SETRANGE', name, '0', large)
    expect(await copy()).toMatchObject({ copied: 3 })
    // To compare buffers of this size element by element would take minutes.
    for (const name of ['a', 'b', 'c']) {
      expect((await connect(target.url).getBuffer(name))?.equals(large), name).toBe(true)
    }
  })

  it.skipIf(!inject('hasTimeSeries'))('brings the rest where the live Redis lacks a module', async () => {
    const plain = await startRedis({ modules: false })
    try {
      await source.cli('TS.ADD', 'series', '1000', '1')
      await source.cli('SET', 'other', 'x')
      const { copied, failed, failure } = await copy({ to: plain.url })
      expect({ copied, failed, key: failure?.key.toString() }).toEqual({ copied: 1, failed: 1, key: 'series' })
      expect(await plain.cli('GET', 'other')).toBe('x')
    } finally {
      await plain.stop()
    }
  })

  describe('a live Redis that does not take it', () => {
    beforeEach(async () => {
      await source.cli('SET', 'sub:1', 'x'.repeat(2_000))
    })

    it('that is full', async () => {
      await target.cli('CONFIG', 'SET', 'maxmemory', '1')
      await expect(copy()).rejects.toMatchObject({ code: 'redis_full', passing: true })
      await target.cli('CONFIG', 'SET', 'maxmemory', '0')
    })

    it('that is a replica', async () => {
      await target.cli('REPLICAOF', '127.0.0.1', String(source.port))
      await expect(copy()).rejects.toMatchObject({ code: 'redis_readonly' })
      await target.cli('REPLICAOF', 'NO', 'ONE')
    })

    it('whose user may not', async () => {
      await target.cli('ACL', 'SETUSER', 'weak', 'on', '>secret', '~*', '+@all', '-restore')
      const to = target.url.replace('redis://', 'redis://weak:secret@')
      await expect(copy({ to })).rejects.toMatchObject({
        code: 'redis_refused',
        hint: expect.stringContaining('+restore'),
        message: expect.not.stringContaining('secret'),
      })
    })

    it('whose password is another', async () => {
      const to = target.url.replace('redis://', 'redis://weak:wrong@')
      await expect(copy({ to })).rejects.toMatchObject({ code: 'redis_refused' })
    })
  })
})

async function fillNumbers(redis: RunningRedis, size: number): Promise<void> {
  await redis.cli('MSET', ...Array.from({ length: size }, (_, i) => [`sub:${i}`, i]).flat())
}

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { pruneBackups } from '../../src/backup/prune.js'
import { readShelf } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
import { prepareFolder, removeBackup } from '../../src/backup/tidy.js'
import { describeOwnServers } from '../support/processes.js'
import { AT_ONCE, configFor, folder, manifestOf, namesIn, unhurried } from './support.js'

const isRoot = process.getuid?.() === 0
const HOUR = 3600_000
/** An id that owns nothing. */
const NOBODY = 65_534

/** Mounts a file system of so many bytes; false where that is not allowed. */
function mountSmall(dir: string, size: string, ...options: string[]): boolean {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', [`size=${size}`, ...options].join(), 'tmpfs', dir])
  return status === 0
}

const unmount = (dir: string): void => void spawnSync('umount', [dir])

function canMount(): boolean {
  const dir = folder()
  const done = isRoot && mountSmall(dir, '64k')
  if (done) unmount(dir)
  else console.log('Nothing may be mounted here: the tests of a full and of a read-only disk are SKIPPED.')
  return done
}

describeOwnServers('a backup', () => {
  const take = (redis: RunningRedis, dir: string) =>
    takeBackup({ config: configFor(redis.url, dir), signal: unhurried() })

  describe.skipIf(!canMount())('on a small disk', () => {
    it('is refused before it begins where it would not fit, and leaves nothing where it did not', async () => {
      const redis = await startRedis({ args: AT_ONCE })
      const dir = folder()
      expect(mountSmall(dir, '1m')).toBe(true)
      try {
        await redis.cli('SET', 'small', 'value')
        const { backup } = await take(redis, dir)
        const before = namesIn(dir)
        // More than what is free, but of what is in memory half is thought to be needed.
        await redis.cli('EVAL', NOISE, 0, 1_200_000)
        const full = await take(redis, dir).catch((error) => error)
        expect(full).toMatchObject({ code: 'no_space', message: expect.stringContaining('the disk is full') })
        expect(namesIn(dir)).toEqual(before)
        await redis.cli('SET', 'large', 'x'.repeat(4_000_000))
        await expect(take(redis, dir)).rejects.toMatchObject({
          code: 'no_space',
          message: expect.stringMatching(/are free/),
        })
        expect(await readShelf(dir)).toEqual([backup])
      } finally {
        unmount(dir)
        await redis.stop()
      }
    })

    it('is refused where nothing can be written', async () => {
      const redis = await startRedis({ args: AT_ONCE })
      const dir = folder()
      expect(mountSmall(dir, '1m', 'ro')).toBe(true)
      try {
        await expect(take(redis, dir)).rejects.toMatchObject({
          code: 'bad_folder',
          message: expect.stringContaining('read-only'),
        })
      } finally {
        unmount(dir)
        await redis.stop()
      }
    })
  })

  it('is refused in a folder that is none, has no parent, or is not ours', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const dir = folder()
    writeFileSync(join(dir, 'file'), '')
    const refusal = (path: string) => expect(take(redis, path)).rejects
    await refusal(join(dir, 'file')).toMatchObject({
      code: 'bad_folder',
      message: expect.stringContaining('no folder'),
    })
    await refusal(join(dir, 'file', 'in it')).toMatchObject({ code: 'bad_folder' })
    await refusal(join(dir, 'no', 'parent')).toMatchObject({ message: expect.stringContaining('does not exist') })
    const closed = join(dir, 'closed')
    mkdirSync(closed)
    chmodSync(closed, 0o500)
    // Root may do everything: only as somebody else can it be refused.
    if (isRoot) chmodSync(dir, 0o755)
    if (isRoot) process.seteuid?.(NOBODY)
    try {
      await refusal(closed).toMatchObject({ code: 'bad_folder', message: expect.stringContaining('permission denied') })
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
    expect(namesIn(closed)).toEqual([])
    await redis.stop()
  })
})

/** ARGV: bytes. A value that does not compress. */
const NOISE = `
local parts = {}
for i = 1, tonumber(ARGV[1]) / 4 do parts[i] = struct.pack('I4', math.random(0, 2^31 - 1)) end
redis.call('SET', 'noise', table.concat(parts))`

describe('the folder of the backups', () => {
  const now = Date.now()
  let dir = ''
  const put = (name: string, age: number, content = 'abc'): void => {
    writeFileSync(join(dir, name), content)
    utimesSync(join(dir, name), (now - age) / 1000, (now - age) / 1000)
  }
  const json = (change = {}): string => JSON.stringify(manifestOf(change))
  afterEach(() => {
    dir = ''
  })

  it('is cleared of what the dead left unfinished, and of nothing else', async () => {
    dir = folder()
    put('.unfinished-0123456789ab-redis-1.rdb', 25 * HOUR)
    put('.unfinished-0123456789ab-redis-2.rdb', 23 * HOUR)
    put('.unfinished-0123456789ab-redis-3.rdb.json', 25 * HOUR)
    mkdirSync(join(dir, '.unfinished-0123456789ab-redis-4.aof'))
    put('.unfinished-0123456789ab-redis-4.aof/file', 25 * HOUR)
    utimesSync(join(dir, '.unfinished-0123456789ab-redis-4.aof'), 0, 0)
    put('dump.rdb', 99 * HOUR)
    await prepareFolder(dir, now)
    expect(namesIn(dir)).toEqual(['.unfinished-0123456789ab-redis-2.rdb', 'dump.rdb'])
  })

  it('gets back what lacked only the renaming of its manifest', async () => {
    dir = folder()
    put('redis-1.rdb', HOUR)
    put('.unfinished-0123456789ab-redis-1.rdb.json', HOUR, json())
    put('redis-2.rdb', 1_000)
    put('.unfinished-0123456789ab-redis-2.rdb.json', 1_000, json())
    put('redis-3.rdb', HOUR)
    expect(await readShelf(dir)).toEqual([])
    await prepareFolder(dir, now)
    expect((await readShelf(dir)).map(({ path }) => path)).toEqual([join(dir, 'redis-1.rdb')])
    // Of these one is being placed at this moment, and the other was never ours.
    expect(existsSync(join(dir, 'redis-2.rdb')) && existsSync(join(dir, 'redis-3.rdb'))).toBe(true)
  })

  it('has no backup without its file, nor one without its manifest', async () => {
    dir = folder()
    put('redis-1.rdb', 0)
    put('redis-2.rdb.json', 0, json())
    put('redis-3.rdb', 0)
    put('redis-3.rdb.json', 0, '{"version": 1')
    expect(await readShelf(dir)).toEqual([])
  })

  it('loses a backup as a whole, also one that is a folder, and another time again', async () => {
    dir = folder()
    put('redis-1.rdb', 0)
    put('redis-1.rdb.json', 0, json())
    mkdirSync(join(dir, 'redis-2.aof', 'appendonlydir'), { recursive: true })
    put('redis-2.aof.json', 0, json({ kind: 'aof' }))
    for (const backup of await readShelf(dir)) await removeBackup(backup)
    expect(namesIn(dir)).toEqual([])
    await removeBackup({ path: join(dir, 'redis-1.rdb') })
  })

  it('is pruned to what is to be kept, or only named what would go', async () => {
    dir = folder()
    for (let days = 0; days < 6; days++) {
      put(`redis-${days}.rdb`, 0)
      put(`redis-${days}.rdb.json`, 0, json({ taken_at: new Date(now - days * 24 * HOUR).toISOString() }))
    }
    const url = 'redis://127.0.0.1:6379'
    const keep = { last: 2, days: 3 }
    const dry = await pruneBackups({ dir, url, keep, dryRun: true })
    expect(dry.removed.map(({ path }) => path)).toEqual([5, 4, 3].map((days) => join(dir, `redis-${days}.rdb`)))
    expect(namesIn(dir)).toHaveLength(12)
    const both = await Promise.all([pruneBackups({ dir, url, keep }), pruneBackups({ dir, url, keep })])
    expect(both[0]?.removed).toHaveLength(3)
    expect(namesIn(dir)).toHaveLength(6)
    expect(await pruneBackups({ dir, url, keep })).toMatchObject({ removed: [], kept: [{}, {}, {}] })
    expect(readFileSync(join(dir, 'redis-0.rdb'), 'utf8')).toBe('abc')
    expect(await pruneBackups({ dir: join(dir, 'none'), url, keep })).toEqual({ removed: [], kept: [] })
  })

  it('may be shared: what is of another server is never removed, and never taken for our own', async () => {
    dir = folder()
    const keep = { last: 1, days: 0 }
    for (const port of [6379, 6380])
      for (let days = 1; days < 4; days++) {
        put(`redis-${port}-${days}.rdb`, 0)
        const taken_at = new Date(now - days * 24 * HOUR).toISOString()
        put(`redis-${port}-${days}.rdb.json`, 0, json({ taken_at, source: `127.0.0.1:${port}` }))
      }
    const { removed, kept } = await pruneBackups({ dir, url: 'redis://127.0.0.1:6380/2', keep })
    expect(removed.map(({ path }) => path)).toEqual([3, 2].map((days) => join(dir, `redis-6380-${days}.rdb`)))
    expect(kept.map(({ path }) => path)).toEqual([join(dir, 'redis-6380-1.rdb')])
    expect(await readShelf(dir)).toHaveLength(4)
  })
})

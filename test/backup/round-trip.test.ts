import { createHash, randomBytes } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { findProgram } from '../../lab/find-redis.js'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { type Backup, writeManifest } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
import { startThrowaway, type Throwaway } from '../../src/recover/throwaway.js'
import { connectRedis } from '../../src/redis/connect.js'
import { describeOwnServers } from '../support/processes.js'
import { fillWithEveryType } from './every-type.js'
import { AT_ONCE, configFor, folder, namesIn, unhurried } from './support.js'

const STARTED = Date.now()

/** A picture of a value that does not depend on the order in a hash table. */
async function picture(redis: Redis, key: Buffer): Promise<string> {
  const type = await redis.type(key)
  const lines = async (): Promise<string[]> => {
    if (type === 'set') return (await redis.smembersBuffer(key)).map((each) => each.toString('hex'))
    if (type !== 'hash') return [((await redis.dumpBuffer(key)) ?? Buffer.alloc(0)).toString('hex')]
    const fields = await redis.hkeys(key)
    const ends = await redis.call('HPEXPIRETIME', key, 'FIELDS', fields.length, ...fields).catch(() => [])
    return [
      ...Object.entries(await redis.hgetall(key)).map((pair) => pair.join('=')),
      ...(ends as number[]).map(String),
    ]
  }
  return createHash('sha256')
    .update((await lines()).sort().join())
    .digest('hex')
}

/** Every key with a picture of its value, and when it expires. */
async function contents(redis: RunningRedis): Promise<Map<string, { value: string; expiresIn: number }>> {
  const connection = new Redis(redis.url, { protocol: 2 })
  const all = new Map<string, { value: string; expiresIn: number }>()
  for (const db of [0, 3]) {
    await connection.select(db)
    for (const key of await connection.keysBuffer('*')) {
      const value = await picture(connection, key)
      const left = await connection.pttl(key)
      // In minutes from the beginning of this file's tests, as that the clock goes on between two servers does not count.
      const expiresIn = left < 0 ? left : Math.round((Date.now() + left - STARTED) / 60_000)
      all.set(`${db}:${key.toString('latin1')}`, { value, expiresIn })
    }
  }
  connection.disconnect()
  return all
}

/** A server that has started with this file. */
async function boot(path: string): Promise<RunningRedis> {
  const dir = folder()
  copyFileSync(path, join(dir, 'dump.rdb'))
  return startRedis({ dir })
}

const MAY_DEBUG = ['--enable-debug-command', 'yes']

/** The throwaway server with this backup, in which DEBUG is allowed. */
async function startDebuggable({ path, manifest: { modules } }: Backup): Promise<Throwaway> {
  const [bin, { PATH }] = [folder(), process.env]
  const wrapper = `#!/bin/sh\nexec ${findProgram('redis-server')} "$@" ${MAY_DEBUG.join(' ')}\n`
  writeFileSync(join(bin, 'redis-server'), wrapper, { mode: 0o755 })
  process.env['PATH'] = `${bin}:${PATH}`
  try {
    return await startThrowaway({ kind: 'rdb', path, modules }, { signal: unhurried() })
  } finally {
    process.env['PATH'] = PATH
  }
}

describeOwnServers('a backup', () => {
  it.each([
    ['diskless', [...AT_ONCE]],
    ['from the disk of the server', ['--repl-diskless-sync', 'no']],
    ['with an append-only file', [...AT_ONCE, '--appendonly', 'yes']],
  ])('holds every key as it was (%s)', async (name, args) => {
    const redis = await startRedis({ args })
    const { types } = await fillWithEveryType(redis)
    const config = configFor(redis.url, join(folder(), 'backups'), {
      keys: [
        { match: 'string:*', recovery: 'backup' },
        { match: 'hash:*', recovery: 'itself' },
        { match: 'no:*', recovery: 'backup' },
      ],
    })
    await redis.cli('SET', 'rekindle:epoch', 'ours')
    const progress: number[] = []
    const { backup, warnings } = await takeBackup({
      config,
      signal: unhurried(),
      onProgress: (bytes) => progress.push(bytes),
    })
    const { manifest, path } = backup
    expect(warnings).toEqual([])
    expect(manifest).toMatchObject({
      version: 1,
      kind: 'rdb',
      source: `127.0.0.1:${redis.port}`,
      database: 0,
      bytes: statSync(path).size,
      sha256: createHash('sha256').update(readFileSync(path)).digest('hex'),
      checked: 'ok',
      proof: null,
    })
    expect(progress.at(-1)).toBe(manifest.bytes)
    expect(manifest.modules.map((each) => each.name)).toEqual(
      redis.hasTimeSeries ? [expect.stringMatching(/timeseries/i)] : expect.anything(),
    )
    const inZero = [...(types.get(0)?.keys() ?? [])]
    const counted = Object.fromEntries((manifest.keys?.classes ?? []).map((each) => [each.match ?? 'none', each.keys]))
    expect(manifest.keys?.total).toBe(inZero.length + 1 + (types.get(3)?.size ?? 0))
    expect(manifest.keys).toMatchObject({ expiring: 2, databases: { 0: inZero.length + 1 } })
    expect(counted).toMatchObject({
      'string:*': inZero.filter((key) => key.startsWith('string:')).length,
      'hash:*': inZero.filter((key) => key.startsWith('hash:')).length,
      'no:*': 0,
    })
    expect(Object.values(counted).reduce((sum, keys) => sum + keys, 0)).toBe(inZero.length)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(statSync(`${path}.json`).mode & 0o777).toBe(0o600)
    expect(statSync(config.backup.dir).mode & 0o777).toBe(0o700)
    expect(namesIn(config.backup.dir)).toHaveLength(2)
    // Only a snapshot from its disk is written over the server's own.
    expect(existsSync(join(redis.dir, 'dump.rdb'))).toBe(name === 'from the disk of the server')

    const booted = await boot(path)
    const held = await contents(redis)
    expect(held.size).toBe(manifest.keys?.total ?? 0)
    expect(await contents(booted)).toEqual(held)
    await Promise.all([booted.stop(), redis.stop()])
  })

  it('of 100 MB holds every byte of it', async () => {
    const redis = await startRedis({ args: [...AT_ONCE, ...MAY_DEBUG] })
    const connection = new Redis(redis.url)
    // Each is another, so that none can stand for one that is damaged or missing.
    for (let i = 0; i < 100; i++) await connection.set(`block:${i}`, randomBytes(1 << 20))
    await connection.hset('hash', Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [i, randomBytes(1_000)])))
    await connection.zadd('zset', ...Array.from({ length: 5_000 }, (_, i) => [i / 7, randomBytes(20)]).flat())
    await connection.select(3)
    await connection.set('expiring', randomBytes(100), 'EX', 3600)
    const digest = await connection.call('DEBUG', 'DIGEST')
    connection.disconnect()
    const { backup } = await takeBackup({ config: configFor(redis.url, folder()), signal: unhurried() })
    expect(backup.manifest).toMatchObject({ checked: 'ok', keys: { total: 103, expiring: 1 } })
    expect(backup.manifest.bytes).toBeGreaterThan(105e6)
    const booted = await startDebuggable(backup)
    try {
      const copy = await connectRedis(booted.socket, 'digest')
      expect(await copy.call('DEBUG', 'DIGEST')).toBe(digest)
      await copy.select(3)
      await copy.append('expiring', 'x')
      expect(await copy.call('DEBUG', 'DIGEST')).not.toBe(digest)
      copy.disconnect()
    } finally {
      await booted.close()
      await redis.stop()
    }
  })

  it('is taken twice at once', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    await redis.cli('SET', 'a', 'b')
    const config = configFor(redis.url, folder())
    const taken = await Promise.all([1, 2].map(() => takeBackup({ config, signal: unhurried() })))
    expect(new Set(taken.map(({ backup }) => backup.path)).size).toBe(2)
    expect(namesIn(config.backup.dir)).toHaveLength(4)
    await redis.stop()
  })

  it('of an empty Redis is taken, and said to be empty if the one before was not', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const config = configFor(redis.url, folder(), { keys: [{ match: 'sub:*', recovery: 'backup' }] })
    expect((await takeBackup({ config, signal: unhurried() })).warnings).toEqual([])
    await redis.cli('MSET', 'sub:1', 'a', 'sub:2', 'b', 'other', 'c')
    await takeBackup({ config, signal: unhurried() })
    await redis.cli('DEL', 'sub:1', 'sub:2')
    expect((await takeBackup({ config, signal: unhurried() })).warnings).toEqual([
      expect.stringContaining('holds no key of sub:*, and the one before held 2'),
    ])
    await redis.cli('FLUSHALL')
    await redis.cli('SET', 'rekindle:epoch', 'ours')
    const { backup, warnings } = await takeBackup({ config, signal: unhurried() })
    expect(warnings).toEqual([expect.stringContaining('holds no key at all, and the one before held 1')])
    expect(backup.manifest.keys).toMatchObject({ total: 1, databases: { 0: 1 } })
    await redis.stop()
  })

  it('is compared with those of the same server, not with what else lies in the folder', async () => {
    const dir = folder()
    const [ours, theirs] = await Promise.all([startRedis({ args: AT_ONCE }), startRedis({ args: AT_ONCE })])
    await theirs.cli('SET', 'sub:1', 'a')
    const keys = { keys: [{ match: 'sub:*', recovery: 'backup' }] }
    const { backup } = await takeBackup({ config: configFor(theirs.url, dir, keys), signal: unhurried() })
    // It is small, and another's is not: there is space for it.
    await writeManifest({ ...backup, manifest: { ...backup.manifest, bytes: 1e18 } })
    const config = configFor(ours.url, dir, keys)
    expect((await takeBackup({ config, signal: unhurried() })).warnings).toEqual([])
    await ours.cli('SET', 'sub:1', 'a')
    await takeBackup({ config, signal: unhurried() })
    const elsewhere = configFor(ours.url.replace(/0$/, '1'), dir, keys)
    expect((await takeBackup({ config: elsewhere, signal: unhurried() })).warnings).toEqual([])
    await expect(takeBackup({ config: configFor(theirs.url, dir), signal: unhurried() })).rejects.toMatchObject({
      code: 'no_space',
    })
    await Promise.all([ours.stop(), theirs.stop()])
  })

  it('holds no secret in its manifest', async () => {
    const redis = await startRedis({ password: 'hush-hush', args: AT_ONCE })
    await redis.cli('ACL', 'SETUSER', 'rekindle', 'on', '>hush-hush', '~*', '&*', '+@all')
    for (const url of [redis.url, redis.url.replace('://:', '://rekindle:')]) {
      const { backup } = await takeBackup({ config: configFor(url, folder()), signal: unhurried() })
      expect(readFileSync(`${backup.path}.json`, 'utf8')).not.toMatch(/hush|rekindle/)
    }
    await redis.stop()
  })
})

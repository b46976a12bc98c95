import { appendFileSync, rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { takeAofBackup } from '../../src/backup/aof.js'
import type { Manifest } from '../../src/backup/manifest.js'
import { type Backup, readBackup, writeManifest } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
import type { Config } from '../../src/config/schema.js'
import { datasetsOf } from '../../src/datasets/index.js'
import { readSymbols } from '../../src/detect/roster.js'
import { openDatabase } from '../../src/postgres/database.js'
import { drill } from '../../src/recover/drill.js'
import type { Truth } from '../../src/recover/postgres-share.js'
import { anyLayout, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { connect } from './connections.js'
import { makeFolder, useOwnTemporaryFolder } from './folders.js'
import { fillWithEverything, PROMPT } from './things.js'

useOwnTemporaryFolder()
const { signal } = new AbortController()

describeOwnServers('a drill', () => {
  const redis = useRedis(PROMPT)
  const { database } = useMarket({ triggers: false })
  let config: Config
  let backup: Backup

  beforeAll(async () => {
    await fillWithEverything(redis)
    await redis.cli('SET', 'sub:user:1', 'x')
    await redis.cli('SET', 'sub:user:2', 'x', 'PX', '100000')
    await redis.cli('SET', 'rekindle:epoch', 'x')
    await connect(redis.url, 4).set('elsewhere', 'x')
    config = testConfig(redis.url, database.url, {
      layout: anyLayout(),
      more: { backup: { dir: makeFolder() }, keys: [{ match: 'sub:user:*', recovery: 'backup' }] },
    })
  })

  beforeEach(async () => {
    backup = (await takeBackup({ config, signal })).backup
  })

  /** The backup again, with another manifest. */
  const claim = async (change: (keys: NonNullable<Manifest['keys']>) => Manifest['keys']): Promise<Backup> => {
    const { keys } = backup.manifest
    if (!keys) throw new Error('the keys were not counted')
    const claimed = { path: backup.path, manifest: { ...backup.manifest, keys: change(keys) } }
    await writeManifest(claimed)
    return claimed
  }
  const withTruth = async <T>(work: (truth: Truth) => Promise<T>): Promise<T> => {
    const db = openDatabase(database.url, 'PostgreSQL')
    try {
      return await work({ db, datasets: datasetsOf(config), readSymbols: () => readSymbols(db, config) })
    } finally {
      await db.close()
    }
  }

  it('proves a good backup, and says so in its manifest', async () => {
    const { proof, remarks } = await drill(backup, { truth: undefined, signal })
    expect(proof).toMatchObject({ ok: true, differences: [], keys: backup.manifest.keys?.total })
    expect(proof.took_ms).toBeGreaterThan(0)
    expect(proof.redis_version).toMatch(/^\d/)
    expect(remarks).toEqual([])
    expect((await readBackup(backup.path))?.manifest.proof).toEqual(proof)
  })

  it('lets keys with a time to live be gone, and no others', async () => {
    const fewer = await claim((keys) => ({ ...keys, total: keys.total + 1, expiring: keys.expiring + 1 }))
    expect((await drill(fewer, { truth: undefined, signal })).proof.ok).toBe(true)
    const lacking = await claim((keys) => ({
      ...keys,
      classes: keys.classes.map((each) => (each.match === 'sub:user:*' ? { ...each, keys: each.keys + 5 } : each)),
    }))
    const { proof } = await drill(lacking, { truth: undefined, signal })
    expect(proof).toMatchObject({
      ok: false,
      differences: ['2 keys of sub:user:*, where the manifest says 6 to 7'],
    })
    expect((await readBackup(backup.path))?.manifest.proof?.ok).toBe(false)
  })

  it('counts every database', async () => {
    const claimed = await claim((keys) => ({ ...keys, databases: { ...keys.databases, 4: 2, 7: 1 }, expiring: 0 }))
    const { proof } = await drill(claimed, { truth: undefined, signal })
    expect(proof.differences).toEqual([
      '1 keys in database 4, where the manifest says 2',
      '0 keys in database 7, where the manifest says 1',
    ])
  })

  it('needs no count', async () => {
    const claimed = await claim(() => null)
    expect((await drill(claimed, { truth: undefined, signal })).proof).toMatchObject({ ok: true, differences: [] })
  })

  it('says which share of what PostgreSQL wants is in it', async () => {
    await redis.cli('HSET', 'indicator:BTCUSDT:m1', 'x', '1')
    const { backup: newer } = await takeBackup({ config, signal })
    const { shares, proof } = await withTruth((truth) => drill(newer, { truth, signal }))
    expect(proof.ok).toBe(true)
    expect(shares.map(({ dataset }) => dataset).sort()).toEqual(
      datasetsOf(config)
        .map(({ name }) => name)
        .sort(),
    )
    expect(shares.every(({ wanted, found }) => wanted > 0 && found <= wanted)).toBe(true)
    await redis.cli('DEL', 'indicator:BTCUSDT:m1')
  })

  it('is not failed by a PostgreSQL that is away', async () => {
    const db = openDatabase('postgres://127.0.0.1:1/none', '127.0.0.1:1/none')
    const truth = { db, datasets: datasetsOf(config), readSymbols: () => readSymbols(db, config) }
    const { proof, remarks, shares } = await drill(backup, { truth, signal })
    await db.close()
    expect(proof.ok).toBe(true)
    expect(shares).toEqual([])
    expect(remarks).toEqual([expect.stringContaining('PostgreSQL')])
  })

  it('boots an append-only file, and changes nothing of it', async () => {
    const logged = await startRedis({ args: ['--appendonly', 'yes'] })
    try {
      await logged.cli('SET', 'greeting', 'hello')
      const its = testConfig(logged.url, database.url, { more: { backup: { dir: makeFolder() } } })
      const taken = await takeAofBackup({ config: its, signal })
      expect((await drill(taken.backup, { truth: undefined, signal })).proof).toMatchObject({ ok: true, keys: 1 })
      expect((await drill(taken.backup, { truth: undefined, signal })).proof).toMatchObject({ ok: true, keys: 1 })
      appendFileSync(join(taken.backup.path, 'appendonlydir', 'appendonly.aof.1.incr.aof'), 'x')
      expect((await drill(taken.backup, { truth: undefined, signal })).proof.ok).toBe(false)
    } finally {
      await logged.stop()
    }
  })

  describe('of a bad backup', () => {
    it('that is not the file that was taken', async () => {
      appendFileSync(backup.path, 'x')
      const { proof } = await drill(backup, { truth: undefined, signal })
      expect(proof).toMatchObject({ ok: false, differences: [expect.stringContaining('sha256')] })
    })

    it('that was cut short', async () => {
      truncateSync(backup.path, backup.manifest.bytes - 20)
      expect((await drill(backup, { truth: undefined, signal })).proof.ok).toBe(false)
    })

    it('that is gone: no manifest is left behind', async () => {
      rmSync(backup.path)
      rmSync(`${backup.path}.json`)
      await expect(drill(backup, { truth: undefined, signal })).rejects.toMatchObject({ code: 'bad_folder' })
      expect(await readBackup(backup.path)).toBeUndefined()
    })

    it('about which nothing can be said without redis-server', async () => {
      const { PATH } = process.env
      process.env['PATH'] = makeFolder()
      try {
        await expect(drill(backup, { truth: undefined, signal })).rejects.toMatchObject({ code: 'no_program' })
      } finally {
        process.env['PATH'] = PATH
      }
      expect((await readBackup(backup.path))?.manifest.proof).toBeNull()
    })
  })
})

import { appendFileSync, readFileSync } from 'node:fs'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { takeAofBackup } from '../../src/backup/aof.js'
import { type Backup, readBackup } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
import { makeFolder } from '../recover/folders.js'
import { PROMPT } from '../recover/things.js'
import { testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

const { signal } = new AbortController()

describeOwnServers('rekindle backup verify', () => {
  const redis = useRedis(PROMPT)
  const { database } = useMarket({ triggers: false })
  let folder: string
  let first: Backup
  let second: Backup
  let config: string
  let env: Record<string, string>

  beforeAll(async () => {
    await redis.cli('SET', 'sub:user:1', 'x')
  })

  beforeEach(async () => {
    folder = makeFolder()
    const settings = { layout: 'sortedset' as const, more: { backup: { dir: folder } } }
    const taken = testConfig(redis.url, database.url, settings)
    first = (await takeBackup({ config: taken, signal })).backup
    second = (await takeBackup({ config: taken, signal })).backup
    config = writeConfig({ candles: { layout: 'sortedset' }, backup: { dir: folder } })
    env = { REDIS_URL: redis.url, DATABASE_URL: database.url, TMPDIR: makeFolder() }
  })

  const verify = (...args: string[]) => rekindle(['backup', 'verify', '--config', config, ...args], env)
  const proofOf = async ({ path }: Backup) => (await readBackup(path))?.manifest.proof

  it('proves the newest, and says so in its manifest', async () => {
    const { status, stdout, stderr } = await verify()
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(new RegExp(`^${second.path} is proved: redis-server [\\d.]+ had its 1 key after \\d`))
    expect(stdout).toMatch(/candles\.m1: 0 of \d+ keys that PostgreSQL wants now/)
    expect(await proofOf(second)).toMatchObject({ ok: true, keys: 1, differences: [] })
    expect(await proofOf(first)).toBeNull()
  })

  it('proves the named one, or all', async () => {
    await verify(first.path)
    expect(await proofOf(first)).toMatchObject({ ok: true })
    expect(await proofOf(second)).toBeNull()
    const { answer } = await rekindleJson(['backup', 'verify', '--all', '--config', config], env)
    expect(answer).toMatchObject({
      ok: true,
      backups: [{ path: second.path, ok: true, keys: 1 }, { path: first.path }],
    })
    expect(await proofOf(second)).toMatchObject({ ok: true })
  })

  it('exits with 1 for a bad one, and goes on with the others', async () => {
    appendFileSync(second.path, 'x')
    const { status, stdout, stderr } = await verify('--all')
    expect(status).toBe(1)
    expect(stderr).toContain(`${second.path}: it is not what was taken`)
    expect(stdout).toContain(`${second.path} is BAD.`)
    expect(stdout).toContain(`${first.path} is proved`)
    expect(await proofOf(second)).toMatchObject({ ok: false })
  })

  it('proves the newest of each kind of this Redis', async () => {
    const logged = await startRedis({ args: ['--appendonly', 'yes'] })
    try {
      const settings = { layout: 'sortedset' as const, more: { backup: { dir: folder } } }
      const its = testConfig(logged.url, database.url, settings)
      const { backup: old } = await takeBackup({ config: its, signal })
      const { backup: snapshot } = await takeBackup({ config: its, signal })
      const { backup: log } = await takeAofBackup({ config: its, signal })
      expect(await verify()).toMatchObject({ status: 0, stdout: expect.stringContaining(second.path) })
      env['REDIS_URL'] = logged.url
      const { status, stdout } = await verify()
      expect(status).toBe(0)
      expect(stdout.match(/is proved/g)).toHaveLength(2)
      expect(await proofOf(snapshot)).toMatchObject({ ok: true })
      expect(await proofOf(log)).toMatchObject({ ok: true })
      expect(await proofOf(old)).toBeNull()
      env['REDIS_URL'] = 'redis://127.0.0.1:1/0'
      expect(await verify()).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('no backup of 127.0.0.1:1, only'),
      })
    } finally {
      await logged.stop()
    }
  })

  it('says that PostgreSQL is away, and proves the rest', async () => {
    env['DATABASE_URL'] = 'postgres://user:hidden@127.0.0.1:1/none'
    const { status, stdout } = await verify()
    expect(status).toBe(0)
    expect(stdout).toContain('not compared with PostgreSQL')
    expect(readFileSync(`${second.path}.json`, 'utf8')).not.toContain('hidden')
  })

  it('says what is wrong with the call', async () => {
    expect(await verify('--all', first.path)).toMatchObject({ status: 2 })
    expect(await verify('missing.rdb')).toMatchObject({ status: 1, stderr: expect.stringContaining('no such backup') })
    config = writeConfig({ backup: { dir: makeFolder() } }, 'empty.yaml')
    expect(await verify()).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no backup') })
  })

  it('cannot do without redis-server', async () => {
    const ran = await rekindle(['backup', 'verify', '--config', config], { ...env, PATH: makeFolder() })
    expect(ran).toMatchObject({ status: 1, stderr: expect.stringContaining('redis-server is not on PATH') })
    expect(await proofOf(second)).toBeNull()
  })
})

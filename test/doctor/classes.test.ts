import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, expect, it } from 'vitest'
import { rekindle, rekindleJson, writeConfig } from '../commands/rekindle.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { codesOf, examined } from './examined.js'

const ODD = "q's:*"
const KEYS = [
  { match: 'sub:user:*', recovery: 'backup', impact: 'users lose paid quota' },
  { match: ODD, recovery: 'backup' },
  { match: 'jwt:*', recovery: 'backup' },
  { match: 'never:*', recovery: 'backup' },
  { match: 'price:*', recovery: 'itself' },
]

describeOwnServers('classes of which there is no key', () => {
  const redis = useRedis({ modules: false })
  const dir = mkdtempSync(join(tmpdir(), 'rekindle-gone-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))
  const more = { keys: KEYS, backup: { dir } }
  const env = () => ({
    REDIS_URL: redis.url,
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    REKINDLE_CONFIG: writeConfig(more),
  })
  const gone = async () => (await examined(redis.url, more)).risks.find(({ code }) => code === 'class_gone')

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    rmSync(dir, { recursive: true, force: true })
  })

  it('are at stake without any backup, too', async () => {
    const codes = await codesOf(redis.url, more)
    expect(codes).toEqual(expect.arrayContaining(['aof_off', 'no_save_points', 'no_backup', 'no_schedule']))
    const cache = await codesOf(redis.url, { keys: KEYS.filter(({ recovery }) => recovery === 'itself') })
    expect(cache).toEqual(['(flush_open)', '(no_password)'])
  })

  it('are gone where the newest backup that counted them holds some, and what it says mends it', async () => {
    await redis.cli('MSET', 'sub:user:1', 1, 'sub:user:2', 1, "q's:1", 1, 'price:1', 1)
    await redis.cli('SET', 'jwt:1', 1, 'EX', 600)
    expect((await rekindle(['backup'], env())).status).toBe(0)
    expect(await gone()).toBeUndefined()
    await redis.cli('FLUSHALL')
    await redis.cli('SET', 'price:1', 1)
    const { status, answer } = await rekindleJson(['doctor'], env())
    expect(status).toBe(1)
    const findings = answer['findings'] as { code: string; mend: string; message: string }[]
    const found = findings.find(({ code }) => code === 'class_gone')
    expect(found).toMatchObject({
      severity: 'risk',
      message: expect.stringMatching(
        /^No key of sub:user:\* is there \(users lose paid quota\), though the backup taken \d+ s ago holds 2 keys; no key of q's:\* is there, though .* holds 1 key\.$/,
      ),
    })
    const [, command = '', words = ''] = /^(rekindle) (recover .*); or,/.exec(found?.mend ?? '') ?? []
    expect(command).toBe('rekindle')
    const args = execFileSync('/bin/sh', ['-c', `printf '%s\\n' ${words}`], { encoding: 'utf8' })
      .trim()
      .split('\n')
    expect(args).toEqual(['recover', '--match', 'sub:user:*', '--match', ODD])
    expect((await rekindle(args, env())).status).toBe(0)
    expect(await redis.cli('EXISTS', 'sub:user:1', 'sub:user:2', "q's:1")).toBe(3)
    expect(await gone()).toBeUndefined()
  })

  it('are not gone where a newer backup found none of them', async () => {
    await redis.cli('SET', 'sub:user:1', 1)
    await rekindle(['backup'], env())
    await redis.cli('DEL', 'sub:user:1')
    expect(await gone()).toBeDefined()
    await redis.cli('SET', 'price:1', 1)
    await rekindle(['backup'], env())
    expect(await gone()).toBeUndefined()
  })
})

describeOwnServers('a class that another hides', () => {
  const redis = useRedis({ modules: false })

  it('is a note that names both', async () => {
    const keys = [
      { match: '*', recovery: 'itself' },
      { match: 'sub:*', recovery: 'backup' },
    ]
    const { risks } = await examined(redis.url, { keys })
    expect(risks.find(({ code }) => code === 'class_shadowed')).toMatchObject({
      severity: 'note',
      message: 'sub:* never counts: * is before it, and the first class that matches a key is its class.',
    })
    expect(await codesOf(redis.url, { keys: keys.reverse() })).not.toContain('(class_shadowed)')
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { freePort } from '../../lab/port.js'
import { configSchema } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { SMALL } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { useDatabase, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

const KEYS = [
  { match: 'sub:user:*', recovery: 'backup', impact: 'users lose paid quota' },
  { match: 'ratelimit:*', recovery: 'itself', impact: 'no limit for 60 s' },
]
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** The environment of a run: there is no PostgreSQL at all. */
function environment(url: string, more: object = {}): Record<string, string> {
  return {
    REDIS_URL: url,
    DATABASE_URL: 'postgres://127.0.0.1:1/none',
    REKINDLE_CONFIG: writeConfig({ keys: KEYS, backup: { dir: '/nowhere' }, ...more }),
  }
}

/** Runs the program on a terminal of 80 columns, and gives what it shows there. */
async function onTerminal(env: Record<string, string>): Promise<string> {
  const { PATH = '' } = process.env
  const command = `stty cols 80; exec '${process.execPath}' '${program}' doctor`
  const child = spawn('script', ['-qec', command, '/dev/null'], { env: { PATH, TERM: 'xterm', ...env } })
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text
  })
  await once(child, 'close')
  return shown
}

const hasScript = ['/usr/bin/script', '/bin/script'].some(existsSync)

describeOwnServers('rekindle doctor', () => {
  const redis = useRedis({ modules: false })
  const database = useDatabase(async (url) => {
    await createMarket(url, SMALL)
    await runSql(url, installSql(configSchema.parse({})))
    await runSql(url, 'ALTER TABLE ohlcv4_m15 DISABLE TRIGGER USER')
  })
  const env = () => environment(redis.url)
  const cache = () => environment(redis.url, { keys: KEYS.filter(({ recovery }) => recovery === 'itself') })
  const fill = (script: string) => redis.cli('EVAL', script, 0)

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    await fill(
      `for i = 1, 20 do redis.call('SET', 'ratelimit:' .. i, i) redis.call('ZADD', 'ohlcv:S' .. i .. ':m1', i, i) end`,
    )
  })
  const addPrecious = () =>
    fill(
      `for i = 1, 1200 do redis.call('HSET', 'sub:user:' .. i, 'plan', 'pro') end
       for i = 1, 30 do redis.call('SET', 'sess:' .. i .. ':token', i) end`,
    )

  it('is content with a pure cache that is not persisted', async () => {
    const { status, stdout, stderr } = await rekindle(['doctor'], cache())
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines[0]).toMatch(/^Redis \d+\.\d+\.\d+ at 127\.0\.0\.1:\d+\/0, 40 keys: healthy/)
    expect(stdout).toMatch(/^ {2}ratelimit:\* +20 +[\d.]+ K?B +its writers +until then: no limit for 60 s$/m)
    expect(stdout).toMatch(/^ {2}ohlcv:\*:\* +20 +[\d.]+ K?B +PostgreSQL$/m)
    expect(stdout).not.toContain('✗')
    const { answer } = await rekindleJson(['doctor'], cache())
    expect(answer).toMatchObject({ ok: true, keys: 40, exact: true })
  })

  it('is not content where keys are to come that only a backup brings back', async () => {
    const { status, stdout } = await rekindle(['doctor'], env())
    expect(status).toBe(1)
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'a crash loses the keys of class backup to come (sub:user:*; none known now). [aof_off]',
    )
  })

  it('says how changes in PostgreSQL are found, and that it could not ask', async () => {
    const { answer, status } = await rekindleJson(['doctor'], cache())
    expect(status).toBe(0)
    expect(answer['change_sources']).toBeNull()
    expect(answer['unchecked']).toContainEqual({
      what: 'how changes in PostgreSQL are found',
      why: expect.stringMatching(/^PostgreSQL 127.0.0.1:1\/none: /),
      grant: '',
    })
    const { stdout } = await rekindle(['doctor'], { ...cache(), DATABASE_URL: database.url })
    const text = stdout.replace(/\s+/g, ' ')
    expect(text).toContain(
      'How changes in PostgreSQL are found by triggers within 10 ms (indicators, symbols, candles.m1, candles.m5)',
    )
    expect(text).toContain(
      'candles.m15: changes of ohlcv4_m15 are found by polling within 1 s: it has triggers that are disabled → run: rekindle triggers --apply',
    )
  })

  it('says what an empty Redis is', async () => {
    await redis.cli('FLUSHALL')
    const { status, stdout } = await rekindle(['doctor'], cache())
    expect(status).toBe(0)
    expect(stdout).toContain('It holds no keys that could be lost.')
  })

  it('shows what would be gone, what mends it, and how to classify the rest', async () => {
    await addPrecious()
    await redis.cli('COPY', 'ratelimit:1', 'other', 'DB', 3)
    const { status, stdout, stderr } = await rekindle(['doctor'], env())
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    expect(stdout).toMatch(/^Redis .*, 1,270 keys: \d risks\.$/m)
    expect(stdout).toMatch(/^ {2}sub:user:\* +1,200 +\d+ KB +NOTHING +users lose paid quota$/m)
    expect(stdout).toMatch(/^ {2}\(of no class\) +30 +[\d.]+ KB +NOTHING +nobody has said what they are$/m)
    expect(stdout).toContain('Not looked at: db3 (1 key)')
    expect(stdout).toContain('    - { match: "sess:*:token", recovery: backup }  # 30 keys\n')
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      '✗ The append-only file is off: a crash loses 1,200 keys of class backup and 30 of no class (unknown is not safe). [aof_off] → CONFIG SET appendonly yes, and then',
    )
    for (const line of stdout.split('\n')) expect([...line].length, line).toBeLessThanOrEqual(80)
    expect(stdout).not.toMatch(/[^\P{Cc}\n]/u)
  })

  it('tells a machine the same, by names that stay', async () => {
    await addPrecious()
    const { status, answer } = await rekindleJson(['doctor'], env())
    expect(status).toBe(1)
    expect(answer).toMatchObject({
      ok: false,
      server: `127.0.0.1:${redis.port}/0`,
      redis_version: expect.stringMatching(/^\d+\.\d+/),
      looked_at: expect.stringMatching(/^\d{4}-.*Z$/),
      keys: 1_270,
      keys_looked_at: 1_270,
      exact: true,
      unclassified: [{ match: 'sess:*:token', keys: 30 }],
      other_databases: [],
    })
    const classes = answer['classes'] as Record<string, unknown>[]
    expect(classes[0]).toEqual({
      match: 'sub:user:*',
      recovery: 'backup',
      impact: 'users lose paid quota',
      keys: 1_200,
      exact: true,
      bytes: expect.any(Number),
      comes_back_from: 'nothing',
      backup: null,
    })
    expect(classes.map((each) => each['comes_back_from'])).toEqual(['nothing', 'nothing', 'itself', 'postgres'])
    const findings = answer['findings'] as Record<string, unknown>[]
    expect(findings.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['aof_off', 'no_save_points', 'no_backup', 'no_schedule', 'flush_open']),
    )
    for (const finding of findings) {
      expect(Object.keys(finding).sort()).toEqual(['code', 'mend', 'message', 'severity'])
    }
  })

  it('lets no name of a key speak to the terminal', async () => {
    for (const name of ['\x1b[31mred', 'a\nb', '\x1b]0;title\x07', 'c\u009b2Jd', 'e\u202ef:1', '\r', ' ', '{x}: "']) {
      await redis.cli('SET', name, 1)
    }
    await redis.cli('SET', Buffer.from([0xff, 0xfe, 0x1b]), 1)
    const { status, stdout } = await rekindle(['doctor'], env())
    expect(status).toBe(1)
    expect(stdout).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u)
    expect(stdout).toContain('(of no class)')
  })

  it.runIf(hasScript)('is coloured on a terminal only, and not where NO_COLOR is set', async () => {
    await addPrecious()
    const shown = await onTerminal(env())
    expect(shown).toContain('\x1b[31mNOTHING\x1b[0m')
    expect(shown).toContain('\x1b[31m✗\x1b[0m')
    const plain = await onTerminal({ ...env(), NO_COLOR: '1' })
    expect(plain).toContain('NOTHING')
    expect(plain).not.toContain('\x1b[3')
    expect(plain).not.toContain('\x1b[0m')
  })
})

describeOwnServers('rekindle doctor with few rights', () => {
  const redis = useRedis({ modules: false, acl: ['user app on >secret resetchannels -@all +ping +info'] })
  const url = () => redis.url.replace('//', '//app:secret@')

  it('says what it could not check, and what would let it', async () => {
    await redis.cli('SET', 'sub:user:1', 1)
    const { stdout } = await rekindle(['doctor'], environment(url()))
    expect(stdout).not.toContain('healthy.')
    const [, grants = ''] = /→ ACL SETUSER app ((?:\s*[+~]\S+)+)/.exec(stdout) ?? []
    await redis.cli('ACL', 'SETUSER', 'app', ...grants.trim().split(/\s+/))
    const { answer } = await rekindleJson(['doctor'], environment(url()))
    const unchecked = answer['unchecked'] as { what: string; grant: string }[]
    // There is no PostgreSQL to ask.
    const others = /^(the machine|how changes in PostgreSQL are found)/
    expect(unchecked.filter(({ what }) => !others.test(what))).toEqual([])
    expect((answer['findings'] as { code: string }[]).map(({ code }) => code)).toContain('flush_open')
  })

  it('does not call healthy what tells nothing', async () => {
    await redis.cli('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '-@all', '+ping')
    const { status, stdout } = await rekindle(['doctor'], environment(url()))
    expect(status).toBe(1)
    expect(stdout.split('\n')[0]).not.toContain('healthy')
    const cache = environment(url(), { keys: KEYS.slice(1) })
    const of = await rekindle(['doctor'], cache)
    expect(of.status).toBe(1)
    expect(of.stdout.split('\n')[0]).toMatch(/^Redis at 127\.0\.0\.1:\d+\/0: its health is unknown\.$/)
  })

  it('takes keys that it may not list for unknown, and unknown for unsafe', async () => {
    await redis.cli('SET', 'ratelimit:1', 1)
    await redis.cli('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', '-@all', '+ping', '+info', '+config|get')
    const { status, answer } = await rekindleJson(['doctor'], environment(url()))
    expect(status).toBe(1)
    expect(answer).toMatchObject({ keys: null, keys_looked_at: 0, exact: false, classes: [] })
    expect((answer['findings'] as { code: string }[]).map(({ code }) => code)).toContain('aof_off')
  })
})

describe('rekindle doctor where there is no Redis to look at', () => {
  it('says that nothing answers', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const { status, stdout, stderr } = await rekindle(['doctor', '--timeout', '300ms'], environment(url))
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^rekindle: Redis 127\.0\.0\.1:\d+\/0: .*ECONNREFUSED.*, after waiting 300 ms; .+\n$/)
    const { answer } = await rekindleJson(['doctor', '--timeout', '300ms'], environment(url))
    expect(answer).toMatchObject({ ok: false, code: 'redis_unreachable' })
  })
})

describeOwnServers('rekindle doctor at a closed door', () => {
  const redis = useRedis({ modules: false, password: 'right' })

  it('says that the password is wrong, at once and without it', async () => {
    const url = redis.url.replace('right', 'wrong-one')
    const { status, stderr } = await rekindle(['doctor'], environment(url))
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis .*WRONGPASS.*; check the user and the password/)
    expect(stderr).not.toContain('wrong-one')
    const bare = await rekindleJson(['doctor'], environment(redis.url.replace(':right@', '')))
    expect(bare.answer).toMatchObject({ ok: false, code: 'redis_refused' })
  })

  it('waits for one that hangs, as long as it is told', async () => {
    redis.pause()
    const { status, stderr, took } = await rekindle(['doctor', '--timeout', '500ms'], environment(redis.url))
    redis.resume()
    expect(status).toBe(1)
    expect(stderr).toContain('no answer, after waiting 500 ms')
    expect(took).toBeLessThan(5_000)
  })
})

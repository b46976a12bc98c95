import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { takeAofBackup } from '../../src/backup/aof.js'
import { takeBackup } from '../../src/backup/take.js'
import { connect } from '../recover/connections.js'
import { makeFolder } from '../recover/folders.js'
import { PROMPT } from '../recover/things.js'
import { testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, startRekindle, writeConfig } from './rekindle.js'

const { signal } = new AbortController()
const NO_POSTGRES = 'postgres://127.0.0.1:1/none'
const KEYS = [
  { match: 'sub:user:*', recovery: 'backup' },
  { match: 'ratelimit:*', recovery: 'itself' },
]

describeOwnServers('rekindle recover', () => {
  const redis = useRedis(PROMPT)
  const folder = makeFolder()
  let backup: string
  let config: string
  /** Where the program puts what is temporary: nothing may stay there. */
  let temporary: string
  let env: Record<string, string>

  beforeAll(async () => {
    await redis.cli('HSET', 'sub:user:1', 'plan', 'gold')
    await redis.cli('HSET', 'sub:user:2', 'plan', 'silver')
    await redis.cli('SET', 'sub:user:3', 'x', 'PX', '1000000')
    await redis.cli('SET', 'ratelimit:1', 'x')
    await redis.cli('SET', 'ohlcv:BTCUSDT:m1', 'old')
    await redis.cli('SET', Buffer.from([0x62, 0x3a, 0xff, 0x0a]), 'x')
    const settings = { layout: 'sortedset' as const, more: { backup: { dir: folder }, keys: KEYS } }
    backup = (await takeBackup({ config: testConfig(redis.url, NO_POSTGRES, settings), signal })).backup.path
    config = writeConfig(configOf(KEYS))
  })

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    temporary = makeFolder()
    env = { REDIS_URL: redis.url, DATABASE_URL: NO_POSTGRES, TMPDIR: temporary }
  })

  const configOf = (keys: object[]) => ({ candles: { layout: 'sortedset' }, backup: { dir: folder }, keys })
  const recover = async (...args: string[]) => {
    const ran = await rekindle(['recover', '--config', config, ...args], env)
    expect(readdirSync(temporary)).toEqual([])
    return ran
  }
  const recoverJson = (...args: string[]) => rekindleJson(['recover', '--config', config, ...args], env)
  const keys = async () => ((await redis.cli('KEYS', '*')) as string[]).sort()

  it('brings the named keys back, and says how old they are', async () => {
    const { status, stdout, stderr } = await recover('--match', 'sub:user:*', '--match', 'rate*')
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/^Brought back 4 keys from .*\.rdb, which was taken [\d.]+ m?s ago \(2/)
    expect(await keys()).toEqual(['ratelimit:1', 'sub:user:1', 'sub:user:2', 'sub:user:3'])
    expect(await redis.cli('HGET', 'sub:user:1', 'plan')).toBe('gold')
    const left = Number(await redis.cli('PTTL', 'sub:user:3'))
    expect(left).toBeGreaterThan(10_000)
    expect(left).toBeLessThan(1_000_000)
  })

  it('brings back the classes that only a backup can, if nothing is named', async () => {
    const { answer, status } = await recoverJson()
    expect(status).toBe(0)
    expect(answer).toMatchObject({ ok: true, backup, copied: 3, kept: 0, dry_run: false, warnings: [] })
    expect(await keys()).toEqual(['sub:user:1', 'sub:user:2', 'sub:user:3'])
  })

  it('keeps what a live worker wrote meanwhile, unless it is to replace it', async () => {
    await redis.cli('HSET', 'sub:user:1', 'plan', 'new')
    const kept = await recover('--match', 'sub:user:*')
    expect(kept.stdout).toContain('Kept 1 key as Redis has it; --replace writes over it.')
    expect(await redis.cli('HGET', 'sub:user:1', 'plan')).toBe('new')
    expect((await recoverJson('--match', 'sub:user:*', '--replace')).answer).toMatchObject({ copied: 3, kept: 0 })
    expect(await redis.cli('HGET', 'sub:user:1', 'plan')).toBe('gold')
  })

  it('leaves to the heal what PostgreSQL has', async () => {
    const { stdout, status } = await recover('--match', '*')
    expect(status).toBe(0)
    expect(stdout).toContain('Left 1 key to rekindle restore')
    expect(await keys()).not.toContain('ohlcv:BTCUSDT:m1')
    expect(await redis.cli('DBSIZE')).toBe(5)
  })

  it('lists the keys on a dry run, and writes none', async () => {
    const { stdout } = await recover('--dry-run', '--match', '*')
    expect(stdout).toContain('Would bring back 5 keys')
    expect(stdout).toContain('\n  sub:user:1\n')
    expect(stdout).toContain('\n  b:\\xff\\x0a\n')
    const { answer } = await recoverJson('--dry-run', '--match', 'sub*')
    expect(answer).toMatchObject({ copied: 3, dry_run: true, names_complete: true })
    expect((answer['names'] as string[]).sort()).toEqual(['sub:user:1', 'sub:user:2', 'sub:user:3'])
    expect(await keys()).toEqual([])
  })

  it('may be run twice at once', async () => {
    const both = await Promise.all([recoverJson(), recoverJson()])
    const counts = both.map(({ answer }) => answer as { copied: number; kept: number })
    expect(counts.reduce((sum, { copied }) => sum + copied, 0)).toBe(3)
    expect(counts.reduce((sum, { kept }) => sum + kept, 0)).toBe(3)
    expect(await keys()).toEqual(['sub:user:1', 'sub:user:2', 'sub:user:3'])
  })

  it('goes from and to the database of the URL', async () => {
    await connect(redis.url, 2).set('sub:user:9', 'x')
    const settings = { more: { backup: { dir: makeFolder() } } }
    const taken = await takeBackup({ config: testConfig(redis.url, NO_POSTGRES, settings), signal })
    await redis.cli('FLUSHALL')
    const url = redis.url.replace(/0$/, '2')
    const args = ['recover', '--config', config, '--backup', taken.backup.path]
    expect((await rekindleJson(args, { ...env, REDIS_URL: url })).answer).toMatchObject({ copied: 1 })
    expect(await connect(redis.url, 2).keys('*')).toEqual(['sub:user:9'])
  })

  it('takes any dump.rdb, with a warning', async () => {
    const foreign = join(makeFolder(), 'dump.rdb')
    writeFileSync(foreign, readFileSync(backup))
    const { stdout, status } = await recover('--backup', foreign, '--match', 'sub:*')
    expect(status).toBe(0)
    expect(stdout).toMatch(/^Warning: .*dump\.rdb has no manifest/)
    expect(await keys()).toHaveLength(3)
  })

  describe('of several backups', () => {
    let dir: string
    const take = async (more: object = {}, url = redis.url) => {
      const settings = { layout: 'sortedset' as const, more: { backup: { dir }, keys: KEYS, ...more } }
      return (await takeBackup({ config: testConfig(url, NO_POSTGRES, settings), signal })).backup.path
    }
    const from = (...args: string[]) =>
      rekindle(
        ['recover', '--config', writeConfig({ ...configOf(KEYS), backup: { dir } }, 'several.yaml'), ...args],
        env,
      )

    beforeEach(async () => {
      dir = makeFolder()
      await redis.cli('SET', 'sub:user:1', 'x')
    })

    it('takes the one of before the loss, and says so', async () => {
      const good = await take()
      await redis.cli('FLUSHALL')
      const empty = await take()
      const { status, stdout } = await from()
      expect(status).toBe(0)
      expect(stdout).toContain(
        `Warning: newer backups were passed over: ${basename(empty)} holds no key at all.\nBrought back 1 key from ${good}`,
      )
      expect(await keys()).toEqual(['sub:user:1'])
    })

    it('calls it no success to bring back nothing, and names an older one', async () => {
      const good = await take()
      await redis.cli('FLUSHALL')
      await redis.cli('SET', 'ratelimit:1', 'x')
      const after = await take()
      const { status, stdout, stderr } = await from('--backup', after)
      const more = '1 key that their writers bring back'
      expect({ status, stdout }).toEqual({
        status: 1,
        stdout: `The backup holds more, which was not asked for: ${more}.\n`,
      })
      expect(stderr).toContain(
        `the backup holds no key of a class with recovery: backup; an older one may: --backup ${good}`,
      )
      expect(await from('--backup', after, '--match', 'ratelimit:*', '--dry-run')).toMatchObject({ status: 0 })
    })

    it('refuses one that was altered, and names the next', async () => {
      const good = await take()
      const altered = await take()
      await redis.cli('FLUSHALL')
      const bytes = readFileSync(altered)
      writeFileSync(altered, Buffer.concat([bytes.subarray(0, -1), Buffer.from([(bytes.at(-1) ?? 0) ^ 1])]))
      for (const args of [[], ['--into', makeFolder()]]) {
        const { status, stderr } = await from(...args)
        expect(status).toBe(1)
        expect(stderr).toContain('its sha256 is another; use the next one, of 2')
        expect(stderr).toContain(`--backup ${good}`)
      }
      expect(await keys()).toEqual([])
    })

    it('refuses an append-only file of which a part was emptied or taken away', async () => {
      const logged = await startRedis({ args: ['--appendonly', 'yes'] })
      try {
        await logged.cli('SET', 'sub:user:7', 'x')
        const settings = { more: { backup: { dir } } }
        const { backup } = await takeAofBackup({ config: testConfig(logged.url, NO_POSTGRES, settings), signal })
        await logged.cli('FLUSHALL')
        env['REDIS_URL'] = logged.url
        const inside = (name: string): string => join(backup.path, 'appendonlydir', `appendonly.aof.${name}`)
        const bytes = readFileSync(inside('1.incr.aof'))
        truncateSync(inside('1.incr.aof'), 0)
        expect(await from()).toMatchObject({ status: 1, stderr: expect.stringContaining('sha256') })
        writeFileSync(inside('1.incr.aof'), bytes)
        const manifest = readFileSync(inside('manifest'))
        rmSync(inside('manifest'))
        expect(await from()).toMatchObject({ status: 1, stderr: expect.stringContaining('sha256') })
        writeFileSync(inside('manifest'), manifest)
        expect(await from()).toMatchObject({ status: 0, stdout: expect.stringContaining('Brought back 1 key') })
      } finally {
        await logged.stop()
      }
    })

    it('leaves those of another Redis alone, unless one is named', async () => {
      const other = await startRedis(PROMPT)
      try {
        await other.cli('SET', 'sub:user:8', 'x')
        const foreign = await take({}, other.url)
        const { status, stderr } = await from()
        expect(status).toBe(1)
        expect(stderr).toContain(`only of 127.0.0.1:${other.port}; if that is the one you mean, name it: --backup`)
        const named = await from('--backup', foreign)
        expect(named.stdout).toMatch(/^Warning: .* is of 127\.0\.0\.1:\d+, and not of /)
        expect(await keys()).toEqual(['sub:user:1', 'sub:user:8'])
      } finally {
        await other.stop()
      }
    })

    it.skipIf(!inject('hasTimeSeries'))('makes the compaction rules of time series anew', async () => {
      await redis.cli('TS.CREATE', 'sub:series')
      await redis.cli('TS.CREATE', 'sub:hourly')
      await redis.cli('TS.CREATERULE', 'sub:series', 'sub:hourly', 'AGGREGATION', 'avg', '3600000')
      await take()
      await redis.cli('FLUSHALL')
      const { status, stdout } = await from('--match', 'sub:*')
      expect(status).toBe(0)
      expect(stdout).toContain('Made 1 compaction rule of time series anew.')
      const info = (await redis.cli('TS.INFO', 'sub:series')) as unknown[]
      expect(JSON.stringify(info[info.indexOf('rules') + 1])).toMatch(/sub:hourly.*3600000.*AVG/)
    })

    it('pushes out nothing that Redis holds', async () => {
      const fill = "for i = 1, 2000 do redis.call('SET', ARGV[1] .. i, string.rep('x', 1000)) end"
      await redis.cli('EVAL', fill, '0', 'sub:user:')
      await take()
      await redis.cli('FLUSHALL')
      await redis.cli('EVAL', fill, '0', 'live:')
      const used = Number(/used_memory:(\d+)/.exec(String(await redis.cli('INFO', 'memory')))?.[1])
      await redis.cli('CONFIG', 'SET', 'maxmemory', used + 1_000_000, 'maxmemory-policy', 'allkeys-lru')
      try {
        const { status, stderr } = await from()
        expect(status).toBe(1)
        expect(stderr).toMatch(/Redis has room for .*would evict other keys; raise maxmemory/)
        expect(await from('--dry-run')).toMatchObject({ status: 0 })
        expect(await from('--match', 'sub:user:77*')).toMatchObject({ status: 0 })
        expect((await keys()).filter((key) => key.startsWith('live:'))).toHaveLength(2_000)
      } finally {
        await redis.cli('CONFIG', 'SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction')
      }
    })
  })

  it('stops at SIGINT, says what was done, and leaves nothing behind', async () => {
    const big = await startRedis(PROMPT)
    try {
      await big.cli('EVAL', "for i = 1, 200000 do redis.call('SET', 'sub:user:' .. i, i) end", '0')
      const dir = makeFolder()
      await takeBackup({ config: testConfig(big.url, NO_POSTGRES, { more: { backup: { dir } } }), signal })
      const file = join(dir, readdirSync(dir).find((name) => name.endsWith('.rdb')) ?? '')
      const running = startRekindle(['recover', '--json', '--config', config, '--backup', file], env)
      await until(async () => Number(await redis.cli('DBSIZE')) > 0)
      running.kill('SIGINT')
      const { status, stdout } = await running.ended
      const answer = JSON.parse(stdout) as { copied: number }
      expect(status).toBe(1)
      expect(answer).toMatchObject({ ok: false, code: 'aborted' })
      expect(answer.copied).toBeGreaterThan(0)
      expect(answer.copied).toBeLessThan(200_000)
      expect(readdirSync(temporary)).toEqual([])
    } finally {
      await big.stop()
    }
  })

  it('leaves nothing behind when it is killed', async () => {
    const running = startRekindle(['recover', '--config', config, '--backup', backup, '--match', '*'], env)
    await until(() => readdirSync(temporary, { recursive: true }).some((name) => String(name).endsWith('/dump.rdb')))
    running.kill('SIGKILL')
    await running.ended
    await until(() => readdirSync(temporary).length === 0)
  })

  describe('says what is wrong', () => {
    it('with a call that names no keys', async () => {
      config = writeConfig(configOf([]), 'no-classes.yaml')
      const { status, stderr } = await recover()
      config = writeConfig(configOf(KEYS))
      expect(status).toBe(2)
      expect(stderr).toContain("--match 'sub:user:*'")
    })

    it('with a pattern that is empty', async () => {
      expect(await recover('--match', '')).toMatchObject({ status: 2, stderr: expect.stringContaining("'sub:user:*'") })
    })

    it('and its help says each default once', async () => {
      const { stdout } = await rekindle(['recover', '--help'])
      expect(stdout.match(/default:/g)).toHaveLength(1)
      expect(stdout).toContain('(default: the classes with')
    })

    it('with --into and --match at once', async () => {
      expect(await recover('--into', folder, '--match', 'x')).toMatchObject({
        status: 2,
        stderr: expect.stringContaining('--into'),
      })
    })

    it('with a pattern that matches nothing', async () => {
      expect(await recover('--match', 'none:*')).toMatchObject({ status: 1, stderr: expect.stringContaining('none:*') })
    })

    it('if there is no backup', async () => {
      const args = ['recover', '--config', writeConfig({ backup: { dir: makeFolder() }, keys: KEYS }, 'none.yaml')]
      const { status, stderr } = await rekindle(args, env)
      expect(status).toBe(1)
      expect(stderr).toContain('there is no backup; take one: rekindle backup')
      expect(await recover('--backup', 'missing.rdb')).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('missing.rdb: no such backup'),
      })
    })

    it('with a file that is cut short', async () => {
      const cut = join(makeFolder(), 'cut.rdb')
      writeFileSync(cut, readFileSync(backup))
      truncateSync(cut, 150)
      const { status, stderr } = await recover('--backup', cut)
      expect(status).toBe(1)
      expect(stderr).toMatch(/^rekindle: .*cut\.rdb: it is damaged or cut short; [^\n]+\n$/)
      expect(await keys()).toEqual([])
    })

    it('with a folder that is no backup', async () => {
      expect(await recover('--backup', makeFolder())).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('has no manifest'),
      })
    })

    it.skipIf(process.getuid?.() === 0)('with a backup that may not be read', async () => {
      const hidden = join(makeFolder(), 'hidden.rdb')
      writeFileSync(hidden, readFileSync(backup), { mode: 0o000 })
      expect(await recover('--backup', hidden)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining('permission denied'),
      })
    })

    it('if redis-server is missing', async () => {
      const bin = makeFolder()
      mkdirSync(bin, { recursive: true })
      const { status, stderr } = await rekindle(['recover', '--config', config], { ...env, PATH: bin })
      expect(status).toBe(1)
      expect(stderr).toContain('redis-server is not on PATH')
    })

    it('with nothing, if the user may only write', async () => {
      await redis.cli('ACL', 'SETUSER', 'writer', 'on', '>right', '%W~sub:user:*', '-@all', '+restore', '+ping')
      const url = redis.url.replace('redis://', 'redis://writer:right@')
      const ran = await rekindle(['recover', '--config', config, '--backup', backup], { ...env, REDIS_URL: url })
      expect(ran).toMatchObject({ status: 0, stdout: expect.stringContaining('Brought back 3 keys') })
      expect(ran.stdout).toContain('Warning: Redis does not tell whether it evicts other keys to make room for these')
    })

    it('with the password', async () => {
      await redis.cli('ACL', 'SETUSER', 'recoverer', 'on', '>right', '~*', '+@all')
      const url = redis.url.replace('redis://', 'redis://recoverer:wrong@')
      const { status, stderr } = await rekindle(['recover', '--config', config], { ...env, REDIS_URL: url })
      expect(status).toBe(1)
      expect(stderr).toContain('WRONGPASS')
    })

    it('if Redis is away', async () => {
      const url = 'redis://127.0.0.1:1/0'
      const args = ['recover', '--config', config, '--backup', backup]
      const { status, stderr } = await rekindle(args, { ...env, REDIS_URL: url })
      expect(status).toBe(1)
      expect(stderr).toContain('ECONNREFUSED')
    })
  })

  it('prepares the directory of a stopped server, and says what to do next', async () => {
    const dir = makeFolder()
    writeFileSync(join(dir, 'dump.rdb'), 'old')
    const { status, stdout } = await recover('--into', dir)
    expect(status).toBe(0)
    expect(stdout).toContain(`Prepared ${dir} from ${backup}`)
    expect(stdout).toContain('Start the server now')
    expect(stdout).toContain(`with appendonly yes it loads ${join(dir, 'appendonlydir')}`)
    expect(stdout).toContain(`with appendonly no it loads ${join(dir, 'dump.rdb')}`)
    const server = await startRedis({ dir, args: ['--appendonly', 'yes'] })
    try {
      expect(await server.cli('DBSIZE')).toBe(6)
    } finally {
      await server.stop()
    }
    expect(existsSync(join(dir, 'dump.rdb'))).toBe(true)
  })

  it('may be called from the directory itself', async () => {
    const dir = makeFolder()
    const program = join(import.meta.dirname, '../../dist/main.js')
    const command = `cd ${dir} && "$0" ${program} recover --config ${config} --into . && true`
    const text = execFileSync('/bin/sh', ['-c', command, process.execPath], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    })
    expect(text).toContain(`Prepared ${dir}`)
  })

  it('refuses the directory of the running server', async () => {
    const { status, stderr } = await recover('--into', redis.dir)
    expect(status).toBe(1)
    expect(stderr).toContain(`is in use: process ${redis.pid}`)
  })
})

import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, expect, it } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { AT_ONCE, makeSlow, manifestOf } from '../backup/support.js'
import { describeOwnServers } from '../support/processes.js'
import { until } from '../support/until.js'
import { rekindle, rekindleJson, startRekindle, writeConfig } from './rekindle.js'

const folders: string[] = []
afterAll(() => {
  for (const dir of folders) rmSync(dir, { recursive: true, force: true })
})

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'rekindle-backup-'))
  folders.push(made)
  return made
}

const namesIn = (dir: string): string[] => readdirSync(dir).sort()

/** No PostgreSQL is at hand. */
const env = (redis: Pick<RunningRedis, 'url'>, dir: string, backup: object = {}): Record<string, string> => ({
  REDIS_URL: redis.url,
  DATABASE_URL: 'postgres://me:hush@127.0.0.1:1/nowhere',
  REKINDLE_CONFIG: writeConfig(
    { keys: [{ match: 'sub:*', recovery: 'backup' }], backup: { dir, ...backup } },
    `${Math.random()}.yaml`,
  ),
})

describeOwnServers('rekindle backup', () => {
  it('takes a backup, lists it, and needs no PostgreSQL', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const dir = join(folder(), 'backups')
    await redis.cli('MSET', 'sub:1', 'a', 'sub:2', 'b', 'other', 'c')
    const taken = await rekindle(['backup'], env(redis, dir))
    expect(taken).toMatchObject({ status: 0, stderr: '' })
    expect(taken.stdout).toMatch(
      /^Backed up 3 keys \(\d+ B, checked\) in [\d.]+ m?s: .*\/backups\/redis-\d{8}T\d{9}Z\.rdb\n$/,
    )
    const { status, answer } = await rekindleJson(['backup', 'now'], env(redis, dir))
    expect(status).toBe(0)
    expect(answer).toMatchObject({
      ok: true,
      warnings: [],
      removed: [],
      backups: [{ kind: 'rdb', checked: 'ok', keys: { total: 3 }, path: expect.stringContaining(dir) }],
    })
    const list = await rekindle(['backup', 'list'], env(redis, dir))
    expect(list.stdout.split('\n')[0]).toMatch(/^TAKEN +AGE +SIZE +KEYS +ONLY HERE +CHECKED +PROVED +FILE$/)
    expect(list.stdout.split('\n')[1]).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +\d+ s +\d+ B +3 +2 +yes +never +redis-\w+\.rdb$/,
    )
    const all = await rekindleJson(['backup', 'list'], env(redis, dir))
    expect(all.answer['backups']).toHaveLength(2)
    expect(all.answer['backups']).toEqual([...(answer['backups'] as object[]), expect.anything()])
    const elsewhere = folder()
    await rekindle(['backup', '--dir', elsewhere], env(redis, dir))
    expect(namesIn(elsewhere)).toHaveLength(2)
    await redis.stop()
  })

  it('copies the append-only file where it is at hand, and says where it is not', async () => {
    const redis = await startRedis({ args: [...AT_ONCE, '--appendonly', 'yes'] })
    const dir = folder()
    const both = await rekindle(['backup', '--aof'], env(redis, dir))
    expect(both).toMatchObject({ status: 0, stderr: '' })
    expect(both.stdout).toMatch(/^Backed up 0 keys .*\.rdb\nBacked up the append-only file .*\.aof\n$/)
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
    const { status, answer } = await rekindleJson(['backup'], env(redis, dir, { aof: true }))
    expect(status).toBe(1)
    expect(answer).toMatchObject({ ok: false, code: 'redis_refused', error: expect.stringContaining('appendonly no') })
    expect(answer['backups']).toHaveLength(1)
    await redis.stop()
  })

  it('runs the command of the user, and tells if that fails', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const [dir, out] = [folder(), join(folder(), 'out')]
    const script = `printf '%s ' "$REDIS_URL" "$1" "$2" > ${out}`
    const after = ['/bin/sh', '-c', script, 'sh', '{file}', '{manifest}']
    const { answer } = await rekindleJson(['backup'], env(redis, dir, { after }))
    const path = (answer['backups'] as { path: string }[])[0]?.path
    expect(readFileSync(out, 'utf8')).toBe(` ${path} ${path}.json `)
    const failed = await rekindle(['backup'], env(redis, dir, { after: ['/bin/sh', '-c', 'echo no bucket; exit 4'] }))
    expect(failed.status).toBe(1)
    expect(failed.stdout).toMatch(/^Backed up /)
    expect(failed.stderr).toMatch(
      /^rekindle: backup\.after: \/bin\/sh ended with 4: no bucket; the backup itself is in its place/,
    )
    expect(namesIn(dir)).toHaveLength(4)
    await redis.stop()
  })

  it('repeats no secret of the configuration that the command of the user prints', async () => {
    const redis = await startRedis({ args: AT_ONCE, password: 'p/ss word' })
    const script =
      'echo "p/ss word p%2Fss%20word pgword whole-secret https://hooks.example.com/T0/B1 /T0/B1 fine" >&2; exit 4'
    const surroundings = { ...env(redis, folder(), { after: ['/bin/sh', '-c', script] }) }
    surroundings['ALERTS_WEBHOOK_SECRET'] = 'whole-secret'
    surroundings['ALERTS_WEBHOOK_URL'] = 'https://hooks.example.com/T0/B1'
    surroundings['DATABASE_URL'] = 'postgres://me@127.0.0.1:1/nowhere?password=pgword'
    const { stderr } = await rekindle(['backup'], surroundings)
    expect(stderr).toContain('ended with 4: *** *** *** *** *** *** fine; ')
    await redis.stop()
  })

  it.each([
    [['--dry-run'], '--dry-run: does not go with backup now; it belongs to backup prune'],
    [['--all'], '--all: does not go with backup now; it belongs to backup verify'],
    [['list', '--aof'], '--aof: does not go with backup list; it belongs to backup now'],
    [['list', '--dry-run'], '--dry-run: does not go with backup list; it belongs to backup prune'],
    [['prune', '--timeout', '5s'], '--timeout: does not go with backup prune; it belongs to backup now'],
    [['verify', '--aof'], '--aof: does not go with backup verify; it belongs to backup now'],
    [['--dir', ''], '--dir: "" is no folder; it should be such as /backups'],
    [['prune', '--dir', ' '], '--dir: "" is no folder; it should be such as /backups'],
  ])('takes and removes nothing where a flag does not fit: %s', async (args, line) => {
    const redis = await startRedis({ args: AT_ONCE })
    const dir = folder()
    const surroundings = env(redis, dir, { keep: { last: 1, days: 1 } })
    for (const days of [40, 50]) {
      const taken_at = new Date(Date.now() - days * 86_400_000).toISOString()
      const manifest = manifestOf({ taken_at, source: `127.0.0.1:${redis.port}` })
      // The empty name would mean the folder that the program runs in.
      for (const each of [dir, dirname(String(surroundings['REKINDLE_CONFIG']))]) {
        writeFileSync(join(each, `redis-${days}.rdb`), 'abc')
        writeFileSync(join(each, `redis-${days}.rdb.json`), JSON.stringify(manifest))
      }
    }
    const ran = await rekindle(['backup', ...args], surroundings)
    expect(ran).toMatchObject({ status: 2, stdout: '', stderr: `rekindle: ${line}\n` })
    expect(namesIn(dir)).toHaveLength(4)
    const here = namesIn(dirname(String(surroundings['REKINDLE_CONFIG'])))
    expect(here.filter((name) => name.startsWith('redis-'))).toHaveLength(4)
    await redis.stop()
  })

  it('removes what is no longer kept, but not what an empty Redis would drive out', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const dir = folder()
    const keep = { keep: { last: 1, days: 1 } }
    for (const days of [40, 50]) {
      writeFileSync(join(dir, `redis-${days}.rdb`), 'abc')
      const taken_at = new Date(Date.now() - days * 86_400_000).toISOString()
      writeFileSync(
        join(dir, `redis-${days}.rdb.json`),
        JSON.stringify(manifestOf({ taken_at, source: `127.0.0.1:${redis.port}` })),
      )
    }
    const empty = await rekindle(['backup'], env(redis, dir, keep))
    expect(empty.stdout).toMatch(
      /Warning: this backup holds no key at all, and the one before held 10: .*\nRemoved 1 backup that/,
    )
    expect(existsSync(join(dir, 'redis-40.rdb'))).toBe(true)
    const dry = await rekindle(['backup', 'prune', '--dry-run'], env(redis, dir, keep))
    expect(dry.stdout).toBe('Would remove 0 backups, keep 2.\n')
    await redis.cli('SET', 'a', 'b')
    const { answer } = await rekindleJson(['backup'], env(redis, dir, keep))
    expect(answer['removed']).toEqual([join(dir, 'redis-40.rdb')])
    const pruned = await rekindleJson(['backup', 'prune'], env(redis, dir, keep))
    expect(pruned).toMatchObject({
      status: 0,
      answer: { ok: true, removed: [], kept: [{}, {}].map(() => expect.any(String)) },
    })
    await redis.stop()
  })

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'ended by %s in the middle leaves no file that looks good',
    async (signal) => {
      const redis = await startRedis({ args: AT_ONCE })
      const dir = folder()
      await rekindle(['backup'], env(redis, dir))
      const before = namesIn(dir)
      await makeSlow(redis)
      const running = startRekindle(['backup'], env(redis, dir))
      await until(() => namesIn(dir).length > before.length)
      running.kill(signal)
      const { status, stdout, stderr } = await running.ended
      const left = namesIn(dir).filter((name) => !before.includes(name))
      expect(stdout).toBe('')
      if (signal === 'SIGTERM') {
        expect({ status, left }).toEqual({ status: 1, left: [] })
        expect(stderr).toBe(
          'rekindle: stopped by SIGTERM; no backup was taken, and earlier ones are as they were: run it again\n',
        )
      } else {
        expect(left).toEqual([expect.stringMatching(/^\.unfinished-/)])
      }
      expect((await rekindleJson(['backup', 'list'], env(redis, dir))).answer['backups']).toHaveLength(1)
      await redis.stop()
    },
  )

  it('ended by SIGTERM when the backup is in its place names it, and says what was not finished', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const [dir, begun] = [folder(), join(folder(), 'begun')]
    const after = ['/bin/sh', '-c', `touch ${begun}; sleep 1000`]
    const running = startRekindle(['backup'], env(redis, dir, { after }))
    await until(() => existsSync(begun))
    running.kill('SIGTERM')
    const { status, stdout, stderr } = await running.ended
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Backed up 0 keys .*\.rdb\n$/)
    expect(stderr).toMatch(/^rekindle: stopped by SIGTERM; what was taken is whole .* was not finished\n$/)
    expect((await rekindleJson(['backup', 'list'], env(redis, dir))).answer['backups']).toHaveLength(1)
    await redis.stop()
  })

  it('killed while it copies the append-only file has rewrites switched on again by the next one', async () => {
    const redis = await startRedis({ args: [...AT_ONCE, '--appendonly', 'yes', '--appendfsync', 'no'] })
    const writer = new Redis(redis.url)
    for (let i = 0; i < 80; i++) await writer.set(`key:${i}`, randomBytes(1 << 20))
    const percentage = async (): Promise<unknown> =>
      ((await writer.config('GET', 'auto-aof-rewrite-percentage')) as string[])[1]
    const dir = folder()
    const running = startRekindle(['backup', '--aof'], env(redis, dir))
    await until(async () => (await percentage()) === '0')
    running.kill('SIGKILL')
    await running.ended
    expect(await percentage()).toBe('0')
    const { status, stdout } = await rekindle(['backup'], env(redis, dir))
    expect(status).toBe(0)
    expect(stdout).toMatch(/\nWarning: auto-aof-rewrite-percentage was still 0 .* is 100 again\.\n$/)
    expect(await percentage()).toBe('100')
    writer.disconnect()
    await redis.stop()
  })

  it('says in one line what is in the way, and no secret', async () => {
    const redis = await startRedis({ password: 'right', args: AT_ONCE })
    const dir = folder()
    const wrong = await rekindle(['backup'], env({ url: redis.url.replace('right', 'hush-hush') }, dir))
    expect(wrong).toMatchObject({ status: 1, stdout: '' })
    expect(wrong.stderr).toMatch(
      /^rekindle: Redis \S+: WRONGPASS .*; check the user and the password in redis\.url .*\n$/,
    )
    const away = await rekindle(['backup', '--timeout', '300ms'], env({ url: 'redis://:hush-hush@127.0.0.1:1/0' }, dir))
    expect(away.stderr).toMatch(
      /^rekindle: Redis 127\.0\.0\.1:1\/0: .*ECONNREFUSED.*, after waiting 300 ms; is it running.*\n$/,
    )
    const none = await rekindle(['backup'], env(redis, join(dir, 'no', 'parent')))
    expect(none.stderr).toMatch(/^rekindle: .*\/no\/parent: it does not exist; correct the name, or create it\n$/)
    expect(wrong.stderr + away.stderr + none.stderr).not.toContain('hush')
    expect(namesIn(dir)).toEqual([])
    await redis.stop()
  })

  it('warns where the check is missing', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const [dir, bin] = [folder(), folder()]
    writeFileSync(
      join(bin, 'redis-check-rdb'),
      '#!/bin/sh\necho "[offset 9] Can\'t handle RDB format version 10"; exit 1\n',
    )
    chmodSync(join(bin, 'redis-check-rdb'), 0o755)
    const { status, stdout } = await rekindle(['backup'], { ...env(redis, dir), PATH: `${bin}:/usr/bin:/bin` })
    expect(status).toBe(0)
    expect(stdout).toMatch(/unchecked.*\nWarning: redis-check-rdb is older than the Redis .*\.\n$/)
    await redis.stop()
  })
})

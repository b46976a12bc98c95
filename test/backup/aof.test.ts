import { execFileSync } from 'node:child_process'
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { findProgram } from '../../lab/find-redis.js'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { takeAofBackup } from '../../src/backup/aof.js'
import { copyAof, hashAof } from '../../src/backup/aof-copy.js'
import { putRewritesBack } from '../../src/backup/aof-rewrites.js'
import { backUp } from '../../src/backup/round.js'
import { readShelf } from '../../src/backup/shelf.js'
import { Trouble } from '../../src/errors.js'
import { readAofFiles } from '../../src/recover/aof-files.js'
import { describeOwnServers } from '../support/processes.js'
import { until } from '../support/until.js'
import { AT_ONCE, configFor, folder, namesIn, unhurried } from './support.js'

const WITH_AOF = ['--appendonly', 'yes', '--appendfsync', 'always', '--auto-aof-rewrite-percentage', '70']

const percentage = async (redis: RunningRedis): Promise<unknown> =>
  Object.values((await redis.cli('CONFIG', 'GET', 'auto-aof-rewrite-percentage')) as object).at(-1)

/** What a copy keeps the value in while it is 0. */
async function markerOf(redis: RunningRedis): Promise<string> {
  const runId = /run_id:(\w+)/.exec(String(await redis.cli('INFO', 'server')))?.[1]
  return `.aof-rewrites-off-127.0.0.1%3A${redis.port}@${runId}`
}

/** A server that has started in a copy of this folder. */
async function boot(path: string): Promise<RunningRedis> {
  const dir = folder()
  cpSync(path, dir, { recursive: true })
  return startRedis({ dir, args: ['--appendonly', 'yes'] })
}

async function rewrite(redis: RunningRedis): Promise<void> {
  await redis.cli('BGREWRITEAOF')
  await until(async () =>
    /aof_rewrite_in_progress:0[\s\S]*aof_rewrite_scheduled:0/.test(String(await redis.cli('INFO', 'persistence'))),
  )
}

/** Every file in it, with its folder. */
const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

describeOwnServers('a copy of the append-only file', () => {
  it('starts a server with all that was written, before and after a rewrite', async () => {
    const redis = await startRedis({ args: WITH_AOF })
    const config = configFor(redis.url, join(folder(), 'backups'))
    for (const round of [1, 2]) {
      await redis.cli('SET', `key:${round}`, 'value')
      await redis.cli('HSET', 'hash', round, 'value')
      if (round === 2) await rewrite(redis)
      await redis.cli('EXPIRE', 'hash', 3600)
      const { backup, warnings } = await takeAofBackup({ config, signal: unhurried() })
      expect(warnings).toEqual([])
      expect(backup.manifest).toMatchObject({
        kind: 'aof',
        checked: 'ok',
        keys: null,
        source: `127.0.0.1:${redis.port}`,
      })
      expect(backup.path).toMatch(/\/redis-\d{8}T\d{9}Z\.aof$/)
      expect(statSync(backup.path).mode & 0o777).toBe(0o700)
      for (const file of filesIn(backup.path)) expect(statSync(file).mode & 0o777).toBe(0o600)
      expect(await hashAof(backup.path)).toBe(backup.manifest.sha256)
      expect(await percentage(redis)).toBe('70')
      const booted = await boot(backup.path)
      expect(await booted.cli('DBSIZE')).toBe(round + 1)
      expect(await booted.cli('HLEN', 'hash')).toBe(round)
      expect(await booted.cli('TTL', 'hash')).toBeGreaterThan(3500)
      await booted.stop()
    }
    expect(await readShelf(config.backup.dir)).toHaveLength(2)
    await redis.stop()
  })

  it('is whole under a writer that never rests', async () => {
    const redis = await startRedis({ args: WITH_AOF.with(3, 'no') })
    const writer = new Redis(redis.url)
    let stopped = false
    let written = 0
    const write = async (): Promise<void> => {
      while (!stopped) {
        await writer.multi().set(`key:${written}`, 'x'.repeat(30_000)).incr('count').exec()
        written++
      }
    }
    const writing = write()
    await until(() => written > 50)
    const before = written
    const { backup } = await takeAofBackup({ config: configFor(redis.url, folder()), signal: unhurried() })
    stopped = true
    await writing
    writer.disconnect()
    expect(backup.manifest.checked).toBe('ok')
    const booted = await boot(backup.path)
    const count = Number(await booted.cli('GET', 'count'))
    expect(count).toBeGreaterThanOrEqual(before)
    expect(await booted.cli('DBSIZE')).toBe(count + 1)
    await Promise.all([booted.stop(), redis.stop()])
  })

  it('is not taken where there is none, or where it is another server’s', async () => {
    const redis = await startRedis({ args: WITH_AOF })
    const dir = folder()
    const config = configFor(redis.url, dir)
    await redis.cli('SET', 'a', 'b')
    const files = filesIn(redis.dir).filter((file) => /\.aof$/.test(file))
    const last = String(files.find((file) => file.includes('.incr.')) ?? files[0])
    appendFileSync(last, '*1\r\n$4\r\nPING\r\n')
    await expect(takeAofBackup({ config, signal: unhurried() })).rejects.toMatchObject({
      code: 'bad_folder',
      message: expect.stringContaining("it is another server's"),
    })
    expect(await percentage(redis)).toBe('70')
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
    await expect(takeAofBackup({ config, signal: unhurried() })).rejects.toMatchObject({
      code: 'redis_refused',
      message: expect.stringContaining('appendonly no'),
    })
    expect(namesIn(dir)).toEqual([])
    await redis.stop()
  })

  it('is not taken twice at once, and the setting is put back', async () => {
    const redis = await startRedis({ args: WITH_AOF })
    const other = new Redis(redis.url, { connectionName: 'rekindle-aof' })
    await other.ping()
    const config = configFor(redis.url, folder())
    await expect(takeAofBackup({ config, signal: unhurried() })).rejects.toMatchObject({
      code: 'redis_busy',
      passing: true,
    })
    other.disconnect()
    await until(async () => !String(await redis.cli('CLIENT', 'LIST')).includes('rekindle-aof'))
    const results = await Promise.allSettled([1, 2, 3].map(() => takeAofBackup({ config, signal: unhurried() })))
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'redis_busy' })
    expect(await percentage(redis)).toBe('70')
    await redis.stop()
  })

  it('waits for a rewrite, and puts the setting back when it is stopped meanwhile', async () => {
    const redis = await startRedis({ args: [...WITH_AOF, '--rdb-key-save-delay', '20000'] })
    await redis.cli('EVAL', 'for i = 1, 500 do redis.call("SET", "key:" .. i, "value") end', 0)
    await redis.cli('BGREWRITEAOF')
    const config = configFor(redis.url, folder())
    const stop = new AbortController()
    const taking = takeAofBackup({ config, signal: stop.signal })
    taking.catch(() => undefined)
    await until(async () => (await percentage(redis)) === '0')
    const reason = new Trouble('aborted', 'stopped by SIGTERM', 'run it again', true)
    stop.abort(reason)
    await expect(taking).rejects.toBe(reason)
    expect(await percentage(redis)).toBe('70')
    expect(namesIn(config.backup.dir)).toEqual([])
    await redis.stop()
  })

  it('puts back what a copy that was killed left off, and leaves alone what was off before', async () => {
    const redis = await startRedis({ args: WITH_AOF })
    const dir = folder()
    const config = configFor(redis.url, dir)
    await redis.cli('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0)
    await takeAofBackup({ config, signal: unhurried() })
    expect(await percentage(redis)).toBe('0')
    const marker = await markerOf(redis)
    writeFileSync(join(dir, marker), '70')
    writeFileSync(join(dir, marker.replace(/@.*/, '@of-an-earlier-life')), '50')
    await takeAofBackup({ config, signal: unhurried() })
    expect(await percentage(redis)).toBe('70')
    expect(namesIn(dir).filter((name) => name.startsWith('.'))).toEqual([])
    await redis.stop()
  })

  it('that was killed has its setting put back by the next backup of any kind, but not under a copy that runs', async () => {
    const redis = await startRedis({ args: [...WITH_AOF, ...AT_ONCE] })
    const dir = folder()
    const config = configFor(redis.url, dir)
    expect(await putRewritesBack({ url: redis.url, dir: join(dir, 'none') })).toBe(undefined)
    await redis.cli('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0)
    writeFileSync(join(dir, await markerOf(redis)), '70')
    const other = new Redis(redis.url, { connectionName: 'rekindle-aof' })
    await other.ping()
    expect(await putRewritesBack({ url: redis.url, dir })).toBe(undefined)
    expect(await percentage(redis)).toBe('0')
    other.disconnect()
    await until(async () => !String(await redis.cli('CLIENT', 'LIST')).includes('rekindle-aof'))
    const { taken, troubles } = await backUp({ config, signal: unhurried() })
    expect(await percentage(redis)).toBe('70')
    expect(taken.map(({ backup, warnings }) => [backup.manifest.kind, warnings])).toEqual([
      ['rdb', [expect.stringMatching(/was still 0 .* is 70 again$/)]],
    ])
    expect(troubles).toEqual([])
    expect(namesIn(dir)).toHaveLength(2)
    // Somebody has set it to something else meanwhile.
    writeFileSync(join(dir, await markerOf(redis)), '50')
    expect(await putRewritesBack({ url: redis.url, dir })).toBe(undefined)
    expect(await percentage(redis)).toBe('70')
    expect(namesIn(dir)).toHaveLength(2)
    await redis.stop()
  })

  it('that was killed, and of which it cannot be read what the setting was, is told of and not forgotten', async () => {
    const redis = await startRedis({ args: [...WITH_AOF, ...AT_ONCE] })
    const dir = folder()
    await redis.cli('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0)
    const marker = await markerOf(redis)
    mkdirSync(join(dir, marker))
    await expect(putRewritesBack({ url: redis.url, dir })).rejects.toMatchObject({
      code: 'bad_folder',
      message: expect.stringContaining(`${marker} cannot be read (EISDIR)`),
      hint: expect.stringContaining('CONFIG SET auto-aof-rewrite-percentage'),
    })
    expect(namesIn(dir)).toEqual([marker])
    await redis.stop()
  })

  it('that cannot put the setting back leaves its value for the next one, and says what to do', async () => {
    const redis = await startRedis({ args: [...WITH_AOF, ...AT_ONCE] })
    await redis.cli('ACL', 'SETUSER', 'rekindle', 'on', '>hush', '~*', '&*', '+@all', '-config')
    await redis.cli('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0)
    const dir = folder()
    const marker = await markerOf(redis)
    writeFileSync(join(dir, marker), '70')
    const config = configFor(redis.url.replace('://', '://rekindle:hush@'), dir)
    await expect(putRewritesBack({ url: config.redis.url, dir })).rejects.toMatchObject({
      message: expect.stringContaining('CONFIG GET auto-aof-rewrite-percentage is refused'),
    })
    expect(namesIn(dir)).toEqual([marker])
    await redis.cli('ACL', 'SETUSER', 'rekindle', '+config|get')
    const { taken, troubles } = await backUp({ config, signal: unhurried() })
    expect(taken).toHaveLength(1)
    expect(troubles).toEqual([
      expect.objectContaining({ code: 'redis_refused', hint: expect.stringContaining('rewrite-percentage 70') }),
    ])
    expect(namesIn(dir)).toContain(marker)
    await redis.stop()
  })

  it('leaves alone what a copy of another server in the same folder has left', async () => {
    const [ours, theirs] = await Promise.all([startRedis({ args: WITH_AOF }), startRedis({ args: WITH_AOF })])
    const dir = folder()
    const marker = await markerOf(theirs)
    writeFileSync(join(dir, marker), '70')
    await theirs.cli('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0)
    await takeAofBackup({ config: configFor(ours.url, dir), signal: unhurried() })
    expect(await percentage(theirs)).toBe('0')
    expect(namesIn(dir)).toContain(marker)
    // It is found under another name of the same server, too.
    expect(await putRewritesBack({ url: theirs.url.replace('127.0.0.1', 'localhost'), dir })).toBe('70')
    expect(await percentage(theirs)).toBe('70')
    expect(namesIn(dir)).not.toContain(marker)
    await Promise.all([ours.stop(), theirs.stop()])
  })

  it('is refused if it is broken within', async () => {
    const redis = await startRedis({ args: WITH_AOF })
    await redis.cli('SET', 'a', 'a value')
    await redis.cli('SET', 'b', 'a value')
    const file = String(filesIn(redis.dir).find((each) => /appendonly\.aof(\.\d+\.incr\.aof)?$/.test(each)))
    const content = readFileSync(file)
    content.write('?', content.indexOf('*3'), 'latin1')
    writeFileSync(file, content)
    const config = configFor(redis.url, folder())
    await expect(takeAofBackup({ config, signal: unhurried() })).rejects.toMatchObject({ code: 'bad_backup' })
    expect(namesIn(config.backup.dir)).toEqual([])
    expect(await percentage(redis)).toBe('70')
    await redis.stop()
  })

  it('of Redis 6 is one file', async () => {
    const dir = folder()
    writeFileSync(join(dir, 'appendonly.aof'), '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n')
    const place = { dir, folder: undefined, name: 'appendonly.aof' }
    const aof = await readAofFiles(place)
    const to = join(folder(), 'copy')
    if (!aof) throw new Error('there is none')
    expect(await copyAof({ ...aof, place }, to, unhurried())).toEqual({ entry: join(to, 'appendonly.aof'), bytes: 27 })
    const booted = await boot(to)
    expect(await booted.cli('GET', 'a')).toBe('b')
    await booted.stop()
  })

  it('has a sum that sha256sum can tell, too', async () => {
    const program = findProgram('sha256sum')
    const dir = folder()
    mkdirSync(join(dir, 'appendonlydir'))
    for (const name of ['b', 'appendonlydir/a', 'appendonlydir/c']) writeFileSync(join(dir, name), name)
    const script = 'find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum'
    if (program) {
      const sum = execFileSync('sh', ['-c', script], {
        cwd: dir,
        env: { PATH: `${dirname(program)}:/usr/bin:/bin` },
        encoding: 'utf8',
      })
      expect(await hashAof(dir)).toBe(sum.slice(0, 64))
    }
  })
})

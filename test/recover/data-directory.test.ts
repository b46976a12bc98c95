import { spawn } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type RedisOptions, type RunningRedis, startRedis } from '../../lab/redis.js'
import { takeAofBackup } from '../../src/backup/aof.js'
import { takeBackup } from '../../src/backup/take.js'
import { type Chosen, chooseBackup, chooseBackups } from '../../src/recover/choose-backup.js'
import { type Prepared, prepareDirectory } from '../../src/recover/data-directory.js'
import { putInPlace } from '../../src/recover/put-in-place.js'
import { testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { connect } from './connections.js'
import { makeFolder, useOwnTemporaryFolder } from './folders.js'
import { everythingIn, fillWithEverything, PROMPT } from './things.js'

useOwnTemporaryFolder()
const { signal } = new AbortController()
const LOGGED = ['--appendonly', 'yes']
/** Nobody listens there. */
const NOBODY = 'redis://127.0.0.1:1/0'

describeOwnServers('a data directory', () => {
  const source = useRedis(PROMPT)
  const folder = makeFolder()
  let backup: Chosen
  let wanted: Map<string, unknown>
  let server: RunningRedis | undefined
  let dir: string

  beforeAll(async () => {
    await fillWithEverything(source)
    await connect(source.url, 3).set('elsewhere', 'x')
    wanted = await everythingIn(connect(source.url))
    const config = testConfig(source.url, 'postgres://127.0.0.1:1/none', { more: { backup: { dir: folder } } })
    await takeBackup({ config, signal })
    backup = (await chooseBackups(config, []))[0]
  })

  beforeEach(() => {
    dir = makeFolder()
  })

  afterEach(async () => {
    await server?.stop()
    server = undefined
  })

  const start = async (args: string[], options: RedisOptions = {}): Promise<RunningRedis> => {
    server = await startRedis({ dir, args, ...options })
    return server
  }
  const prepare = (from = backup, redisUrl = NOBODY): Promise<Prepared> =>
    prepareDirectory({ dir, backup: from, redisUrl, signal })

  describe.each([
    { appendonly: 'yes', args: LOGGED },
    { appendonly: 'no', args: ['--save', '3600 1'] },
  ])('of a server with appendonly $appendonly', ({ args }) => {
    it('loads, and still does after a change and a restart', async () => {
      const { aside } = await prepare()
      expect(aside).toBeUndefined()
      const { url } = await start(args)
      expect(await everythingIn(connect(url))).toEqual(wanted)
      expect(await connect(url, 3).get('elsewhere')).toBe('x')
      await connect(url).set('later', 'x')
      await server?.kill('SIGTERM')
      await server?.start()
      expect(await connect(url).get('later')).toBe('x')
      expect(await connect(url).dbsize()).toBe(wanted.size + 1)
    })

    it('gives way to the backup, and is kept aside', async () => {
      const first = await start(args)
      await first.cli('SET', 'before', 'x')
      await first.kill('SIGTERM')
      const stood = filesIn(dir)
      expect(stood.length).toBeGreaterThan(0)
      const { aside } = await prepare()
      expect(aside).toContain('before-recover-')
      expect(filesIn(aside ?? '')).toEqual(stood)
      await first.start()
      expect(await everythingIn(connect(first.url))).toEqual(wanted)
    })
  })

  it('keeps the names that it has', async () => {
    const names = ['--dbfilename', 'data.rdb', '--appendfilename', 'log.aof', '--appenddirname', 'logs']
    const first = await start([...LOGGED, ...names])
    await first.cli('SET', 'before', 'x')
    await first.cli('SAVE')
    await first.kill('SIGTERM')
    const { snapshots, aof } = await prepare()
    expect([snapshots, aof]).toEqual([[join(dir, 'dump.rdb'), join(dir, 'data.rdb')], join(dir, 'logs')])
    await first.start()
    expect(await everythingIn(connect(first.url))).toEqual(wanted)
    await first.kill()
    await first.start(['--appendonly', 'no'])
    expect(await everythingIn(connect(first.url))).toEqual(wanted)
  })

  it('may hold the backup itself', async () => {
    copyFileSync(backup.path, join(dir, 'mine.rdb'))
    const { snapshots } = await prepare({ ...backup, path: join(dir, 'mine.rdb') })
    expect(snapshots).toEqual([join(dir, 'dump.rdb')])
    expect(existsSync(join(dir, 'mine.rdb'))).toBe(true)
    const { url } = await start([])
    expect(await everythingIn(connect(url))).toEqual(wanted)
  })

  it('has the single file of Redis 6 where that stood', async () => {
    writeFileSync(join(dir, 'appendonly.aof'), '')
    const { aof } = await prepare()
    expect(aof).toBe(join(dir, 'appendonly.aof'))
    expect(existsSync(join(dir, 'appendonlydir'))).toBe(false)
    const { url } = await start(LOGGED)
    expect(await everythingIn(connect(url))).toEqual(wanted)
  })

  it('takes the owner of the directory, and modes as they were', async () => {
    writeFileSync(join(dir, 'dump.rdb'), 'old', { mode: 0o640 })
    const { aof } = await prepare()
    expect(statSync(join(dir, 'dump.rdb')).mode & 0o777).toBe(0o640)
    expect(statSync(aof).mode & 0o777).toBe(0o700)
    for (const name of readdirSync(aof)) expect(statSync(join(aof, name)).mode & 0o777, name).toBe(0o600)
    for (const path of filesIn(dir)) expect(statSync(join(dir, path)).uid).toBe(statSync(dir).uid)
  })

  it('is found behind a symbolic link', async () => {
    const link = join(makeFolder(), 'data')
    symlinkSync(dir, link)
    const prepared = await prepareDirectory({ dir: link, backup, redisUrl: NOBODY, signal })
    expect(prepared.dir).toBe(dir)
    expect(existsSync(join(dir, 'dump.rdb'))).toBe(true)
  })

  it('takes an append-only file as a backup, too', async () => {
    const logged = await startRedis({ args: LOGGED })
    try {
      await fillWithEverything(logged)
      await logged.cli('BGREWRITEAOF')
      await until(
        async () => !/aof_rewrite_in_progress:1|scheduled:1/.test(String(await logged.cli('INFO', 'persistence'))),
      )
      await logged.cli('SET', 'after the base', 'x')
      const held = await everythingIn(connect(logged.url))
      const config = testConfig(logged.url, 'postgres://127.0.0.1:1/none', { more: { backup: { dir: makeFolder() } } })
      await takeAofBackup({ config, signal })
      writeFileSync(join(dir, 'dump.rdb'), 'old')
      const [log] = await chooseBackups(config, [])
      const prepared = await prepare(log)
      expect(prepared.snapshots).toEqual([])
      expect(existsSync(join(dir, 'dump.rdb'))).toBe(false)
      const { url } = await start(LOGGED)
      expect(await everythingIn(connect(url))).toEqual(held)
      dir = makeFolder()
      const incr = join(log.path, 'appendonlydir', 'appendonly.aof.2.incr.aof')
      truncateSync(incr, 0)
      await expect(prepare(log)).rejects.toMatchObject({
        code: 'bad_backup',
        message: expect.stringContaining('sha256'),
      })
      rmSync(incr)
      const notWhole = { code: 'bad_backup', message: `${log.path}: its append-only file is not whole` }
      await expect(prepare(log)).rejects.toMatchObject(notWhole)
      rmSync(join(log.path, 'appendonlydir', 'appendonly.aof.manifest'))
      await expect(prepare(log)).rejects.toMatchObject(notWhole)
      expect(readdirSync(dir)).toEqual([])
    } finally {
      await logged.stop()
    }
  })

  it('has its append-only file where the server reads it, though a copy stands beside', async () => {
    const first = await start(LOGGED)
    await first.cli('SET', 'before', 'x')
    await first.kill('SIGTERM')
    cpSync(join(dir, 'appendonlydir'), join(dir, 'a-copy'), { recursive: true })
    const { aof } = await prepare()
    expect(aof).toBe(join(dir, 'appendonlydir'))
    expect(existsSync(join(dir, 'a-copy'))).toBe(true)
    await first.start()
    expect(await everythingIn(connect(first.url))).toEqual(wanted)
  })

  it('loses what attempts left there that were killed, and nothing else', async () => {
    const dead = spawn('true')
    await new Promise((resolve) => dead.once('close', resolve))
    const name = (pid: number | undefined): string => `.unfinished-0123456789ab-for${pid}-dump.rdb`
    for (const each of [name(dead.pid), name(1), '.unfinished-0123456789ab-mine']) writeFileSync(join(dir, each), 'x')
    mkdirSync(join(dir, `.unfinished-0123456789ab-for${dead.pid}-appendonlydir`))
    await prepare()
    expect(readdirSync(dir).sort()).toEqual(
      [name(1), '.unfinished-0123456789ab-mine', 'appendonlydir', 'dump.rdb'].sort(),
    )
  })

  describe('that is not touched', () => {
    let before: string[]
    beforeEach(() => {
      writeFileSync(join(dir, 'dump.rdb'), 'old')
      before = filesIn(dir)
    })
    afterEach(() => {
      expect(filesIn(dir)).toEqual(before)
      expect(readFileSync(join(dir, 'dump.rdb'), 'utf8')).toBe('old')
    })

    it('while the Redis of the configuration keeps its files there', async () => {
      await expect(prepareDirectory({ dir: source.dir, backup, redisUrl: source.url, signal })).rejects.toMatchObject({
        code: 'folder_in_use',
        message: expect.stringContaining(String(source.pid)),
      })
    })

    it.skipIf(!existsSync('/proc/self/fd'))('while any process has a file of it open', async () => {
      const child = spawn('tail', ['-f', join(dir, 'dump.rdb')], { cwd: '/', stdio: 'ignore' })
      try {
        await until(() => readdirSync(`/proc/${child.pid}/fd`).length > 3)
        await expect(prepare()).rejects.toMatchObject({
          code: 'folder_in_use',
          message: expect.stringContaining(`${child.pid} (tail)`),
        })
      } finally {
        child.kill()
      }
    })

    it('by a backup that has changed since it was taken', async () => {
      const bad = join(makeFolder(), 'bad.rdb')
      writeFileSync(bad, Buffer.concat([readFileSync(backup.path), Buffer.from('x')]))
      await expect(prepare({ ...backup, path: bad })).rejects.toMatchObject({ code: 'bad_backup' })
    })

    it('by a file without a manifest that is cut short', async () => {
      const bad = join(makeFolder(), 'half.rdb')
      const whole = readFileSync(backup.path)
      writeFileSync(bad, whole.subarray(0, whole.length / 2))
      await expect(prepare(await chooseBackup(folder, bad))).rejects.toMatchObject({
        code: 'bad_backup',
        message: expect.stringContaining('not whole'),
      })
    })

    it('where there is no telling which append-only file the server reads', async () => {
      for (const name of ['logs', 'logs.bak']) {
        mkdirSync(join(dir, name))
        writeFileSync(join(dir, name, 'appendonly.aof.manifest'), '')
      }
      before = filesIn(dir)
      await expect(prepare()).rejects.toMatchObject({
        code: 'bad_folder',
        message: expect.stringContaining('which of logs, logs.bak is'),
      })
    })

    it('by a backup that is gone, and says that it is that', async () => {
      const path = join(makeFolder(), 'gone.rdb')
      await expect(prepare({ ...backup, path })).rejects.toMatchObject({ message: `${path}: it does not exist` })
    })

    it('on a disk without room', async () => {
      const large = join(makeFolder(), 'large.rdb')
      const { bavail, bsize } = statfsSync(dir)
      writeFileSync(large, '')
      // It takes no room itself.
      truncateSync(large, bavail * bsize)
      await expect(prepare({ ...backup, path: large })).rejects.toMatchObject({ code: 'no_space', passing: true })
    })

    it('when it is stopped in the middle', async () => {
      const stop = new AbortController()
      const preparing = prepareDirectory({
        dir,
        backup,
        redisUrl: NOBODY,
        signal: stop.signal,
        onProgress: () => stop.abort(new Error('stopped')),
      })
      await expect(preparing).rejects.toThrow('stopped')
    })

    it('when a name cannot be given', async () => {
      const ready = join(dir, '.unfinished-1')
      writeFileSync(ready, 'new')
      const moving = putInPlace(dir, {
        ready: [
          { unfinished: ready, path: join(dir, 'new') },
          { unfinished: join(dir, 'missing'), path: join(dir, 'other') },
        ],
        old: [join(dir, 'dump.rdb')],
        aside: join(dir, 'aside'),
      })
      await expect(moving).rejects.toMatchObject({ code: 'ENOENT' })
      expect(readFileSync(ready, 'utf8')).toBe('new')
      before = filesIn(dir)
      expect(before).toEqual(['.unfinished-1', 'dump.rdb'])
    })
  })

  it('says where to look if neither the new comes in place nor the old back', async () => {
    const aside = join(dir, 'aside')
    writeFileSync(join(dir, 'dump.rdb'), 'old')
    // Somebody puts a folder in its place meanwhile.
    function* ready() {
      mkdirSync(join(dir, 'dump.rdb'))
      yield { unfinished: join(dir, 'missing'), path: join(dir, 'other') }
    }
    await expect(
      putInPlace(dir, { ready: { [Symbol.iterator]: ready } as never, old: [join(dir, 'dump.rdb')], aside }),
    ).rejects.toMatchObject({
      code: 'bad_folder',
      message: expect.stringMatching(/neither .*ENOENT.*missing.*; EISDIR|neither .*ENOENT.*missing.*; .*dump\.rdb/),
      hint: expect.stringContaining(aside),
    })
    expect(filesIn(aside)).toEqual(['dump.rdb'])
  })

  it.each([
    { what: 'does not exist', make: (path: string) => path },
    {
      what: 'is a file',
      make: (path: string) => {
        writeFileSync(path, '')
        return path
      },
    },
  ])('must be one: $what', async ({ make }) => {
    const path = make(join(dir, 'other'))
    await expect(prepareDirectory({ dir: path, backup, redisUrl: NOBODY, signal })).rejects.toMatchObject({
      code: 'bad_folder',
    })
  })

  it('may hold what is not ours', async () => {
    mkdirSync(join(dir, 'lost+found'))
    writeFileSync(join(dir, 'nodes.conf'), 'x')
    await prepare()
    expect(filesIn(dir)).toEqual([
      'appendonlydir/appendonly.aof.1.base.rdb',
      'appendonlydir/appendonly.aof.1.incr.aof',
      'appendonlydir/appendonly.aof.manifest',
      'dump.rdb',
      'nodes.conf',
    ])
  })
})

/** Every file of a folder, relative to it. */
function filesIn(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  return files.map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1)).sort()
}

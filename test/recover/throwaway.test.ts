import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  copyFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeAll, describe, expect, inject, it } from 'vitest'
import { findRedis } from '../../lab/find-redis.js'
import { startRedis } from '../../lab/redis.js'
import { Trouble } from '../../src/errors.js'
import { startThrowaway, type Throwaway, type ThrowawaySource } from '../../src/recover/throwaway.js'
import { describeOwnServers, isAlive } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { connect } from './connections.js'
import { makeFolder, useOwnTemporaryFolder } from './folders.js'
import { snapshot } from './snapshots.js'

const temporary = useOwnTemporaryFolder()
const { signal } = new AbortController()

describeOwnServers('a throwaway server', () => {
  const redis = useRedis()
  let path: string
  let throwaway: Throwaway | undefined

  beforeAll(async () => {
    await redis.cli('SET', 'greeting', 'hello')
    await redis.cli('SET', 'brief', 'x', 'PX', '1')
    path = await snapshot(redis, makeFolder())
  })

  afterEach(async () => {
    await throwaway?.close()
    throwaway = undefined
  })

  const boot = async (source: ThrowawaySource): Promise<Throwaway> => {
    throwaway = await startThrowaway(source, { signal })
    return throwaway
  }

  it('holds what the backup holds, and leaves nothing behind', async () => {
    const before = ownFolders()
    const { socket, took_ms, version, close } = await boot({ kind: 'rdb', path, modules: [] })
    const held = connect(socket)
    expect(await held.get('greeting')).toBe('hello')
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
    expect(took_ms).toBeGreaterThan(0)
    expect(statSync(join(socket, '..')).mode & 0o777).toBe(0o700)
    held.disconnect()
    await close()
    expect(existsSync(socket)).toBe(false)
    expect(ownFolders()).toEqual(before)
  })

  it('cannot change the backup', async () => {
    const before = { hash: sha256(path), ...statSync(path) }
    const { socket } = await boot({ kind: 'rdb', path, modules: [] })
    const held = connect(socket)
    await held.flushall()
    await held.set('other', 'value')
    await held.save()
    held.disconnect()
    expect({ hash: sha256(path), ...statSync(path) }).toEqual({
      ...before,
      atimeMs: expect.any(Number),
      atime: expect.any(Date),
    })
  })

  it('dies when we are killed, and its folder goes with it', async () => {
    const program = fileURLToPath(new URL('../../dist/recover/throwaway.js', import.meta.url))
    const script = `
      import { startThrowaway } from ${JSON.stringify(program)}
      const source = { kind: 'rdb', path: ${JSON.stringify(path)}, modules: [] }
      const { socket } = await startThrowaway(source, { signal: new AbortController().signal })
      console.log(socket)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const socket = line.trim()
    const server = connect(socket)
    const pid = Number(/process_id:(\d+)/.exec(await server.info())?.[1])
    expect(isAlive(pid)).toBe(true)
    child.kill('SIGKILL')
    await until(() => !isAlive(pid))
    await until(() => !existsSync(dirname(socket)))
    expect(existsSync(path)).toBe(true)
  })

  it.skipIf(!existsSync('/proc/self/environ'))('knows no password of ours', async () => {
    process.env['REDIS_URL'] = 'redis://user:hidden@127.0.0.1/0'
    try {
      const { socket } = await boot({ kind: 'rdb', path, modules: [] })
      const pid = Number(/process_id:(\d+)/.exec(await connect(socket).info())?.[1])
      for (const name of ['environ', 'cmdline'])
        expect(readFileSync(`/proc/${pid}/${name}`, 'utf8')).not.toContain('hidden')
    } finally {
      delete process.env['REDIS_URL']
    }
  })

  it('takes as many databases as there are', async () => {
    const many = await startRedis({ args: ['--databases', '500'] })
    try {
      await connect(many.url, 400).set('far', 'away')
      const { socket } = await boot({ kind: 'rdb', path: await snapshot(many, makeFolder()), modules: [] })
      expect(await connect(socket, 400).get('far')).toBe('away')
    } finally {
      await many.stop()
    }
  })

  it('boots an append-only file', async () => {
    const logged = await startRedis({ args: ['--appendonly', 'yes', '--appendfilename', 'log.aof'] })
    const copy = join(makeFolder(), 'copy')
    try {
      await logged.cli('SET', 'greeting', 'hello')
      await logged.kill('SIGTERM')
      cpSync(logged.dir, copy, { recursive: true })
    } finally {
      await logged.stop()
    }
    const { socket } = await boot({ kind: 'aof', dir: copy, modules: [] })
    expect(await connect(socket).get('greeting')).toBe('hello')
  })

  it('ends with the signal', async () => {
    const before = ownFolders()
    const abort = new AbortController()
    const starting = startThrowaway({ kind: 'rdb', path, modules: [] }, { signal: abort.signal })
    setImmediate(() => abort.abort(new Error('stopped')))
    await expect(starting).rejects.toThrow('stopped')
    expect(ownFolders()).toEqual(before)
  })

  it.skipIf(!inject('hasTimeSeries'))('finds the modules that nobody has told of', async () => {
    await redis.cli('TS.ADD', 'untold', '1000', '1')
    const series = await snapshot(redis, makeFolder())
    const { PATH } = process.env
    const { server, module } = findRedis()
    const bin = makeFolder()
    copyFileSync(server ?? '', join(bin, 'redis-server'))
    symlinkSync(module ?? '', join(bin, 'redistimeseries.so'))
    process.env['PATH'] = `${bin}:${PATH}`
    try {
      const { socket } = await boot({ kind: 'rdb', path: series, modules: [] })
      expect(await connect(socket).exists('untold')).toBe(1)
    } finally {
      process.env['PATH'] = PATH
    }
  })

  describe('that cannot be', () => {
    const refused = async (source: ThrowawaySource): Promise<Trouble> => {
      const before = ownFolders()
      const trouble = await startThrowaway(source, { signal }).then(
        () => expect.unreachable(),
        (error: unknown) => error as Trouble,
      )
      expect(trouble).toBeInstanceOf(Trouble)
      expect(trouble.message).not.toContain('\n')
      expect(ownFolders()).toEqual(before)
      return trouble
    }
    /** A copy of the backup, spoiled. */
    const spoiled = (spoil: (bytes: Buffer) => Buffer): ThrowawaySource => {
      const bad = join(makeFolder(), 'bad.rdb')
      writeFileSync(bad, spoil(readFileSync(path)))
      return { kind: 'rdb', path: bad, modules: [] }
    }

    it('as the file is of a newer Redis', async () => {
      const source = spoiled((bytes) => Buffer.concat([Buffer.from('REDIS0999'), bytes.subarray(9)]))
      expect(await refused(source)).toMatchObject({
        code: 'no_program',
        message: expect.stringContaining('newer Redis'),
      })
    })

    it('as the file is cut short', async () => {
      const source = spoiled((bytes) => bytes.subarray(0, bytes.length - 12))
      expect(await refused(source)).toMatchObject({ code: 'bad_backup', message: expect.stringContaining('cut short') })
    })

    it('as one byte of it is another', async () => {
      const source = spoiled((bytes) => {
        bytes[bytes.indexOf('hello')] = 0x58
        return bytes
      })
      expect(await refused(source)).toMatchObject({ code: 'bad_backup', message: expect.stringContaining('damaged') })
    })

    it('as the file is something else', async () => {
      const source = spoiled(() => Buffer.from('not a backup'))
      expect(await refused(source)).toMatchObject({
        code: 'bad_backup',
        message: expect.stringContaining('no RDB file'),
      })
    })

    it('as there is no such file', async () => {
      const source: ThrowawaySource = { kind: 'rdb', path: join(makeFolder(), 'none.rdb'), modules: [] }
      expect(await refused(source)).toMatchObject({ code: 'bad_folder', message: expect.stringContaining('none.rdb') })
    })

    it('as it takes more memory than there is', async () => {
      const fact = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)])
      const huge = Buffer.concat([
        Buffer.from('REDIS0010'),
        Buffer.from([0xfa]),
        fact('used-mem'),
        fact(String(2 ** 50)),
      ])
      const source = spoiled(() => huge)
      expect(await refused(source)).toMatchObject({ code: 'no_memory', passing: true })
    })

    it('as there is no redis-server', async () => {
      const { PATH } = process.env
      process.env['PATH'] = makeFolder()
      try {
        const source = { kind: 'rdb', path, modules: [] } as const
        expect(await refused(source)).toMatchObject({ code: 'no_program', hint: expect.stringContaining('install') })
      } finally {
        process.env['PATH'] = PATH
      }
    })

    it.skipIf(!inject('hasTimeSeries'))('as it takes a module that is nowhere', async () => {
      await redis.cli('TS.ADD', 'series', '1000', '1')
      const series = await snapshot(redis, makeFolder())
      const modules = (await redis.cli('MODULE', 'LIST')) as unknown[][]
      const file = modules.flat().find((value) => String(value).endsWith('.so'))
      const named = [{ name: 'timeseries', version: 1, path: String(file) }]
      const { socket } = await boot({ kind: 'rdb', path: series, modules: named })
      expect(await connect(socket).exists('series')).toBe(1)
      if (usualPlaces.some(existsSync)) return
      const trouble = await refused({ kind: 'rdb', path: series, modules: [{ name: 'timeseries', version: 1 }] })
      expect(trouble).toMatchObject({ code: 'redis_no_module', message: expect.stringContaining('TSDB-TYPE') })
    })
  })
})

const usualPlaces = [
  '/usr/local/lib/redis/modules/redistimeseries.so',
  '/usr/lib/redis/modules/redistimeseries.so',
  '/opt/redis-stack/lib/redistimeseries.so',
]

function ownFolders(): string[] {
  return readdirSync(temporary).filter((name) => /^rekindle-\w{6}$/.test(name))
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

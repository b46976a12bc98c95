import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { openRatchet, type Ratchet } from '../../src/backup/ratchet.js'
import { type Ask, findDataFolder } from '../../src/backup/ratchet-folder.js'
import type { Frozen } from '../../src/backup/ratchet-freeze.js'
import { readKept } from '../../src/backup/ratchet-kept.js'
import { linkTrouble, noRoom } from '../../src/backup/ratchet-trouble.js'
import type { Trouble } from '../../src/errors.js'
import { readAofFiles } from '../../src/recover/aof-files.js'
import { connectWire } from '../../src/redis/connect.js'
import { ask, type Wire } from '../../src/redis/wire.js'
import { until, useRedis } from '../support/servers.js'

const SAVING = ['--save', '3600 1']

interface Watched {
  readonly ratchet: Ratchet
  readonly kept: Frozen[]
  readonly troubles: (Trouble | undefined)[]
  readonly ask: Ask
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function watchOver(url: string, change: (ask: Ask) => Ask = (plain) => plain): Promise<Watched> {
  const wire: Wire = await connectWire(url, 'test')
  const over = new AbortController()
  const [kept, troubles]: [Frozen[], (Trouble | undefined)[]] = [[], []]
  const asking = change((...args) => ask(wire, ...args))
  const ratchet = openRatchet({
    ask: asking,
    onKept: (each) => kept.push(each),
    onTrouble: (trouble) => troubles.push(trouble),
    signal: over.signal,
  })
  closers.push(() => {
    over.abort()
    wire.close()
  })
  return { ratchet, kept, troubles, ask: asking }
}

const clear = (dir: string) => rm(join(dir, 'rekindle-kept'), { recursive: true, force: true })

describe('snapshots', () => {
  const redis = useRedis({ args: SAVING })

  test('every one with keys is linked aside, the newest three stay, and an empty one takes no place', async () => {
    await redis.cli('SET', 'a', '0')
    await redis.cli('SAVE')
    const { kept, troubles } = await watchOver(redis.url)
    await until(() => kept.length === 1)
    expect((await stat(join(redis.dir, 'rekindle-kept'))).mode & 0o777).toBe(0o700)
    for (let i = 1; i <= 4; i++) {
      await redis.cli('SET', 'a', i)
      await redis.cli('SAVE')
      await until(() => kept.length === i + 1)
    }
    const before = await readFile(join(redis.dir, 'dump.rdb'))
    await redis.cli('FLUSHALL')
    expect((await stat(join(redis.dir, 'dump.rdb'))).size).toBeLessThan(before.length)
    // The empty one makes the newest stay for good.
    const frozen = await until(() => kept.find(({ path }) => path.includes('flush-')))
    expect(await readFile(join(frozen.path, 'dump.rdb'))).toEqual(before)
    const { dumps, freezes } = await readKept(redis.dir)
    expect(dumps).toHaveLength(3)
    expect(await readFile(dumps[0]?.path ?? '')).toEqual(before)
    expect(freezes).toMatchObject([{ note: { kind: 'rdb', flushes: [{ why: 'an empty dump.rdb' }] } }])
    expect(troubles).toEqual([])
  })

  test('what was kept of a flush outlasts the snapshots after it, and a second word of it makes no second one', async () => {
    await clear(redis.dir)
    await redis.cli('SET', 'a', 'good')
    await redis.cli('SAVE')
    const { ratchet, kept } = await watchOver(redis.url)
    await until(() => kept.length === 1)
    const good = await readFile(kept[0]?.path ?? '')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    for (let i = 0; i < 5; i++) {
      await redis.cli('SET', 'a', `later ${i}`)
      await redis.cli('SAVE')
      await until(() => kept.filter(({ path }) => path.endsWith('.rdb')).length === i + 2)
    }
    const { freezes } = await readKept(redis.dir)
    expect(freezes).toHaveLength(1)
    expect(await readFile(join(freezes[0]?.path ?? '', 'dump.rdb'))).toEqual(good)
  })

  test('ten in a second, and a flush', async () => {
    await clear(redis.dir)
    const { kept, troubles } = await watchOver(redis.url)
    await until(async () => (await readdir(redis.dir)).includes('rekindle-kept'))
    let last = Buffer.alloc(0)
    for (let i = 0; i < 10; i++) {
      await redis.cli('SET', 'a', `${i}`.repeat(i + 1))
      await redis.cli('SAVE')
      last = await readFile(join(redis.dir, 'dump.rdb'))
    }
    await until(async () => (await readKept(redis.dir)).dumps.some(({ bytes }) => bytes === last.length))
    await redis.cli('FLUSHALL')
    const frozen = await until(() => kept.find(({ path }) => path.includes('flush-')))
    expect(await readFile(join(frozen.path, 'dump.rdb'))).toEqual(last)
    expect((await readKept(redis.dir)).dumps.length).toBeLessThanOrEqual(3)
    await until(async () => (await readdir(join(redis.dir, 'rekindle-kept'))).every((name) => !name.startsWith('.')))
    expect(troubles).toEqual([])
  })

  test('a symbolic link is told of once, and the next snapshot ends it', async () => {
    await clear(redis.dir)
    await redis.cli('SET', 'a', 'b')
    await redis.cli('SAVE')
    await rename(join(redis.dir, 'dump.rdb'), join(redis.dir, 'elsewhere.rdb'))
    await symlink(join(redis.dir, 'elsewhere.rdb'), join(redis.dir, 'dump.rdb'))
    const { kept, troubles } = await watchOver(redis.url)
    await until(() => troubles.length === 1)
    expect(troubles[0]).toMatchObject({ code: 'bad_folder', message: expect.stringContaining('symbolic link') })
    await redis.cli('SAVE')
    await until(() => kept.length === 1)
    await until(() => troubles.length === 2)
    expect(troubles[1]).toBeUndefined()
  })

  test('a folder of the same name that is not its own is left alone', async () => {
    await redis.cli('SET', 'a', 'b')
    await redis.cli('SAVE')
    const other = await mkdtemp(join(tmpdir(), 'rekindle-other-'))
    const answer =
      (dir: string) =>
      (plain: Ask): Ask =>
      async (...args) => {
        if (args[2] === 'dir') return ['dir', dir]
        const reply = await plain(...args)
        // As in a container, where it is another process that has this number.
        return args[0] === 'INFO' ? String(reply).replace(/process_id:\d+/, 'process_id:1') : reply
      }
    try {
      await writeFile(join(other, 'dump.rdb'), 'REDIS0010')
      await chmod(other, 0o755)
      const ages = Date.now() / 1000 - 3600
      await utimes(join(other, 'dump.rdb'), ages, ages)
      const { troubles } = await watchOver(redis.url, answer(other))
      await until(() => troubles.length === 1)
      expect(troubles[0]?.message).toContain('not the data directory of this Redis')
      expect(await readdir(other)).toEqual(['dump.rdb'])
      const { troubles: second, ratchet } = await watchOver(redis.url, answer('/nowhere/at/all'))
      await ratchet.freeze('flush')
      expect(second).toMatchObject([{ code: 'bad_folder', message: expect.stringContaining('not at hand') }])
    } finally {
      await rm(other, { recursive: true })
    }
  })

  test('without permission for CONFIG it says so', async () => {
    const forbidden =
      (plain: Ask): Ask =>
      async (...args) => {
        if (args[0] === 'CONFIG') throw new Error("NOPERM this user has no permissions to run the 'config|get' command")
        return plain(...args)
      }
    const { troubles, ratchet } = await watchOver(redis.url, forbidden)
    await ratchet.freeze('flush')
    expect(troubles).toMatchObject([{ code: 'bad_folder', hint: expect.stringContaining('+config|get') }])
  })
})

describe('the append-only file', () => {
  const redis = useRedis({ args: ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '70'] })
  const files = async () =>
    (await readAofFiles({ dir: redis.dir, folder: 'appendonlydir', name: 'appendonly.aof' }))?.files ?? []
  const rewritten = () =>
    until(async () => /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(String(await redis.cli('INFO'))))

  test('a freeze links all its parts within milliseconds, and sets the rewrites back', async () => {
    await redis.cli('SET', 'a', '1')
    const { ratchet, kept, troubles, ask } = await watchOver(redis.url)
    await until(async () => (await readdir(redis.dir)).includes('rekindle-kept'))
    await redis.cli('FLUSHALL')
    const before = performance.now()
    await ratchet.freeze('flush')
    expect(performance.now() - before).toBeLessThan(500)
    expect(troubles).toEqual([])
    expect(kept).toMatchObject([{ what: 'aof' }])
    expect(await ask('CONFIG', 'GET', 'auto-aof-rewrite-percentage')).toEqual(['auto-aof-rewrite-percentage', '70'])
    const { freezes } = await readKept(redis.dir)
    expect(freezes).toMatchObject([{ note: { kind: 'aof', flushes: [{ why: 'flush' }], folder: 'appendonlydir' } }])
    const frozen = await readAofFiles({ dir: freezes[0]?.path ?? '', folder: 'appendonlydir', name: 'appendonly.aof' })
    expect(frozen?.files.map(({ inode }) => inode)).toEqual((await files()).map(({ inode }) => inode))
    expect(await readdir(join(redis.dir, 'rekindle-kept'))).toHaveLength(1)
  })

  test('the same files are frozen once; other files anew; the last two are kept', async () => {
    await clear(redis.dir)
    const { ratchet, kept } = await watchOver(redis.url)
    await Promise.all([ratchet.freeze('one'), ratchet.freeze('two')])
    expect(kept).toHaveLength(1)
    for (let i = 0; i < 3; i++) {
      await redis.cli('SET', 'a', 'b')
      await redis.cli('BGREWRITEAOF')
      await rewritten()
      await ratchet.freeze(`later ${i}`)
    }
    const { freezes } = await readKept(redis.dir)
    expect(freezes.map(({ note }) => note.flushes.map(({ why }) => why))).toEqual([['later 2'], ['later 1']])
  })

  test('what is kept of flushes of another database takes no place from others', async () => {
    await clear(redis.dir)
    const { ratchet } = await watchOver(redis.url)
    await ratchet.freeze('ours')
    await redis.cli('SET', 'rekindle:epoch', 'it stands')
    for (let i = 0; i < 3; i++) {
      await redis.cli('SET', 'a', 'b')
      await redis.cli('BGREWRITEAOF')
      await rewritten()
      await ratchet.freeze(`of another database ${i}`)
    }
    const { freezes } = await readKept(redis.dir)
    expect(freezes.map(({ note }) => [note.foreign, note.flushes[0]?.why])).toEqual([
      [true, 'of another database 2'],
      [false, 'ours'],
    ])
    await redis.cli('DEL', 'rekindle:epoch')
  })

  test('a freeze while one rewrite after the other is running is whole', async () => {
    const { ratchet } = await watchOver(redis.url)
    for (let i = 0; i < 10; i++) {
      await redis.cli('SET', 'a', 'b'.repeat(1_000))
      await redis.cli('BGREWRITEAOF').catch(() => undefined)
      await ratchet.freeze(`round ${i}`)
      const [newest] = (await readKept(redis.dir)).freezes
      expect(newest?.note.flushes.at(-1)?.why).toBe(`round ${i}`)
      const home = join(newest?.path ?? '', 'appendonlydir')
      const parts = await readAofFiles({ dir: newest?.path ?? '', folder: 'appendonlydir', name: 'appendonly.aof' })
      expect(parts?.files.length).toBeGreaterThan(0)
      expect((await readdir(home)).length).toBe((parts?.files.length ?? 0) + 1)
    }
    await rewritten()
  })

  test('what cannot be set back is told, and set back as soon as it can be', async () => {
    await clear(redis.dir)
    let isRefused = false
    const refusing =
      (plain: Ask): Ask =>
      async (...args) => {
        if (isRefused && args[1] === 'SET') throw new Error('NOPERM')
        if (args[1] === 'SET') isRefused = true
        return plain(...args)
      }
    const { ratchet, troubles, ask } = await watchOver(redis.url, refusing)
    await until(async () => (await readdir(redis.dir)).includes('rekindle-kept'))
    await ratchet.freeze('flush')
    expect(troubles).toMatchObject([{ hint: 'CONFIG SET auto-aof-rewrite-percentage 70' }])
    isRefused = false
    await until(() => troubles.length === 2, { timeout: 8_000 })
    expect(troubles[1]).toBeUndefined()
    expect(await ask('CONFIG', 'GET', 'auto-aof-rewrite-percentage')).toContain('70')
  })

  test('what was not answered is taken to be done, and set back', async () => {
    await clear(redis.dir)
    let isLost = false
    const { ratchet, ask } = await watchOver(redis.url, (plain) => async (...args) => {
      const reply = await plain(...args)
      if (args[1] !== 'SET' || isLost) return reply
      isLost = true
      throw new Error('the connection was closed')
    })
    await until(async () => (await readdir(redis.dir)).includes('rekindle-kept'))
    await ratchet.freeze('flush')
    expect(isLost).toBe(true)
    await until(async () => String(await ask('CONFIG', 'GET', 'auto-aof-rewrite-percentage')).endsWith('70'), {
      timeout: 8_000,
    })
  })

  test('it is told where it cannot be read what the setting was', async () => {
    const marker = join(redis.dir, 'rekindle-kept', 'rewrites-are-off.txt')
    await mkdir(marker)
    const { troubles } = await watchOver(redis.url)
    await until(() => troubles.some((trouble) => trouble?.message.includes('EISDIR')))
    await rm(marker, { recursive: true })
  })

  test('a process that was ended in the middle leaves the rewrites off no longer than until the next begins', async () => {
    await writeFile(join(redis.dir, 'rekindle-kept', 'rewrites-are-off.txt'), '70')
    await redis.cli('CONFIG', 'SET', 'auto-aof-rewrite-percentage', 0)
    const { ask } = await watchOver(redis.url)
    await until(async () => String(await ask('CONFIG', 'GET', 'auto-aof-rewrite-percentage')).endsWith('70'))
  })
})

describe('an append-only file that is switched on while we watch', () => {
  const redis = useRedis({ args: SAVING })

  test('the files are those that Redis writes at the moment of the flush', async () => {
    await redis.cli('SET', 'a', 'old')
    await redis.cli('SAVE')
    const { ratchet, kept, troubles } = await watchOver(redis.url)
    await until(() => kept.length === 1)
    await redis.cli('CONFIG', 'SET', 'appendonly', 'yes')
    await until(async () =>
      /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(String(await redis.cli('INFO'))),
    )
    await redis.cli('SET', 'a', 'new')
    await redis.cli('FLUSHALL')
    const before = performance.now()
    await ratchet.freeze('flush')
    expect(performance.now() - before).toBeLessThan(500)
    const [frozen] = (await readKept(redis.dir)).freezes
    expect(frozen?.note.kind).toBe('aof')
    expect(await readFile(join(frozen?.path ?? '', 'appendonlydir', 'appendonly.aof.1.incr.aof'), 'latin1')).toMatch(
      /new\s[\s\S]*FLUSHALL/i,
    )
    expect(troubles).toEqual([])
  })
})

describe('an append-only file that is switched off while we watch', () => {
  const redis = useRedis({ args: ['--appendonly', 'yes', ...SAVING] })

  test('the newest dump.rdb is kept, and no file that has ended before', async () => {
    await redis.cli('SET', 'a', 'newer')
    await redis.cli('SAVE')
    const { ratchet, kept } = await watchOver(redis.url)
    await until(() => kept.length === 1)
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    const { freezes } = await readKept(redis.dir)
    expect(freezes.map(({ note }) => note.kind)).toEqual(['rdb'])
  })
})

describe('seen from a container beside that of Redis, where its process is not', () => {
  const redis = useRedis({ args: ['--appendonly', 'yes'] })
  /** No process has this number. */
  const fromBeside = async (url: string, change = (info: string) => info) => {
    const wire = await connectWire(url, 'test')
    closers.push(() => wire.close())
    return findDataFolder(async (...args) => {
      const reply = await ask(wire, ...args)
      return args[0] === 'INFO' ? change(String(reply).replace(/process_id:\d+/, 'process_id:0')) : reply
    })
  }

  test('an append-only file is known by its size: new, written to, rewritten, and loaded again', async () => {
    const isFound = async () => expect(await fromBeside(redis.url)).toMatchObject({ dir: redis.dir, appendOnly: true })
    await isFound()
    await redis.cli('SET', 'a', 'b')
    await isFound()
    await redis.cli('FLUSHALL')
    await isFound()
    await redis.kill('SIGTERM')
    await redis.start()
    await isFound()
    await redis.cli('BGREWRITEAOF')
    await until(async () =>
      /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(String(await redis.cli('INFO'))),
    )
    await isFound()
    const larger = (info: string) => info.replace(/aof_current_size:\d+/, 'aof_current_size:123456')
    await expect(fromBeside(redis.url, larger)).rejects.toMatchObject({ message: expect.stringContaining('size') })
  })
})

test('what stands in the way of linking is told with what mends it', () => {
  const met = (code: string) => linkTrouble(Object.assign(new Error(code), { code }), '/data/dump.rdb')
  expect(met('EPERM')).toMatchObject({ code: 'bad_folder', hint: expect.stringContaining('as the user of Redis') })
  expect(met('EXDEV')).toMatchObject({ code: 'bad_folder', message: expect.stringContaining('another file system') })
  expect(met('ENOSPC')).toMatchObject({ code: 'no_space' })
  expect(noRoom('/data/dump.rdb', 5 << 20)).toMatchObject({
    code: 'no_space',
    message: expect.stringContaining('5 MiB'),
  })
})

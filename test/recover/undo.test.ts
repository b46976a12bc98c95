import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { openRatchet, type Ratchet } from '../../src/backup/ratchet.js'
import type { Frozen } from '../../src/backup/ratchet-freeze.js'
import { unfinishedName } from '../../src/backup/ratchet-unfinished.js'
import { classifier } from '../../src/decide/classes.js'
import type { Trouble } from '../../src/errors.js'
import { type Undone, type UndoOptions, undoFlush } from '../../src/recover/undo.js'
import { connectWire } from '../../src/redis/connect.js'
import { ask, encode } from '../../src/redis/wire.js'
import { until } from '../support/servers.js'
import { connect } from './connections.js'
import { BINARY, everythingIn, fillWithEverything } from './things.js'

const AOF = ['--appendonly', 'yes', '--auto-aof-rewrite-percentage', '100']
const SAVING = ['--save', '3600 1']
const classes = [
  { match: 'ohlcv:*', recovery: 'postgres' },
  { match: 'sub:*', recovery: 'backup' },
  { match: 'price:*', recovery: 'itself' },
] as const

let redis: RunningRedis
const closers: (() => void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) close()
  await redis.stop()
})

const start = async (args: string[]): Promise<void> => {
  redis = await startRedis({ args })
}

function undo(options: Partial<UndoOptions> = {}): Promise<Undone> {
  return undoFlush({
    url: redis.url,
    classify: classifier(classes),
    match: [],
    replace: false,
    dryRun: false,
    flush: undefined,
    signal: new AbortController().signal,
    ...options,
  })
}

async function guard(): Promise<{ ratchet: Ratchet; kept: Frozen[]; end: () => void }> {
  const wire = await connectWire(redis.url, 'test')
  const over = new AbortController()
  const kept: Frozen[] = []
  const ratchet = openRatchet({
    ask: (...args) => ask(wire, ...args),
    onKept: (each) => kept.push(each),
    onTrouble: (trouble: Trouble | undefined) => expect(trouble).toBeUndefined(),
    signal: over.signal,
  })
  const end = () => {
    over.abort()
    wire.close()
  }
  closers.push(end)
  await until(async () => (await readdir(redis.dir)).includes('rekindle-kept'))
  return { ratchet, kept, end }
}

const rewritten = () =>
  until(async () => /aof_rewrite_in_progress:0\r\naof_rewrite_scheduled:0/.test(String(await redis.cli('INFO'))))
const keys = async () => ((await redis.cli('KEYS', '*')) as string[]).sort()

/** The files of the data directory and what is in them, without what is kept aside. */
async function files(): Promise<Map<string, string>> {
  const found = await readdir(redis.dir, { recursive: true, withFileTypes: true })
  const own = found.filter(
    (entry) => entry.isFile() && entry.name !== 'log' && !entry.parentPath.includes('rekindle-kept'),
  )
  const read = own.map(async ({ parentPath, name }): Promise<[string, string]> => {
    const path = join(parentPath, name)
    return [path, (await readFile(path)).toString('hex')]
  })
  return new Map((await Promise.all(read)).sort())
}

describe('what cannot be read', () => {
  test('a snapshot is told of, and not taken for one that a FLUSHALL has emptied', async () => {
    await start(SAVING)
    await redis.cli('SET', 'sub:1', 'a')
    await redis.cli('SAVE')
    const { kept, end } = await guard()
    await until(() => kept.length === 1)
    end()
    await redis.cli('DEL', 'sub:1')
    const path = join(redis.dir, 'dump.rdb')
    await rm(path)
    await writeFile(path, (await readFile(kept[0]?.path ?? '')).subarray(0, 12))
    await expect(undo()).rejects.toMatchObject({ code: 'bad_folder', message: expect.stringContaining(path) })
    expect(await keys()).toEqual([])
  })

  test('the note of a flush is told of, and what else is kept is undone', async () => {
    await start(AOF)
    await redis.cli('SET', 'sub:1', 'a')
    const { kept, ratchet } = await guard()
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    const path = kept[0]?.path ?? ''
    await writeFile(join(path, 'note.json'), '')
    const undone = await undo()
    expect(undone.copied.copied).toBe(1)
    expect(undone.troubles).toMatchObject([
      {
        code: 'bad_backup',
        message: `${path}: passed over, for its note.json cannot be read (it is not what Rekindle writes)`,
      },
    ])
  })
})

describe.each(['everysec', 'always'])('with an append-only file, appendfsync %s', (fsync) => {
  beforeEach(() => start([...AOF, '--appendfsync', fsync]))

  test('everything comes back as it was, and the files of Redis are not touched', async () => {
    await fillWithEverything(redis)
    await redis.cli('SET', 'ohlcv:BTCUSDT:m1', 'from PostgreSQL')
    await redis.cli('SET', 'price:BTCUSDT', '1')
    await redis.cli('SET', 'rekindle:epoch', 'x')
    // What the append-only file does not hold (how far a group of a stream has read), Redis itself forgets, too.
    await redis.kill('SIGTERM')
    await redis.start()
    const live = connect(redis.url)
    const before = await everythingIn(live)
    await redis.cli('FLUSHALL')
    const untouched = await files()
    const looked = await undo({ dryRun: true })
    expect(await keys()).toEqual([])
    expect(await files()).toEqual(untouched)
    const undone = await undo()
    expect(undone).toMatchObject({ flush: 1, flushes: 1, leftToPostgres: 1, leftToThemselves: 1, troubles: [] })
    const names = ({ copied }: Undone) => copied.names.map((name) => name.toString('hex')).sort()
    expect(names(looked)).toEqual(names(undone))
    const others = ['ohlcv:BTCUSDT:m1', 'price:BTCUSDT', 'rekindle:epoch']
    for (const key of others) before.delete(Buffer.from(key).toString('hex'))
    expect(await everythingIn(live)).toEqual(before)
    expect(undone.copied.copied).toBe(before.size)
    const again = await undo()
    expect(again.copied).toMatchObject({ copied: 0, kept: before.size })
    expect(await readdir(redis.dir)).not.toContain('rekindle-kept')
  })
})

describe('with an append-only file', () => {
  beforeEach(() => start(AOF))

  test('what live workers wrote meanwhile stays, unless it is to be replaced', async () => {
    await redis.cli('MSET', 'sub:1', 'old', 'sub:2', 'old', 'other', 'old')
    await redis.cli('FLUSHALL', 'ASYNC')
    await redis.cli('MSET', 'sub:1', 'new', 'sub:3', 'new')
    expect((await undo()).copied).toMatchObject({ copied: 2, kept: 1 })
    expect(await redis.cli('MGET', 'sub:1', 'sub:2', 'sub:3', 'other')).toEqual(['new', 'old', 'new', 'old'])
    expect((await undo({ replace: true, match: ['sub:*'] })).copied).toMatchObject({ copied: 2, kept: 0 })
    expect(await redis.cli('MGET', 'sub:1', 'sub:3')).toEqual(['old', 'new'])
  })

  test('patterns narrow it, and may name what comes back by itself, but not what PostgreSQL gives back', async () => {
    await redis.cli('MSET', 'sub:1', 'a', 'price:1', 'a', 'ohlcv:1', 'a', 'other', 'a')
    await redis.cli('FLUSHALL')
    const undone = await undo({ match: ['price:*', 'ohlcv:*'] })
    expect(undone).toMatchObject({ leftToPostgres: 1, leftToThemselves: 0 })
    expect(await keys()).toEqual(['price:1'])
  })

  test('a second flush that took nothing of worth is passed by; one that did is undone alone', async () => {
    await redis.cli('SET', 'sub:1', 'first')
    await redis.cli('FLUSHALL')
    await redis.cli('FLUSHALL')
    expect(await undo({ dryRun: true })).toMatchObject({ flush: 1, flushes: 1, copied: { copied: 1 } })
    await redis.cli('SET', 'ohlcv:1', 'healed')
    await redis.cli('FLUSHALL')
    expect(await undo({ dryRun: true })).toMatchObject({ flush: 2, flushes: 2, copied: { copied: 1 } })
    await redis.cli('SET', 'sub:2', 'second')
    await redis.cli('FLUSHALL')
    expect(await undo()).toMatchObject({ flush: 1, flushes: 3 })
    expect(await keys()).toEqual(['sub:2'])
    expect(await undo({ flush: 3 })).toMatchObject({ flush: 3, copied: { copied: 1 } })
    expect(await keys()).toEqual(['sub:1', 'sub:2'])
    await expect(undo({ flush: 4 })).rejects.toMatchObject({ code: 'nothing_to_undo' })
  })

  test('two at once bring each key back once', async () => {
    await redis.cli('EVAL', "for i = 1, 3000 do redis.call('SET', 'sub:' .. i, i) end", 0)
    await redis.cli('FLUSHALL')
    const both = await Promise.all([undo(), undo()])
    const sum = (count: (undone: Undone) => number) => both.reduce((total, each) => total + count(each), 0)
    expect(sum(({ copied }) => copied.copied)).toBe(3_000)
    expect(sum(({ copied }) => copied.kept)).toBe(3_000)
  })

  test('where Redis would evict other keys for them, none is written', async () => {
    await redis.cli('EVAL', "for i = 1, 3000 do redis.call('SET', 'sub:' .. i, string.rep('x', 2000)) end", 0)
    await redis.cli('FLUSHALL')
    await redis.cli('SET', 'new', 'x')
    const used = Number(/used_memory:(\d+)/.exec(String(await redis.cli('INFO')))?.[1])
    await redis.cli('CONFIG', 'SET', 'maxmemory', used + 2_000_000, 'maxmemory-policy', 'allkeys-lru')
    await expect(undo()).rejects.toMatchObject({ code: 'no_memory' })
    expect(await keys()).toEqual(['new'])
    expect((await undo({ match: ['sub:1'] })).copied).toMatchObject({ copied: 1, gone: [] })
  })

  test('one that is stopped leaves nothing behind', async () => {
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('FLUSHALL')
    for (const act of ['Reading', 'Loading', 'Copying'] as const) {
      const stop = new AbortController()
      const reason = new Error('stopped')
      const onProgress = (now: string) => now === act && stop.abort(reason)
      const ended = await undo({ signal: stop.signal, onProgress }).catch((error) => error)
      // So little is loaded and copied before anyone looks again.
      if (act === 'Reading') expect(ended).toBe(reason)
      expect(await readdir(redis.dir)).not.toContain('rekindle-kept')
    }
  })

  test('where nothing may be linked, it is copied', async () => {
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('BGREWRITEAOF')
    await rewritten()
    await redis.cli('SET', 'sub:2', 'y')
    await redis.cli('FLUSHALL')
    await writeFile(join(redis.dir, 'rekindle-kept'), 'in the way')
    const { TMPDIR } = process.env
    // Another file system, where there is one.
    process.env['TMPDIR'] = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    try {
      expect((await undo()).copied.copied).toBe(2)
      expect((await readdir(tmpdir())).filter((name) => name.startsWith('rekindle-undo-'))).toEqual([])
    } finally {
      if (TMPDIR === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = TMPDIR
    }
  })

  test('a flush of another database is not ours', async () => {
    await redis.cli('SET', 'sub:1', 'here')
    await redis.cli('EVAL', "redis.call('SELECT', 3) redis.call('SET', 'sub:2', 'there') redis.call('FLUSHDB')", 0)
    await expect(undo()).rejects.toMatchObject({ code: 'nothing_to_undo' })
    const there = await undo({ url: redis.url.replace(/0$/, '3') }).catch((error) => error)
    // Its transaction wrote and flushed in one: before it there was nothing.
    expect(there).toMatchObject({ code: 'nothing_to_undo' })
    await redis.cli('FLUSHDB')
    expect((await undo()).copied.copied).toBe(1)
  })

  test('a flush in a transaction or a script, and values that read like one', async () => {
    const live = connect(redis.url)
    await live.set('sub:1', '\r\n*1\r\n$8\r\nFLUSHALL\r\n')
    await live.set(Buffer.concat([Buffer.from('sub:'), BINARY]), BINARY)
    await live.multi().set('sub:2', 'in the transaction').flushall().set('sub:3', 'after').exec()
    expect((await undo()).copied).toMatchObject({ copied: 2, kept: 0 })
    expect(await live.get('sub:1')).toBe('\r\n*1\r\n$8\r\nFLUSHALL\r\n')
    expect(await live.get('sub:3')).toBe('after')
    await live.eval("redis.call('SET', 'sub:4', 'x') redis.call('FLUSHALL')", 0)
    expect((await undo()).copied.copied).toBe(3)
  })

  test('a rewrite that runs during the flush, and one right after it, which takes the file away', async () => {
    const { ratchet, kept } = await guard()
    await redis.cli('EVAL', "for i = 1, 5000 do redis.call('SET', 'sub:' .. i, i) end", 0)
    await redis.cli('CONFIG', 'SET', 'rdb-key-save-delay', '50')
    await redis.cli('BGREWRITEAOF')
    await redis.cli('SET', 'sub:late', 'during the rewrite')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    await redis.cli('CONFIG', 'SET', 'rdb-key-save-delay', '0')
    await rewritten()
    await redis.cli('BGREWRITEAOF')
    await rewritten()
    expect(kept.filter(({ what }) => what === 'aof')).toHaveLength(1)
    const undone = await undo()
    expect(undone).toMatchObject({ copied: { copied: 5_001 }, moment: { flushedAt: expect.any(Number) } })
    expect(await redis.cli('GET', 'sub:late')).toBe('during the rewrite')
  })

  test('the time of a flush that was heard of is not that of a later one, which nobody heard of', async () => {
    const { ratchet, end } = await guard()
    await redis.cli('SET', 'sub:1', 'first')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    const heardAt = Date.now()
    end()
    await redis.cli('SET', 'sub:2', 'second')
    await redis.cli('FLUSHALL')
    expect((await undo({ dryRun: true })).moment.flushedAt).toBeUndefined()
    const { flushedAt = 0 } = (await undo({ dryRun: true, flush: 2 })).moment
    expect(Math.abs(flushedAt - heardAt)).toBeLessThan(1_000)
    // The same files, so that it is only noted; and one of another database tells nothing of ours.
    const { ratchet: later } = await guard()
    await later.freeze('flush')
    const first = (await undo({ dryRun: true })).moment.flushedAt ?? 0
    expect(first).toBeGreaterThanOrEqual(heardAt)
    await redis.cli('SET', 'sub:3', 'third')
    await redis.cli('FLUSHALL')
    await redis.cli('SET', 'rekindle:epoch', 'x')
    await later.freeze('of another database')
    expect((await undo({ dryRun: true })).moment.flushedAt).toBeUndefined()
    expect((await undo({ dryRun: true, flush: 2 })).moment.flushedAt).toBe(first)
  })

  test('what undos have left behind that were killed goes, but not what others work on', async () => {
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('FLUSHALL')
    const home = join(redis.dir, 'rekindle-kept')
    const make = async (name: string) => {
      await mkdir(join(home, name), { recursive: true })
      await writeFile(join(home, name, 'left'), 'x')
    }
    const mine = await unfinishedName()
    const dead = mine.replace(`-${process.pid}-`, `-${2 ** 22 + 1}-`)
    const elsewhere = '.new-0123456789ab-1-aa'
    for (const name of [mine, dead, elsewhere]) await make(name)
    expect((await undo()).copied.copied).toBe(1)
    expect((await readdir(home)).sort()).toEqual([elsewhere, mine].sort())
  })

  test('without a guard, a rewrite after the flush leaves nothing to undo', async () => {
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('FLUSHALL')
    await redis.cli('BGREWRITEAOF')
    await rewritten()
    await expect(undo()).rejects.toMatchObject({ code: 'nothing_to_undo', hint: /rekindle recover/ })
  })

  test('Redis shut down and started after the flush, with writes and a rewrite since', async () => {
    const { ratchet } = await guard()
    await redis.cli('SET', 'sub:1', 'before')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    await redis.kill('SIGTERM')
    await redis.start()
    await redis.cli('SET', 'sub:2', 'after')
    expect((await undo({ dryRun: true })).copied.copied).toBe(1)
    await redis.cli('BGREWRITEAOF')
    await rewritten()
    await undo()
    expect(await keys()).toEqual(['sub:1', 'sub:2'])
  })

  test('where no flush was there is nothing to undo, whatever was deleted', async () => {
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('SAVE')
    await redis.cli('DEL', 'sub:1')
    await expect(undo()).rejects.toMatchObject({ code: 'nothing_to_undo' })
  })

  test('a data directory that is not at hand is told with what to do', async () => {
    const live = connect(redis.url)
    await live.acl('SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-config')
    const url = redis.url.replace('//', '//limited:secret@')
    await expect(undo({ url })).rejects.toMatchObject({ code: 'bad_folder', hint: /\+config\|get/ })
    await rm(join(redis.dir, 'appendonlydir'), { recursive: true })
    await redis.cli('SET', 'a', 'b')
    await expect(undo()).rejects.toMatchObject({ code: 'nothing_to_undo' })
  })
})

describe('with the single file of Redis 6', () => {
  test.each(['with', 'without'])('%s a snapshot at its beginning, taken over by Redis 7', async (how) => {
    await start(['--appendonly', 'no'])
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('SAVE')
    const snapshot = how === 'with' ? await readFile(join(redis.dir, 'dump.rdb')) : encode('SET', 'sub:1', 'x')
    await redis.kill('SIGTERM')
    await rm(join(redis.dir, 'dump.rdb'))
    const commands = [snapshot, encode('SET', 'sub:2', 'y'), encode('FLUSHALL'), encode('SET', 'sub:3', 'z')]
    await writeFile(join(redis.dir, 'appendonly.aof'), Buffer.concat(commands))
    await redis.start(AOF)
    expect(await keys()).toEqual(['sub:3'])
    expect((await undo()).copied.copied).toBe(2)
    expect(await keys()).toEqual(['sub:1', 'sub:2', 'sub:3'])
  })
})

describe('with snapshots only', () => {
  test('the newest from before the flush, which replaces its file at once', async () => {
    await start(SAVING)
    const { ratchet, kept } = await guard()
    await fillWithEverything(redis)
    const live = connect(redis.url)
    const before = await everythingIn(live)
    await redis.cli('SAVE')
    await until(() => kept.length === 1)
    await redis.cli('SET', 'sub:late', 'lost')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    for (let i = 0; i < 4; i++) {
      await redis.cli('SET', 'sub:new', i)
      await redis.cli('SAVE')
      await until(() => kept.filter(({ path }) => path.endsWith('.rdb')).length === i + 2)
      await ratchet.freeze('a later word of the same flush')
    }
    const undone = await undo()
    expect(undone.copied).toMatchObject({ copied: before.size, kept: 0 })
    expect(undone.moment).toMatchObject({ source: { kind: 'rdb', takenAt: expect.any(Number) } })
    expect(undone.moment.flushedAt).toBeGreaterThan(Date.now() - 20_000)
    await redis.cli('DEL', 'sub:new')
    expect(await everythingIn(live)).toEqual(before)
  })

  test('Redis shut down and started after the flush', async () => {
    await start(SAVING)
    const { ratchet, kept } = await guard()
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('SAVE')
    await until(() => kept.length === 1)
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    await redis.kill('SIGTERM')
    await redis.start()
    expect((await undo()).copied.copied).toBe(1)
  })

  test('without a guard, the file of a server that saved by hand only; and none of one that has saved over it', async () => {
    await start([])
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('SAVE')
    await expect(undo()).rejects.toMatchObject({ code: 'nothing_to_undo' })
    await redis.cli('FLUSHALL')
    expect((await undo()).copied.copied).toBe(1)
    await redis.cli('FLUSHALL')
    await redis.cli('SAVE')
    await expect(undo()).rejects.toMatchObject({ code: 'nothing_to_undo' })
  })

  test('where it may have been another database that was flushed, nothing is offered but on demand', async () => {
    await start([])
    await redis.cli('MSET', 'sub:1', 'a', 'sub:2', 'b')
    await redis.cli('SAVE')
    await redis.cli('DEL', 'sub:1')
    const live = connect(redis.url)
    await live.acl('SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-flushall')
    const limited = connect(redis.url.replace('//', '//limited:secret@'))
    await expect(limited.flushall()).rejects.toThrow('NOPERM')
    await expect(undo({ dryRun: true })).rejects.toMatchObject({ code: 'nothing_to_undo', message: /no trace/ })
    await redis.cli('EVAL', "redis.call('SELECT', 3) redis.call('FLUSHDB')", 0)
    for (const flush of [undefined, 1]) {
      const refused = {
        code: 'nothing_to_undo',
        message: /some database was flushed/,
        hint: /--flush 1.*rekindle recover/,
      }
      await expect(undo({ flush, dryRun: true })).rejects.toMatchObject(refused)
    }
    const guessed = await undo({ flush: 1, guess: true })
    expect(guessed).toMatchObject({ copied: { copied: 1, kept: 1 }, moment: { source: { isSure: false } } })
    await redis.cli('FLUSHALL')
    expect(await undo()).toMatchObject({ copied: { copied: 2 }, moment: { source: { isSure: true } } })
  })

  test('what was kept for a flush of another database is not taken for one of ours', async () => {
    await start(SAVING)
    const { ratchet, kept } = await guard()
    await redis.cli('MSET', 'sub:1', 'a', 'rekindle:epoch', 'x')
    await redis.cli('SAVE')
    await until(() => kept.length === 1)
    await redis.cli('DEL', 'sub:1')
    await redis.cli('EVAL', "redis.call('SELECT', 3) redis.call('FLUSHDB')", 0)
    await ratchet.freeze('flush')
    expect(kept).toHaveLength(2)
    await expect(undo({ flush: 1 })).rejects.toMatchObject({ code: 'nothing_to_undo' })
    await redis.cli('FLUSHDB')
    await ratchet.freeze('flush')
    expect((await undo()).copied.copied).toBe(1)
  })

  test('with both, the append-only file knows more', async () => {
    await start([...AOF, ...SAVING])
    const { ratchet } = await guard()
    await redis.cli('SET', 'sub:1', 'x')
    await redis.cli('SAVE')
    await redis.cli('SET', 'sub:2', 'y')
    await redis.cli('FLUSHALL')
    await ratchet.freeze('flush')
    expect(await undo()).toMatchObject({ flushes: 1, copied: { copied: 2 }, moment: { source: { kind: 'aof' } } })
  })
})

describe.skipIf(!inject('hasTimeSeries'))('compaction rules of time series', () => {
  beforeEach(() => start(AOF))

  const rulesOf = async (key: string) => {
    const info = (await redis.cli('TS.INFO', key)) as unknown[]
    return info[info.indexOf('rules') + 1]
  }

  test('stand again with their series, once, and aggregate what comes', async () => {
    for (const key of ['sub:raw', 'sub:mean', 'sub:last', 'price:mean']) await redis.cli('TS.CREATE', key)
    await redis.cli('TS.CREATERULE', 'sub:raw', 'sub:mean', 'AGGREGATION', 'avg', 60_000)
    await redis.cli('TS.CREATERULE', 'sub:raw', 'sub:last', 'AGGREGATION', 'last', 60_000, 1_000)
    await redis.cli('TS.CREATERULE', 'sub:raw', 'price:mean', 'AGGREGATION', 'std.p', 60_000)
    await redis.cli('TS.MADD', 'sub:raw', 1_000, 1, 'sub:raw', 2_000, 2)
    const [mean, first, last, second] = (await rulesOf('sub:raw')) as unknown[]
    await redis.cli('FLUSHALL')
    const expected = { restored: 2, failed: 1, failure: { target: Buffer.from('price:mean') } }
    expect(await undo({ dryRun: true })).toMatchObject({ rules: expected })
    expect(await undo()).toMatchObject({ copied: { copied: 3 }, rules: expected })
    expect(await rulesOf('sub:raw')).toEqual([mean, first, last, second])
    expect(await undo()).toMatchObject({ rules: { restored: 0, failed: 0 } })
    await redis.cli('TS.MADD', 'sub:raw', 61_000, 5, 'sub:raw', 62_000, 7, 'sub:raw', 121_000, 9)
    expect(await redis.cli('TS.RANGE', 'sub:mean', 60_000, '+')).toEqual([[60_000, '6']])
  })

  test('the two series may come back one after the other; without permission they come back all the same', async () => {
    for (const key of ['sub:raw', 'other:mean']) await redis.cli('TS.CREATE', key)
    await redis.cli('TS.CREATERULE', 'sub:raw', 'other:mean', 'AGGREGATION', 'count', 60_000)
    const rules = await rulesOf('sub:raw')
    await redis.cli('FLUSHALL')
    expect(await undo({ match: ['sub:*'] })).toMatchObject({ copied: { copied: 1 }, rules: { restored: 0, failed: 1 } })
    expect(await undo({ match: ['other:*'] })).toMatchObject({ copied: { copied: 1 }, rules: { restored: 1 } })
    expect(await rulesOf('sub:raw')).toEqual(rules)
    await redis.cli('FLUSHALL')
    const live = connect(redis.url)
    await live.acl('SETUSER', 'limited', 'on', '>secret', '~*', '+@all', '-ts.createrule')
    const undone = await undo({ url: redis.url.replace('//', '//limited:secret@') })
    expect(undone).toMatchObject({ copied: { copied: 2 }, rules: { restored: 0, failed: 1 } })
    expect(undone.rules.failure?.message).toContain('NOPERM')
  })
})

import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findFlushes } from '../../src/recover/aof-cut.js'
import { formatAofManifest, parseAofManifest, readAofFiles } from '../../src/recover/aof-files.js'
import { encode } from '../../src/redis/wire.js'
import { useRedis } from '../support/servers.js'
import { fillWithEverything } from './things.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rekindle-aof-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Writes an append-only file; gives where each command begins, and the whole length last. */
async function write(...commands: (string[] | string)[]): Promise<{ path: string; starts: number[] }> {
  const path = join(folder, 'test.aof')
  const parts = commands.map((command) => (typeof command === 'string' ? Buffer.from(command) : encode(...command)))
  await writeFile(path, Buffer.concat(parts))
  const starts = [0]
  for (const { length } of parts) starts.push((starts.at(-1) as number) + length)
  return { path, starts }
}

const offsets = async (path: string, database = 0) =>
  (await findFlushes(path, database)).flushes.map(({ offset }) => offset)

describe('flushes in a file', () => {
  test('all of them, in any case, with any argument', async () => {
    const { path, starts } = await write(
      ['SET', 'a', '1'],
      ['FLUSHALL'],
      ['SET', 'a', '2'],
      ['flushall', 'ASYNC'],
      ['SET', 'a', '3'],
      ['FlushDb', 'SYNC'],
    )
    expect(await offsets(path)).toEqual([starts[1], starts[3], starts[5]])
  })

  test('FLUSHDB of another database is none of ours, FLUSHALL from another one is', async () => {
    const { path, starts } = await write(
      ['SELECT', '0'],
      ['SET', 'a', '1'],
      ['SELECT', '3'],
      ['FLUSHDB'],
      ['SET', 'a', '1'],
      ['FLUSHALL'],
    )
    expect(await offsets(path)).toEqual([starts[5]])
    expect(await offsets(path, 3)).toEqual([starts[3], starts[5]])
  })

  test('one in a transaction counts from its MULTI, and only if it was executed', async () => {
    const whole = await write(['SET', 'a', '1'], ['MULTI'], ['SET', 'b', '1'], ['FLUSHALL'], ['EXEC'])
    expect(await offsets(whole.path)).toEqual([whole.starts[1]])
    const cut = await write(['SET', 'a', '1'], ['MULTI'], ['SET', 'b', '1'], ['FLUSHALL'])
    expect(await offsets(cut.path)).toEqual([])
  })

  test('one that had nothing to flush is left out', async () => {
    const { path, starts } = await write(['FLUSHALL'], ['FLUSHALL'], ['SET', 'a', '1'], ['FLUSHALL'], ['FLUSHALL'])
    expect(await offsets(path)).toEqual([starts[0], starts[3]])
  })

  test('a value that reads like one is a value', async () => {
    const text = '\r\n*1\r\n$8\r\nFLUSHALL\r\n'
    const { path } = await write(['SET', 'a', text], ['SET', text, 'flushall'], ['flushall '], ['FLUSHALLS'])
    expect(await offsets(path)).toEqual([])
  })

  test('times are noted where Redis notes them', async () => {
    const { path } = await write('#TS:1700000000\r\n', ['SET', 'a', '1'], '#TS:1700000005\r\n', ['FLUSHALL'])
    expect((await findFlushes(path, 0)).flushes).toEqual([{ offset: expect.any(Number), at: 1_700_000_005_000 }])
  })

  test('a tail that is cut short, or damaged, ends the reading and hides nothing before it', async () => {
    const { path, starts } = await write(['SET', 'a', '1'], ['FLUSHALL'], ['SET', 'a', '22222'])
    const { size } = await stat(path)
    for (let bytes = size; bytes > (starts[2] as number); bytes--) {
      await truncate(path, bytes)
      const { flushes, end, rest } = await findFlushes(path, 0)
      expect(flushes).toHaveLength(1)
      expect([end, rest]).toEqual(bytes === size ? [size, 'nothing'] : [starts[2], 'cut short'])
    }
    await appendFile(path, '\0\0\0\0\r\n')
    expect(await findFlushes(path, 0)).toMatchObject({ flushes: [{ offset: starts[1] }] })
    const odd = await write(['SET', 'a', '1'], 'rubbish\r\n', ['FLUSHALL'])
    expect(await findFlushes(odd.path, 0)).toEqual({ flushes: [], end: odd.starts[1], rest: 'damaged' })
  })

  test('values of any length around the pieces in which it is read', async () => {
    const piece = 1 << 20
    for (const length of [piece - 80, piece - 60, piece - 45, piece - 40, piece - 35, piece - 33, piece, 3 * piece]) {
      for (let more = 0; more < 5; more++) {
        const { path, starts } = await write(['SET', 'a', 'x'.repeat(length + more)], ['FLUSHALL'], ['SET', 'b', 'c'])
        expect(await findFlushes(path, 0)).toEqual({
          flushes: [{ offset: starts[1], at: undefined }],
          end: starts[3],
          rest: 'nothing',
        })
      }
    }
  })

  test('a large file takes little memory', async () => {
    const path = join(folder, 'large.aof')
    const stream = createWriteStream(path)
    const block = Buffer.concat(Array.from({ length: 2_000 }, (_, i) => encode('SET', `key:${i}`, 'v'.repeat(100))))
    for (let i = 0; i < 600; i++) if (!stream.write(block)) await once(stream, 'drain')
    stream.end(encode('FLUSHALL'))
    await finished(stream)
    const before = process.memoryUsage().rss
    expect(await offsets(path)).toEqual([600 * block.length])
    expect(process.memoryUsage().rss - before).toBeLessThan(100 << 20)
    await rm(path)
  })

  test('a snapshot that cannot be read is told in plain words', async () => {
    const { path } = await write('REDIS0010 and so on')
    await expect(findFlushes(path, 0)).rejects.toMatchObject({ code: 'bad_backup', hint: /rekindle recover/ })
  })
})

test('names in a manifest may be quoted; history is left out', () => {
  const text = [
    'file "my aof.1.base.rdb" seq 1 type b',
    'file a.1.incr.aof seq 1 type h',
    'file a.2.incr.aof seq 2 type i startoffset 17 endoffset 20',
  ].join('\n')
  const files = [
    { file: 'my aof.1.base.rdb', seq: 1, type: 'base' },
    { file: 'a.2.incr.aof', seq: 2, type: 'incr' },
  ]
  expect(parseAofManifest(text)).toEqual(files)
  expect(parseAofManifest(formatAofManifest(files.map((file) => ({ ...file, path: file.file }) as never)))).toEqual(
    files,
  )
})

describe('a snapshot and commands in one file, as Redis 6 writes it', () => {
  const redis = useRedis()

  test('flushes are found behind it, whatever it holds', async () => {
    await fillWithEverything(redis)
    await redis.cli('FUNCTION', 'LOAD', "#!lua name=lib\nredis.register_function('f', function() return 1 end)")
    await redis.cli('EVAL', "redis.call('SELECT', 7) redis.call('SET', 'x', 'FLUSHALL')", 0)
    await redis.cli('SAVE')
    const snapshot = await readFile(join(redis.dir, 'dump.rdb'))
    const path = join(folder, 'appendonly.aof')
    await writeFile(path, Buffer.concat([snapshot, encode('SET', 'a', '1'), encode('FLUSHALL')]))
    const offset = snapshot.length + encode('SET', 'a', '1').length
    expect(await findFlushes(path, 0)).toMatchObject({ flushes: [{ offset }], rest: 'nothing' })
    await writeFile(path, snapshot)
    expect(await findFlushes(path, 0)).toMatchObject({ flushes: [], end: snapshot.length, rest: 'nothing' })
    await truncate(path, snapshot.length - 1)
    await expect(findFlushes(path, 0)).rejects.toMatchObject({ code: 'bad_backup' })
  })
})

describe('what Redis itself writes', () => {
  const redis = useRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always', '--aof-timestamp-enabled', 'yes'] })

  test('by clients, in transactions, and by scripts', async () => {
    const place = { dir: redis.dir, folder: 'appendonlydir', name: 'appendonly.aof' }
    const before = Date.now()
    await redis.cli('SET', 'a', '1')
    await redis.cli('FLUSHALL', 'ASYNC')
    await redis.cli('SET', 'a', Buffer.from([0, 255, 13, 10, 42]))
    await redis.cli('EVAL', "redis.call('SET', 'x', 'y') redis.call('FLUSHALL')", 0)
    await redis.cli('SET', 'a', '3')
    await redis.cli('EVAL', "redis.call('SELECT', 5) redis.call('SET', 'x', 'y') redis.call('FLUSHDB')", 0)
    await redis.cli('FLUSHDB')
    const files = (await readAofFiles(place))?.files ?? []
    expect(files.map(({ type, seq }) => [type, seq])).toEqual([
      ['base', 1],
      ['incr', 1],
    ])
    const incr = files[1]?.path ?? ''
    const { flushes, rest } = await findFlushes(incr, 0)
    expect(rest).toBe('nothing')
    expect(flushes).toHaveLength(3)
    for (const { at } of flushes) expect(at).toBeGreaterThan(before - 2_000)
    const bytes = await readFile(incr)
    // The second is part of what the script did, which Redis writes as a transaction.
    expect(flushes.map(({ offset }) => bytes.toString('latin1', offset, offset + 18))).toEqual([
      expect.stringContaining('FLUSHALL'),
      expect.stringContaining('MULTI'),
      expect.stringContaining('FLUSHDB'),
    ])
  })
})

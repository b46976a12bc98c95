import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { until, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, startRekindle, writeConfig } from './rekindle.js'

const redis = useRedis({ args: ['--appendonly', 'yes'] })
const dir = join(tmpdir(), 'rekindle-undo-no-backups')
const config = () =>
  writeConfig({
    candles: { layout: 'sortedset' },
    keys: [
      { match: 'sub:*', recovery: 'backup' },
      { match: 'price:*', recovery: 'itself' },
    ],
    backup: { dir },
  })
const env = () => ({ REDIS_URL: redis.url, DATABASE_URL: 'postgres://127.0.0.1:1/none' })
const undo = (...args: string[]) => rekindle(['undo', '--config', config(), ...args], env())

test('a FLUSHALL is undone in three steps: look, undo, look again; PostgreSQL is not needed', async () => {
  await redis.cli('MSET', 'sub:1', 'a', 'sub:2', 'a', 'other', 'a', 'price:X', '1', 'ohlcv:X:m1', 'x')
  await redis.cli('SET', Buffer.from([0x73, 0xff]), 'binary')
  await redis.cli('FLUSHALL')
  await redis.cli('SET', 'sub:2', 'new')
  const looked = await undo('--dry-run')
  expect(looked).toMatchObject({ status: 0, stderr: '' })
  expect(looked.stdout.split('\n')[0]).toBe('The append-only file holds all that was written before the last flush.')
  expect(looked.stdout).toContain(
    'Would bring back 3 keys; 1 there again and kept; 1 left to PostgreSQL; 1 left to those who write them:\n',
  )
  expect(looked.stdout).toContain('\n  sub:1\n')
  expect(await redis.cli('DBSIZE')).toBe(1)
  const undone = await undo()
  expect(undone).toMatchObject({ status: 0, stderr: '' })
  expect(undone.stdout).toMatch(/Brought back 3 keys in [\d.]+ m?s; 1 there again and kept; 1 left to PostgreSQL/)
  expect(await redis.cli('MGET', 'sub:1', 'sub:2', 'other', 'price:X')).toEqual(['a', 'new', 'a', null])
  expect(await redis.cli('GET', Buffer.from([0x73, 0xff]))).toBe('binary')
  const { answer, status } = await rekindleJson(['undo', '--config', config(), '--match', 'price:*'], env())
  expect(status).toBe(0)
  expect(answer).toMatchObject({
    ok: true,
    source: 'append_only_file',
    flush: 1,
    flushes: 1,
    copied: 1,
    kept: 0,
    left_to_heal: 0,
  })
})

test('an earlier flush is told of, and undone if it is named', async () => {
  await redis.cli('FLUSHALL')
  const undone = await undo('--dry-run', '--match', 'price:*')
  expect(undone.stdout).toContain('There are traces of one earlier flush: --flush 2 undoes the one before.')
  const wrong = await undo('--flush', 'last')
  expect(wrong).toMatchObject({ status: 2, stdout: '' })
  expect(wrong.stderr).toContain('it should be 1 for the last flush')
  const earlier = await undo('--flush', '9')
  expect(earlier.status).toBe(1)
  expect(earlier.stderr).toBe(
    'rekindle: nothing to undo: there are traces of 2 flushes only; rekindle recover brings keys back from a backup, ' +
      `but there is none in ${dir}\n`,
  )
})

test('where the folder of the backups cannot be read, that is said instead', async () => {
  await redis.cli('FLUSHALL')
  const file = join(await mkdtemp(join(tmpdir(), 'rekindle-undo-file-')), 'file')
  await writeFile(file, '')
  const { stderr } = await rekindle(
    ['undo', '--config', writeConfig({ candles: { layout: 'sortedset' }, backup: { dir: file } }), '--flush', '99'],
    env(),
  )
  expect(stderr).toContain(`rekindle recover brings keys back from a backup, if there is one: ${file}: it is no folder`)
})

test('the newest backup is named where there is nothing to undo', async () => {
  const other = await startRedis()
  const shelf = await mkdtemp(join(tmpdir(), 'rekindle-undo-shelf-'))
  try {
    const path = join(shelf, 'some.rdb')
    const manifest = {
      version: 1,
      kind: 'rdb',
      source: 'x:1',
      database: 0,
      run_id: null,
      redis_version: null,
      taken_at: '2026-01-02T03:04:05.000Z',
      took_ms: 1,
      bytes: 1,
      sha256: '',
      checked: 'ok',
      modules: [],
      keys: null,
      proof: null,
    }
    await writeFile(path, 'x')
    await writeFile(`${path}.json`, JSON.stringify(manifest))
    const { answer, status } = await rekindleJson(
      ['undo', '--config', writeConfig({ candles: { layout: 'sortedset' }, backup: { dir: shelf } })],
      { ...env(), REDIS_URL: other.url },
    )
    expect(status).toBe(1)
    expect(answer).toMatchObject({
      ok: false,
      code: 'nothing_to_undo',
      hint: expect.stringContaining(
        `rekindle recover brings keys back from a backup; the newest is of 2026-01-02T03:04:05.000Z: ${path}. `,
      ),
    })
  } finally {
    await other.stop()
    await rm(shelf, { recursive: true })
  }
})

test('one that is killed leaves nothing for longer than until the next', async () => {
  const other = await startRedis({ args: ['--appendonly', 'yes'] })
  const home = join(other.dir, 'rekindle-kept')
  const names = async () => (await readdir(home).catch(() => [])).filter((name) => name.startsWith('.new-'))
  try {
    await other.cli('EVAL', "for i = 1, 50000 do redis.call('SET', 'sub:' .. i, i) end", 0)
    await other.cli('FLUSHALL')
    const settings = { ...env(), REDIS_URL: other.url }
    const killed = startRekindle(['undo', '--config', config()], settings)
    await until(async () => (await names()).length > 0)
    killed.kill('SIGKILL')
    await killed.ended
    expect(await names()).toHaveLength(1)
    expect((await rekindle(['undo', '--config', config(), '--replace'], settings)).status).toBe(0)
    expect(await readdir(other.dir)).not.toContain('rekindle-kept')
    expect(await other.cli('DBSIZE')).toBe(50_000)
  } finally {
    await other.stop()
  }
})

test('where only FLUSHDB was counted, of whatever database, it takes --flush 1', async () => {
  const other = await startRedis()
  const run = (...args: string[]) =>
    rekindle(['undo', '--config', config(), ...args], { ...env(), REDIS_URL: other.url })
  try {
    await other.cli('SET', 'sub:1', 'a')
    await other.cli('SAVE')
    await other.cli('DEL', 'sub:1')
    await other.cli('EVAL', "redis.call('SELECT', 3) redis.call('FLUSHDB')", 0)
    const refused = await run('--dry-run')
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain('some database was flushed, but nothing tells that it was this one; if it was,')
    expect(await run('--flush', '1', '--dry-run')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('is a guess: nothing tells.\nWould bring back 1 key:\n  sub:1\n'),
    })
  } finally {
    await other.stop()
  }
})

test('a Redis that is away, and a data directory that is elsewhere, are told plainly', async () => {
  const away = await rekindle(['undo', '--config', config(), '--timeout', '200ms'], {
    ...env(),
    REDIS_URL: 'redis://127.0.0.1:1',
  })
  expect(away.status).toBe(1)
  expect(away.stderr).toContain('is it running, and is redis.url (REDIS_URL) right?')
  const limited = await startRedis({ acl: ['user limited on >secret ~* &* +@all -config'] })
  try {
    const refused = await rekindle(['undo', '--config', config()], {
      ...env(),
      REDIS_URL: limited.url.replace('//', '//limited:secret@'),
    })
    expect(refused.status).toBe(1)
    expect(refused.stderr).toContain('Redis does not tell where its data directory is; allow CONFIG GET')
  } finally {
    await limited.stop()
  }
})

test('a user who may do no more than it takes brings keys back, too: PING is not needed', async () => {
  const other = await startRedis({
    args: ['--appendonly', 'yes'],
    acl: ['user limited on >secret ~* &* +@all -ping'],
  })
  try {
    await other.cli('SET', 'sub:1', 'a')
    await other.cli('FLUSHALL')
    const settings = { ...env(), REDIS_URL: other.url.replace('//', '//limited:secret@') }
    expect(await rekindle(['undo', '--config', config()], settings)).toMatchObject({ status: 0, stderr: '' })
    expect(await other.cli('GET', 'sub:1')).toBe('a')
  } finally {
    await other.stop()
  }
})

test.runIf(process.env['REDIS_TIMESERIES_MODULE'])('the right is named that is missing to find a module', async () => {
  const other = await startRedis({
    args: ['--appendonly', 'yes', '--aof-use-rdb-preamble', 'no'],
    acl: ['user limited on >secret ~* &* +@all -module|list'],
  })
  try {
    await other.cli('TS.ADD', 'sub:series', '1', '1')
    await other.cli('FLUSHALL')
    const settings = { ...env(), REDIS_URL: other.url.replace('//', '//limited:secret@') }
    const { status, stderr } = await rekindle(['undo', '--config', config()], settings)
    expect(status).toBe(1)
    expect(stderr).toContain('ACL SETUSER … +module|list')
  } finally {
    await other.stop()
  }
})

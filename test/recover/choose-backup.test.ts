import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, it } from 'vitest'
import type { KeyCounts, Manifest, Proof } from '../../src/backup/manifest.js'
import { writeManifest } from '../../src/backup/shelf.js'
import { chooseBackup, chooseBackups } from '../../src/recover/choose-backup.js'
import { configFor } from '../backup/support.js'
import { makeFolder } from './folders.js'

const MANIFEST: Manifest = {
  version: 1,
  kind: 'rdb',
  source: '127.0.0.1:6379',
  database: 0,
  run_id: null,
  redis_version: '7.0.15',
  taken_at: '2026-01-01T00:00:00.000Z',
  took_ms: 1,
  bytes: 9,
  sha256: '',
  checked: 'ok',
  modules: [],
  keys: null,
  proof: null,
}
const FAILED: Proof = {
  at: '2026-02-01T00:00:00.000Z',
  ok: false,
  took_ms: 0,
  keys: 0,
  redis_version: '',
  differences: ['it is damaged'],
}

async function shelve(dir: string, name: string, more: Partial<Manifest>): Promise<string> {
  const path = join(dir, name)
  writeFileSync(path, 'REDIS0010')
  await writeManifest({ path, manifest: { ...MANIFEST, ...more } })
  return path
}

const from = (dir: string, name?: string, wanted: readonly string[] = ['sub:*']) =>
  chooseBackups(configFor('redis://127.0.0.1:6379/0', dir), wanted, name)

/** So many keys of sub:*, and one of no class. */
function holding(keys: number): KeyCounts {
  const classes = [
    { match: 'sub:*', recovery: 'backup' as const, keys, expiring: 0 },
    { match: null, recovery: null, keys: 1, expiring: 0 },
  ]
  return { total: keys + 1, expiring: 0, databases: { 0: keys + 1 }, classes }
}

it('chooses the newest that has not failed its proof', async () => {
  const dir = makeFolder()
  await shelve(dir, 'a.rdb', { taken_at: '2026-01-01T00:00:00.000Z' })
  const good = await shelve(dir, 'b.rdb', { taken_at: '2026-01-02T00:00:00.000Z' })
  await shelve(dir, 'c.rdb', { taken_at: '2026-01-03T00:00:00.000Z', proof: FAILED })
  const chosen = await from(dir)
  expect(chosen.map(({ path }) => basename(path))).toEqual(['b.rdb', 'a.rdb'])
  expect(chosen[0]).toMatchObject({
    path: good,
    warnings: [expect.stringContaining('c.rdb has failed its last proof')],
  })
})

it('takes a bad one only by its name, and warns', async () => {
  const dir = makeFolder()
  const bad = await shelve(dir, 'bad.rdb', { proof: FAILED })
  await expect(from(dir)).rejects.toMatchObject({ code: 'no_backup' })
  for (const name of ['bad.rdb', bad]) {
    expect(await chooseBackup(dir, name)).toMatchObject({
      path: bad,
      warnings: [expect.stringContaining('it is damaged')],
    })
  }
})

it('prefers the newest that holds what is wanted, and says which it passed over', async () => {
  const dir = makeFolder()
  await shelve(dir, 'old.rdb', { taken_at: '2026-01-01T00:00:00.000Z', keys: holding(2) })
  await shelve(dir, 'good.rdb', { taken_at: '2026-01-02T00:00:00.000Z', keys: holding(3) })
  await shelve(dir, 'after.rdb', { taken_at: '2026-01-03T00:00:00.000Z', keys: holding(0) })
  await shelve(dir, 'log.aof', { taken_at: '2026-01-04T00:00:00.000Z', kind: 'aof' })
  const [chosen, ...others] = await from(dir)
  expect(basename(chosen.path)).toBe('good.rdb')
  expect(chosen.warnings).toEqual([
    'newer backups were passed over: log.aof is an append-only file, whose keys nobody has counted; ' +
      'after.rdb holds no key of sub:*',
  ])
  expect(others.map(({ path }) => basename(path))).toEqual(['old.rdb', 'log.aof', 'after.rdb'])
  // Keys of no class are in all of them.
  expect(basename((await from(dir, undefined, ['']))[0].path)).toBe('after.rdb')
})

it('does not speak of the append-only file that is of the same round', async () => {
  const dir = makeFolder()
  await shelve(dir, 'good.rdb', { taken_at: '2026-01-02T00:00:00.000Z', keys: holding(3) })
  await shelve(dir, 'log.aof', { taken_at: '2026-01-02T00:00:09.000Z', kind: 'aof' })
  expect((await from(dir))[0].warnings).toEqual([])
})

it('takes one of another Redis only by its name, and warns', async () => {
  const dir = makeFolder()
  await shelve(dir, 'foreign.rdb', { source: '10.0.0.9:6379' })
  await expect(from(dir)).rejects.toMatchObject({
    code: 'no_backup',
    message: `${dir}: there is no backup of 127.0.0.1:6379, only of 10.0.0.9:6379`,
    hint: 'if that is the one you mean, name it: --backup foreign.rdb (of 10.0.0.9:6379)',
  })
  const own = await shelve(dir, 'own.rdb', { taken_at: '2025-01-01T00:00:00.000Z' })
  expect(await from(dir)).toMatchObject([{ path: own, warnings: [] }])
  const [named, ...others] = await from(dir, 'foreign.rdb')
  expect(named.warnings).toEqual([`${named.path} is of 10.0.0.9:6379, and not of 127.0.0.1:6379`])
  expect(others).toMatchObject([{ path: own }])
})

it('takes a file of a Redis from elsewhere for what it says of itself', async () => {
  const path = join(makeFolder(), 'dump.rdb')
  const text = (value: string): number[] => [value.length, ...Buffer.from(value)]
  const facts = [
    0xfa,
    ...text('redis-ver'),
    ...text('6.2.7'),
    0xfa,
    ...text('ctime'),
    0xc2,
    0x00,
    0x94,
    0x35,
    0x69,
    0xff,
  ]
  writeFileSync(path, Buffer.concat([Buffer.from('REDIS0009'), Buffer.from(facts)]))
  expect(await chooseBackup('/nowhere', path)).toMatchObject({
    version: '6.2.7',
    takenAt: 0x69359400 * 1000,
    manifest: undefined,
    source: { kind: 'rdb', path, modules: [] },
  })
})

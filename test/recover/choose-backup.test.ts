import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Manifest, Proof } from '../../src/backup/manifest.js'
import { writeManifest } from '../../src/backup/shelf.js'
import { chooseBackup } from '../../src/recover/choose-backup.js'
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

it('chooses the newest that has not failed its proof', async () => {
  const dir = makeFolder()
  await shelve(dir, 'a.rdb', { taken_at: '2026-01-01T00:00:00.000Z' })
  const good = await shelve(dir, 'b.rdb', { taken_at: '2026-01-02T00:00:00.000Z' })
  await shelve(dir, 'c.rdb', { taken_at: '2026-01-03T00:00:00.000Z', proof: FAILED })
  expect(await chooseBackup(dir, undefined)).toMatchObject({ path: good, warnings: [] })
})

it('takes a bad one only by its name, and warns', async () => {
  const dir = makeFolder()
  const bad = await shelve(dir, 'bad.rdb', { proof: FAILED })
  await expect(chooseBackup(dir, undefined)).rejects.toMatchObject({ code: 'no_backup' })
  for (const name of ['bad.rdb', bad]) {
    expect(await chooseBackup(dir, name)).toMatchObject({
      path: bad,
      warnings: [expect.stringContaining('it is damaged')],
    })
  }
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

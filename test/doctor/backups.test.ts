import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Manifest, Proof } from '../../src/backup/manifest.js'
import { writeManifest } from '../../src/backup/shelf.js'
import { readBackups } from '../../src/doctor/backups.js'
import { fatesOf } from '../../src/doctor/recoverability.js'
import { doctorConfig } from './examined.js'

const NOW = Date.parse('2025-06-10T12:00:00Z')
const HOUR = 3_600_000
const iso = (ago: number) => new Date(NOW - ago * HOUR).toISOString()
const proof = (ago: number, ok: boolean): Proof => ({
  at: iso(ago),
  ok,
  took_ms: 5,
  keys: 1,
  redis_version: '7.0.15',
  differences: ok ? [] : ['2 keys of sub:user:* are gone'],
})

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'rekindle-shelf-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function put(name: string, takenAgo: number, change: Partial<Manifest> = {}): Promise<void> {
  writeFileSync(join(dir, name), '')
  const classes = [{ match: 'sub:user:*', recovery: 'backup' as const, keys: 90, expiring: 0 }]
  await writeManifest({
    path: join(dir, name),
    manifest: {
      version: 1,
      kind: 'rdb',
      source: '127.0.0.1:6379',
      database: 0,
      run_id: null,
      redis_version: '7.0.15',
      taken_at: iso(takenAgo),
      took_ms: 1,
      bytes: 1,
      sha256: '',
      checked: 'ok',
      modules: [],
      keys: { total: 90, expiring: 0, databases: { '0': 90 }, classes },
      proof: null,
      ...change,
    },
  })
}

const read = (more: object = {}) =>
  readBackups(doctorConfig('redis://127.0.0.1:6379', { backup: { dir, ...more } }), NOW)

describe('readBackups', () => {
  it('finds none in an empty folder, nor where there is no folder', async () => {
    expect((await read()).facts).toMatchObject({
      newest: undefined,
      proved: undefined,
      scheduled: false,
      due: undefined,
    })
    rmSync(dir, { recursive: true })
    expect((await read()).facts).toMatchObject({ newest: undefined })
  })

  it('knows the newest good one, the oldest, and the last proof', async () => {
    await put('a.rdb', 72, { proof: proof(70, true) })
    await put('b.rdb', 48, { proof: proof(40, true) })
    await put('c.rdb', 24, { proof: proof(2, false) })
    const { facts, newest } = await read()
    expect(newest?.path).toBe(join(dir, 'b.rdb'))
    expect(facts).toMatchObject({
      newest: NOW - 48 * HOUR,
      oldest: NOW - 72 * HOUR,
      proved: NOW - 40 * HOUR,
      failed: { file: 'c.rdb', why: '2 keys of sub:user:* are gone' },
    })
  })

  it('forgets a failure after a later proof', async () => {
    await put('a.rdb', 72, { proof: proof(70, false) })
    await put('b.rdb', 48, { proof: proof(40, true) })
    expect((await read()).facts?.failed).toBeUndefined()
  })

  it('leaves out the backups of other servers', async () => {
    await put('a.rdb', 1, { source: '10.0.0.1:6379' })
    expect((await read()).newest).toBeUndefined()
  })

  it('knows when the schedule wanted one, with an hour to make it', async () => {
    const due = async (schedule: string) => (await read({ schedule })).facts?.due
    const at = new Date(NOW - HOUR)
    expect(await due(`${at.getMinutes()} ${at.getHours()} * * *`)).toBeLessThanOrEqual(NOW - HOUR)
    expect(await due('* * * * *')).toBeGreaterThan(NOW - HOUR - 2 * 60_000)
    const soon = new Date(NOW - 30 * 60_000)
    expect(await due(`${soon.getMinutes()} ${soon.getHours()} * * *`)).toBeLessThan(NOW - 23 * HOUR)
  })

  it('wants no proofs without drills', async () => {
    expect((await read({ drill: false })).facts?.alertAfter).toBeUndefined()
    expect((await read()).facts?.alertAfter).toBe(14 * 24 * HOUR)
  })

  it('tells of a folder that cannot be read', async () => {
    const file = join(dir, 'file')
    writeFileSync(file, '')
    const { facts, trouble } = await read({ dir: file })
    expect(facts).toBeUndefined()
    expect(trouble?.message).toContain('it is no folder')
    mkdirSync(join(dir, 'empty'))
    expect((await read({ dir: join(dir, 'empty') })).trouble).toBeUndefined()
  })
})

describe('fatesOf', () => {
  const sized = (match: string | undefined, recovery: 'backup' | 'itself' | 'postgres', keys: number) => ({
    class: match === undefined ? undefined : { match, recovery },
    keys,
    exact: true,
    sample: [],
    expiryKnown: true,
    expiring: false,
    bytes: 1,
    bytesExact: true,
  })
  const classes = [
    sized('ohlcv:*', 'postgres', 5),
    sized('rate:*', 'itself', 4),
    sized('sub:user:*', 'backup', 100),
    sized('jwt:*', 'backup', 3),
    sized(undefined, 'backup', 2),
  ]
  const told = (fates: ReturnType<typeof fatesOf>) => fates.map((fate) => `${fate.class?.match} ${fate.from}`)

  it('calls what no backup holds nothing', () => {
    expect(told(fatesOf({ classes }, undefined, 0))).toEqual([
      'sub:user:* nothing',
      'jwt:* nothing',
      'undefined nothing',
      'rate:* itself',
      'ohlcv:* postgres',
    ])
  })

  it('does not know what a backup holds of classes that were named later, or that it could not count', async () => {
    await put('a.rdb', 6, { keys: null })
    const fates = fatesOf({ classes: classes.slice(2, 3) }, (await read()).newest, 0)
    expect(fates[0]).toMatchObject({ from: 'backup', backup: { keys: undefined, provedAt: undefined } })
    await put('b.rdb', 5)
    const later = fatesOf({ classes: classes.slice(3, 4) }, (await read()).newest, 0)
    expect(later[0]).toMatchObject({ from: 'backup', backup: { keys: undefined } })
  })

  it('takes a backup for those classes that it holds', async () => {
    const none = { keys: 0, expiring: 0 }
    const held = [
      { match: 'sub:user:*', recovery: 'backup' as const, keys: 90, expiring: 0 },
      { match: 'jwt:*', recovery: 'backup' as const, ...none },
      { match: null, recovery: null, ...none },
    ]
    const keys = { total: 90, expiring: 0, databases: { '0': 90 }, classes: held }
    await put('a.rdb', 6, { proof: proof(2, true), keys })
    const { newest } = await read()
    const fates = fatesOf({ classes }, newest, 0)
    expect(told(fates)).toEqual([
      'jwt:* nothing',
      'undefined nothing',
      'sub:user:* backup',
      'rate:* itself',
      'ohlcv:* postgres',
    ])
    expect(fates[2]?.backup).toEqual({ takenAt: NOW - 6 * HOUR, provedAt: NOW - 2 * HOUR, keys: 90 })
    expect(told(fatesOf({ classes }, newest, 1))).toContain('sub:user:* nothing')
  })
})

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { folder, manifestOf, namesIn } from '../backup/support.js'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

describe('rekindle backup list', () => {
  it('says so where there are none', async () => {
    const dir = folder()
    const { status, stdout } = await rekindle(['backup', 'list', '--dir', dir])
    expect({ status, stdout }).toEqual({ status: 0, stdout: `There are no backups in ${dir}.\n` })
  })

  it('tells of proofs, checks and what could not be counted', async () => {
    const dir = folder()
    const put = (name: string, change: Parameters<typeof manifestOf>[0]): void => {
      writeFileSync(join(dir, name), '')
      writeFileSync(join(dir, `${name}.json`), JSON.stringify(manifestOf(change)))
    }
    const ago = (ms: number): string => new Date(Date.now() - ms).toISOString()
    const proof = {
      at: ago(3 * 86_400_000),
      ok: true,
      took_ms: 1234,
      keys: 10,
      redis_version: '7.0.15',
      differences: [],
    }
    const classes = [
      { match: 'sub:*', recovery: 'backup' as const, keys: 1200, expiring: 0 },
      { match: 'o:*', recovery: 'postgres' as const, keys: 7, expiring: 0 },
    ]
    put('redis-1.rdb', {
      taken_at: ago(2 * 3600_000),
      bytes: 12_345_678,
      proof,
      keys: { total: 34_567, expiring: 0, databases: {}, classes },
    })
    put('redis-2.aof', {
      taken_at: ago(90 * 86_400_000),
      kind: 'aof',
      keys: null,
      checked: 'unchecked',
      proof: { ...proof, ok: false },
    })
    const { stdout } = await rekindle(['backup', 'list', '--dir', dir])
    expect(stdout.split('\n').slice(1)).toEqual([
      expect.stringMatching(/^\S+ \S+ +2 h +12\.3 MB +34,567 +1,200 +yes +3 d ago, in 1\.2 s +redis-1\.rdb$/),
      expect.stringMatching(/^\S+ \S+ +90 d +3 B +\? +\? +no +FAILED 3 d ago +redis-2\.aof$/),
      '',
    ])
  })

  it('names what it cannot read, which nothing removes', async () => {
    const dir = folder()
    const old = manifestOf({ taken_at: '2020-11-20T08:30:15.123Z' })
    const manifests = {
      'redis-1.rdb': JSON.stringify(old),
      'redis-2.rdb': JSON.stringify({ ...old, version: 2, kind: 'rdb2' }),
      'redis-3.rdb': '{"version": 1',
      'redis-4.aof': '',
      'redis-5.rdb': JSON.stringify({ ...old, sha256: 5 }),
      'redis-6.rdb': 'null',
      // Somebody's, but no backup.
      notes: '{}',
    }
    for (const [name, manifest] of Object.entries(manifests)) {
      writeFileSync(join(dir, name), '')
      writeFileSync(join(dir, `${name}.json`), manifest)
    }
    writeFileSync(join(dir, 'redis-7.rdb'), '')
    const before = namesIn(dir)
    const [{ stdout, status }, { answer }] = await Promise.all([
      rekindle(['backup', 'list', '--dir', dir]),
      rekindleJson(['backup', 'list', '--dir', dir], {}),
    ])
    expect(status).toBe(0)
    const why = [
      ['redis-2.rdb', 'its manifest is of a newer Rekindle (version 2)'],
      ['redis-3.rdb', 'its manifest is no JSON'],
      ['redis-4.aof', 'its manifest is no JSON'],
      ['redis-5.rdb', 'its manifest does not say what a manifest should'],
      ['redis-6.rdb', 'its manifest does not say what a manifest should'],
    ] as const
    const lines = why.map(([name, what]) => `Unreadable: ${join(dir, name)}: ${what}; it is left alone`)
    expect(stdout.split('\n').slice(2)).toEqual([...lines, ''])
    expect(answer).toMatchObject({
      backups: [{ path: join(dir, 'redis-1.rdb') }],
      unreadable: why.map(([name, what]) => ({ path: join(dir, name), why: what })),
    })
    const keep = { REKINDLE_CONFIG: writeConfig({ backup: { dir, keep: { last: 1, days: 1 } } }, 'keep.yaml') }
    await rekindle(['backup', 'prune'], keep)
    expect(namesIn(dir)).toEqual(before)
  })

  it('and the others say in one line what is wrong with the call', async () => {
    for (const [args, line] of [
      [['backup', 'verfy'], /^rekindle: backup: "verfy" is unknown; it should be now, list, prune.*\n$/],
      [['backup', 'list', 'x'], /^rekindle: backup: "x" is too much; nothing should follow\n$/],
      [['backup', 'verify', ''], /^rekindle: backup: "" is no file; .*\n$/],
      [['backup', '--timeout', 'soon'], /^rekindle: --timeout: "soon" .*\n$/],
    ] as const) {
      const { status, stderr } = await rekindle(args)
      expect(status).toBe(2)
      expect(stderr).toMatch(line)
    }
  })
})

import { describe, expect, it } from 'vitest'
import { expendable, type Keepable, keysHeld } from '../../src/decide/retention.js'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const DAY = 24 * 3600_000

interface Given {
  kind?: string
  database?: number
  keys?: number | null
  proof?: boolean
  /** Keys of the class `sub:*`, which only a backup brings back. */
  sub?: number
}

/** A backup so many days old, called by its age. */
function old(
  days: number,
  { kind = 'rdb', database = 0, keys = 10, proof, sub }: Given = {},
): Keepable & { age: number } {
  const others = { match: null, recovery: null, keys: (keys ?? 0) - (sub ?? 0) }
  const classes = sub === undefined ? [others] : [{ match: 'sub:*', recovery: 'backup' as const, keys: sub }, others]
  return {
    age: days,
    kind,
    taken_at: new Date(NOW - days * DAY).toISOString(),
    database,
    keys: keys === null ? null : { databases: { 0: keys }, classes },
    proof: proof === undefined ? null : { ok: proof },
  }
}

/** The ages of those that go. */
const gone = (backups: ReturnType<typeof old>[], keep = { last: 2, days: 3 }): number[] =>
  expendable(backups, keep, NOW).map(({ age }) => age)

describe('retention', () => {
  it.each([
    ['nothing there', [], []],
    ['all young', [old(0), old(1), old(2)], []],
    ['old, but among the newest', [old(8), old(9)], []],
    ['old, and others are newer', [old(0), old(1), old(5), old(9)], [5, 9]],
    ['neither young nor among the newest', [old(4), old(5), old(6)], [6]],
    ['exactly as old as that', [old(0), old(1), old(3)], [3]],
    ['in any order', [old(9), old(0), old(5), old(1)], [5, 9]],
    ['from the future', [old(-1), old(-2), old(9)], [9]],
  ])('takes what is neither young nor new: %s', (_, backups, ages) => {
    expect(gone(backups)).toEqual(ages)
  })

  it('counts each kind by itself', () => {
    const aof = { kind: 'aof', keys: null }
    expect(gone([old(0), old(1), old(5, aof), old(6, aof), old(7), old(8, aof)])).toEqual([7, 8])
  })

  it('counts each database by itself, for the classes of another are not its own', () => {
    const other = { database: 1 }
    expect(gone([old(0, other), old(1, other), old(5, { sub: 3 }), old(6), old(7)])).toEqual([7])
  })

  it('never takes the newest good one, nor the newest that was proved', () => {
    expect(gone([old(8, { proof: false }), old(9), old(10)], { last: 1, days: 1 })).toEqual([10])
    expect(gone([old(0), old(1), old(8, { proof: true }), old(9, { proof: true })])).toEqual([9])
  })

  it('gives no place to what failed its proof', () => {
    const failed = { proof: false }
    expect(gone([old(0, failed), old(1, failed), old(8), old(9), old(10)])).toEqual([10])
    expect(gone([old(0), old(1), old(8, failed)])).toEqual([8])
  })

  it('keeps what an emptied Redis would drive out night after night', () => {
    const empty = Array.from({ length: 40 }, (_, i) => old(i, { keys: 0 }))
    expect(gone([...empty, old(40), old(41), old(42)])).toEqual([...empty.slice(3).map(({ age }) => age), 42])
    expect(gone([...empty, old(40)], { last: 1, days: 1 })).not.toContain(40)
  })

  it('does not pile up the backups of a Redis that was always empty', () => {
    expect(gone(Array.from({ length: 6 }, (_, i) => old(i, { keys: 0 })))).toEqual([3, 4, 5])
  })

  it('keeps the newest that still holds keys that nothing else brings back', () => {
    const backups = [0, 0, 0, 0, 7, 9].map((sub, i) => old(i * 4, { sub }))
    expect(gone(backups)).toEqual([8, 12, 20])
    // A class that is no longer configured holds nothing back.
    expect(gone([old(0), ...backups.slice(1)])).toEqual([8, 12, 16, 20])
  })

  it('takes a backup whose keys could not be counted for one with keys', () => {
    expect(gone([old(0, { keys: null }), old(1, { keys: null }), old(9)])).toEqual([9])
  })

  it('takes a Redis with nothing but the marks of Rekindle for an empty one', () => {
    const marked = { database: 1, keys: { databases: { 1: 2 }, classes: [{ match: null, recovery: null, keys: 0 }] } }
    expect(keysHeld(marked)).toBe(0)
    expect(keysHeld({ ...marked, database: 0 })).toBe(2)
    expect(keysHeld({ database: 0, keys: null })).toBe(undefined)
  })
})

import { describe, expect, test } from 'vitest'
import { comesBack, goneOf, isWipedOut } from '../../src/decide/class-losses.js'

const newest = { path: '/b/redis-1.rdb', takenAt: '2026-01-01T02:00:00.000Z' }
const users = { match: 'sub:user:*', recovery: 'backup' } as const

describe('how many keys of a class are gone', () => {
  test.each([
    ['all of the sample', 1_000, 100, 100, 1_000],
    ['none of it', 1_000, 100, 0, 0],
    ['a part', 1_000, 100, 25, 250],
    ['there were none', 0, 0, 0, 0],
    ['nobody to ask', 1_000, 0, 0, undefined],
  ])('%s', (_, keys, asked, missing, gone) => {
    expect(goneOf({ keys }, asked, missing)).toBe(gone)
  })

  test.each([
    [10, 10, true],
    [10, 9, true],
    [10, 8, false],
    [0, 0, false],
    [10, undefined, false],
  ])('%j keys, %j gone: wiped out %j', (keys, gone, wipedOut) => {
    expect(isWipedOut({ keys, gone })).toBe(wipedOut)
  })
})

describe('what brings a class back', () => {
  test('says from where, and by which command', () => {
    expect(comesBack({ match: 'x', recovery: 'postgres' }, undefined, false)).toContain('PostgreSQL')
    expect(comesBack({ match: 'x', recovery: 'itself' }, undefined, false)).toContain('writers')
    expect(comesBack(users, newest, false)).toBe(
      "from the backup of 2026-01-01T02:00:00.000Z: rekindle recover --match 'sub:user:*'",
    )
    expect(comesBack(users, newest, true)).toContain('by itself')
    expect(comesBack(users, undefined, true)).toContain('there is no backup')
    expect(comesBack(users, undefined, true, true, false)).toContain('backup.dir cannot be read')
    expect(comesBack({ match: null, recovery: null }, newest, false)).toContain('no class matches')
    expect(comesBack({ match: null, recovery: null }, undefined, false)).toContain('there is no backup')
  })
})

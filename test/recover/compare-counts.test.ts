import { expect, it } from 'vitest'
import type { KeyCounts } from '../../src/backup/manifest.js'
import { compareCounts } from '../../src/recover/compare-counts.js'

const COUNTED: KeyCounts = {
  total: 10,
  expiring: 3,
  databases: { 0: 10 },
  classes: [
    { match: 'sub:*', recovery: 'backup', keys: 6, expiring: 3 },
    { match: null, recovery: null, keys: 4, expiring: 0 },
  ],
}

function compare(total: number, sub: number, none: number): string[] {
  const databases = new Map([['0', total]])
  const classes = new Map<string | null, number>([
    ['sub:*', sub],
    [null, none],
  ])
  return compareCounts(COUNTED, { total, databases, classes, libraries: [] })
}

it('finds nothing where all is there, or only lacks what may have expired', () => {
  expect(compare(10, 6, 4)).toEqual([])
  expect(compare(7, 3, 4)).toEqual([])
})

it('names what is too few or too many', () => {
  expect(compare(9, 6, 3)).toEqual(['3 keys of no class, where the manifest says 4'])
  expect(compare(6, 2, 4)).toEqual([
    '6 keys in all, where the manifest says 7 to 10',
    '6 keys in database 0, where the manifest says 7 to 10',
    '2 keys of sub:*, where the manifest says 3 to 6',
  ])
  expect(compare(11, 7, 4)).toHaveLength(3)
})

it('counts a pattern that two classes have once', () => {
  const twice = {
    ...COUNTED,
    classes: [...COUNTED.classes, { match: 'sub:*', recovery: 'itself' as const, keys: 0, expiring: 0 }],
  }
  const held = {
    total: 10,
    databases: new Map([['0', 10]]),
    classes: new Map([
      ['sub:*', 6],
      [null, 4],
    ] as const),
    libraries: ['other'],
  }
  expect(compareCounts(twice, held)).toEqual([])
  expect(compareCounts({ ...twice, functions: ['mine', 'other'] }, held)).toEqual([
    'no function library mine, which the manifest names',
  ])
})

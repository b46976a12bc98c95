import { beforeEach, describe, expect, it } from 'vitest'
import { Holdings } from '../src/holdings.js'
import { forManySeeds } from './decide/seeded.js'

/** Redis' clock. */
const NOW = 1_000_000

const named = (...keys: string[]) => keys.map((key) => ({ key }))

describe('Holdings', () => {
  let holdings: Holdings
  beforeEach(() => {
    holdings = new Holdings(() => NOW)
    holdings.record('A', 'candles', named('a1', 'a2'), true)
    holdings.record('A', 'indicators', named('ai'), true)
    holdings.record('B', 'candles', named('b1'), true)
  })

  it('knows whose each key is', () => {
    expect(holdings.symbols).toEqual(['A', 'B'])
    expect(holdings.keysOf('A')).toEqual(['a1', 'a2', 'ai'])
    expect(holdings.ownerOf('ai')).toEqual({ symbol: 'A', dataset: 'indicators' })
    expect(holdings.size).toBe(4)
  })

  it('knows nothing of strangers', () => {
    expect(holdings.keysOf('C')).toEqual([])
    expect(holdings.ownerOf('c1')).toBeUndefined()
    expect(holdings.ownerOf('__proto__')).toBeUndefined()
  })

  it('replaces what was known of a dataset, and of no other', () => {
    holdings.record('A', 'candles', named('a2', 'a3'), true)
    expect([...holdings.keysOf('A')].sort()).toEqual(['a2', 'a3', 'ai'])
    expect(holdings.ownerOf('a1')).toBeUndefined()
    expect(holdings.size).toBe(4)
  })

  it('adds to it after a look at a part', () => {
    holdings.record('A', 'candles', named('a2', 'a3'), false)
    expect(holdings.keysOf('A')).toEqual(['a1', 'a2', 'ai', 'a3'])
    expect(holdings.size).toBe(5)
  })

  it('keeps a symbol that holds nothing', () => {
    holdings.record('B', 'candles', [], true)
    expect(holdings.keysOf('B')).toEqual([])
    expect(holdings.size).toBe(3)
  })

  it('forgets a symbol and its keys', () => {
    holdings.forget('A')
    holdings.forget('C')
    expect(holdings.symbols).toEqual(['B'])
    expect(holdings.ownerOf('a1')).toBeUndefined()
    expect(holdings.size).toBe(1)
  })

  it('gives a key that two datasets name to the later', () => {
    holdings.record('A', 'indicators', named('a1'), true)
    expect(holdings.ownerOf('a1')).toEqual({ symbol: 'A', dataset: 'indicators' })
    holdings.record('A', 'candles', named('a2'), true)
    expect([...holdings.keysOf('A')].sort()).toEqual(['a1', 'a2'])
  })

  it('gives a key that two symbols name to the later, and to that alone', () => {
    holdings.record('B', 'candles', named('b1', 'a1'), true)
    expect(holdings.ownerOf('a1')).toEqual({ symbol: 'B', dataset: 'candles' })
    expect(holdings.keysOf('A')).toEqual(['a2', 'ai'])
    expect(holdings.keysOf('B')).toEqual(['b1', 'a1'])
    holdings.forget('A')
    expect(holdings.ownerOf('a1')).toEqual({ symbol: 'B', dataset: 'candles' })
  })

  it('lists each key once, under its owner, whatever is recorded', () => {
    forManySeeds((random) => {
      const holdings = new Holdings(() => NOW)
      for (let step = 0; step < 50; step++) {
        const symbol = random.pick(['A', 'B', 'C'])
        if (random.below(8) === 0) holdings.forget(symbol)
        else {
          const keys = random.some(['1', '2', '3', '4', '5'])
          const dataset = random.pick(['candles', 'indicators'])
          holdings.record(symbol, dataset, named(...keys), random.below(2) === 0)
          for (const key of keys) expect(holdings.ownerOf(key)).toEqual({ symbol, dataset })
        }
        const listed = holdings.symbols.flatMap((each) => holdings.keysOf(each).map((key) => [each, key] as const))
        expect(new Set(listed.map(([, key]) => key)).size).toBe(listed.length)
        expect(holdings.size).toBe(listed.length)
        for (const [each, key] of listed) expect(holdings.ownerOf(key)?.symbol).toBe(each)
      }
    })
  })
})

describe('what expires', () => {
  const later = NOW + 60_000

  it('must stand until its moment comes', () => {
    const holdings = new Holdings(() => NOW)
    holdings.record(
      'A',
      'rows',
      [{ key: 'past', expires: NOW + 500 }, { key: 'later', expires: later }, { key: 'never' }],
      true,
    )
    expect(holdings.keysOf('A')).toEqual(['later', 'never'])
    expect(['past', 'later', 'never', 'unknown'].map((key) => holdings.mustStand(key))).toEqual([
      false,
      true,
      true,
      false,
    ])
    expect([1, 2, 3, 4].map(() => holdings.sentinelOf('A'))).toEqual(['later', 'never', 'later', 'never'])
    holdings.record('A', 'rows', [{ key: 'past' }], false)
    expect(holdings.mustStand('past')).toBe(true)
  })

  it('gives no sentinel where nothing must stand', () => {
    const holdings = new Holdings(() => NOW)
    holdings.record('A', 'rows', [{ key: 'past', expires: 1 }], true)
    expect(holdings.sentinelOf('A')).toBeUndefined()
    expect(holdings.sentinelOf('B')).toBeUndefined()
  })
})

describe('what nothing wants any more', () => {
  it('is released by its owner, and by no other', () => {
    const holdings = new Holdings(() => NOW)
    holdings.record('A', 'rows', named('1', '2'), true)
    holdings.record('B', 'rows', named('3'), true)
    holdings.release('A', 'rows', ['1', '3', '4'])
    holdings.release('A', 'candles', ['2'])
    expect(holdings.keysOf('A')).toEqual(['2'])
    expect(holdings.keysOf('B')).toEqual(['3'])
    expect(holdings.size).toBe(2)
  })
})

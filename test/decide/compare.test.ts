import { describe, expect, it } from 'vitest'
import { compareSamples, kindOfLack, pictureOf, sameNumber } from '../../src/decide/compare.js'
import { forManySeeds } from './seeded.js'

describe('sameNumber', () => {
  it.each([
    ['1.50', '1.5'],
    ['0', '-0'],
    ['0.00', '0'],
    ['1e-07', '0.0000001'],
    ['123456789.123456789', '123456789.12345679'],
    ['0.30000000000000004', '3.0000000000000004e-1'],
    [`1${'0'.repeat(400)}`, `1${'0'.repeat(400)}`],
    ['NaN', 'NaN'],
    ['', ''],
  ])('%j is %j', (a, b) => {
    expect(sameNumber(a, b)).toBe(true)
    expect(sameNumber(b, a)).toBe(true)
  })

  it.each([
    ['1.5', '1.6'],
    ['1', '-1'],
    ['0.1', '0.10000000000000002'],
    ['', '0'],
    [' ', '0'],
    ['\n', '0'],
    ['0x10', '16'],
    ['nan', 'NaN'],
    ['1,5', '1.5'],
    ['null', '0'],
    ['Infinity', '1e400'],
  ])('%j is not %j', (a, b) => {
    expect(sameNumber(a, b)).toBe(false)
    expect(sameNumber(b, a)).toBe(false)
  })
})

describe('compareSamples', () => {
  const held = (samples: Record<string, string>): Map<string, string> => new Map(Object.entries(samples))

  it('finds what is missing, what differs and what is too much', () => {
    const times = ['10', '20', '30', '40']
    const there = held({ '10': '1', '15': '9', '20': '2.50', '40': '5' })
    expect(compareSamples(times, ['1.0', '2.5', '3', '4'], there)).toEqual({
      missing: [2],
      differing: [3],
      orphans: ['15'],
    })
  })

  it('tells what was done to a run of samples', () => {
    forManySeeds((random) => {
      const times = Array.from({ length: random.below(30) }, (_, i) => String(1000 + 10 * i))
      const values = times.map(() => String(random.fraction() * 1e6))
      const there = new Map(times.map((time, i) => [time, values[i] as string]))
      const missing = random.some([...times.keys()])
      const differing = random.some([...times.keys()]).filter((i) => !missing.includes(i))
      const orphans = random.some(['1', '1005', '9999'])
      for (const i of missing) there.delete(times[i] as string)
      for (const i of differing) there.set(times[i] as string, `${values[i]}1`.replace(/^/, '1'))
      for (const time of orphans) there.set(time, '7')
      expect(compareSamples(times, values, there)).toEqual({ missing, differing, orphans })
    })
  })
})

describe('kindOfLack', () => {
  it.each([
    ['nothing', [], [], undefined],
    ['everything', [0, 1, 2, 3], [], 'missing'],
    ['the end', [2, 3], [], 'stale_tail'],
    ['the newest', [3], [], 'stale_tail'],
    ['the end, and what differs before it', [3], [0], 'stale_tail'],
    ['the beginning', [0, 1], [], 'hole'],
    ['the middle', [1, 2], [], 'hole'],
    ['the middle and the end', [1, 3], [], 'hole'],
    ['one value', [], [2], 'differs'],
    ['all values', [], [0, 1, 2, 3], 'differs'],
  ])('%s', (_, missing, differing, kind) => {
    expect(kindOfLack({ missing, differing, orphans: ['5'] }, 4)).toBe(kind)
  })

  it('lacks nothing where nothing is wanted', () => {
    expect(kindOfLack({ missing: [], differing: [], orphans: [] }, 0)).toBeUndefined()
  })
})

describe('pictureOf', () => {
  it('names the times that are missing, and what stands where something else is wanted', () => {
    const picture = pictureOf(
      { missing: [0, 2], differing: [1], orphans: [] },
      ['10', '20', '30'],
      ['1', '2', '3'],
      (t) => t.repeat(2),
    )
    expect(picture).toBe('10 30 20=2020>2')
  })
})

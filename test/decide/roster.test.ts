import { describe, expect, it } from 'vitest'
import { compareRosters } from '../../src/decide/roster.js'
import { forManySeeds } from './seeded.js'

describe('compareRosters', () => {
  it.each<[string[], string[], string[], string[]]>([
    [[], ['A', 'B'], ['A', 'B'], []],
    [['A', 'B'], ['B', 'C'], ['C'], ['A']],
    [['A', 'B'], ['B', 'A'], [], []],
    [['A'], [], [], ['A']],
    [['__proto__'], ['constructor'], ['constructor'], ['__proto__']],
  ])('%j -> %j', (before, after, added, removed) => {
    expect(compareRosters(before, after)).toEqual({ added, removed })
  })

  it('leads from the old list to the new one', () => {
    const all = [...'ABCDEFGH']
    forManySeeds((random) => {
      const [before, after] = [random.some(all), random.some(all)]
      const { added, removed } = compareRosters(before, after)
      const kept = before.filter((symbol) => !removed.includes(symbol))
      expect([...kept, ...added].sort()).toEqual([...after].sort())
    })
  })
})

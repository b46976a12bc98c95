import { describe, expect, it } from 'vitest'
import { mergeSuspicions, suspect } from '../../src/decide/suspicion.js'
import type { Signal, Suspicion } from '../../src/model.js'
import { forManySeeds, type Seeded } from './seeded.js'

describe('suspect', () => {
  it('is a suspicion of one signal', () => {
    expect(suspect('key_event', new Set(['A']), 1, 2, { del: 3 })).toEqual({
      signals: new Set(['key_event']),
      scope: new Set(['A']),
      since: 1,
      at: 2,
      keyEvents: { del: 3 },
    })
  })
})

describe('mergeSuspicions', () => {
  it('covers what both cover, from the earlier on', () => {
    const a = suspect('key_event', new Set(['A', 'B']), 10, 12, { del: 1, evicted: 2 })
    const b = suspect('poll', new Set(['B', 'C']), 5, 20, { del: 3, set: 1 })
    expect(mergeSuspicions(a, b)).toEqual({
      signals: new Set(['key_event', 'poll']),
      scope: new Set(['A', 'B', 'C']),
      since: 5,
      at: 12,
      keyEvents: { del: 4, evicted: 2, set: 1 },
    })
  })

  it.each([
    ['all', new Set(['A'])],
    [new Set(['A']), 'all'],
    ['all', 'all'],
  ] as const)('covers everything if one does', (a, b) => {
    expect(mergeSuspicions(suspect('flush', a, 1, 1), suspect('flush', b, 1, 1)).scope).toBe('all')
  })

  it('gives the same however suspicions are ordered and grouped', () => {
    forManySeeds((random) => {
      const suspicions = [some(random), some(random), some(random)] as const
      const [a, b, c] = suspicions
      const merged = mergeSuspicions(mergeSuspicions(a, b), c)
      expect(mergeSuspicions(a, mergeSuspicions(b, c))).toEqual(merged)
      expect(mergeSuspicions(c, mergeSuspicions(b, a))).toEqual(merged)
      for (const { signals, scope, since } of suspicions) {
        expect([...merged.signals]).toEqual(expect.arrayContaining([...signals]))
        if (scope !== 'all' && merged.scope !== 'all')
          expect([...merged.scope]).toEqual(expect.arrayContaining([...scope]))
        expect(merged.since).toBeLessThanOrEqual(since)
      }
    })
  })

  it('leaves what it merges as it was', () => {
    const a = suspect('flush', new Set(['A']), 1, 1, { del: 1 })
    mergeSuspicions(a, suspect('poll', new Set(['B']), 0, 0, { del: 1 }))
    expect(a).toEqual(suspect('flush', new Set(['A']), 1, 1, { del: 1 }))
  })
})

function some(random: Seeded): Suspicion {
  const signal = random.pick<Signal>(['life', 'flush', 'poll', 'key_event', 'scrub'])
  const scope = random.below(4) === 0 ? 'all' : new Set(random.some(['A', 'B', 'C', 'D']))
  const keyEvents = Object.fromEntries(random.some(['del', 'set', 'evicted']).map((event) => [event, random.below(9)]))
  return suspect(signal, scope, random.below(100), random.below(100), keyEvents)
}

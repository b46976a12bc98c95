import { beforeEach, describe, expect, it } from 'vitest'
import { Wholeness } from '../../src/decide/wholeness.js'
import { forManySeeds } from './seeded.js'

describe('Wholeness', () => {
  let wholeness: Wholeness
  beforeEach(() => {
    wholeness = new Wholeness()
  })

  it('holds what was never doubted for whole', () => {
    expect(wholeness.isWhole('A')).toBe(true)
    expect(wholeness.size).toBe(0)
  })

  it('says when doubt begins and when it ends', () => {
    expect(wholeness.doubt('A', ['m1', 'indicators'])).toBe(true)
    expect(wholeness.doubt('A', ['m5'])).toBe(false)
    expect(wholeness.size).toBe(1)
    const began = wholeness.now()
    expect(wholeness.settle('A', 'm1', began)).toBe(false)
    expect(wholeness.settle('A', 'm5', began)).toBe(false)
    expect(wholeness.isWhole('A')).toBe(false)
    expect(wholeness.settle('A', 'indicators', began)).toBe(true)
    expect(wholeness.isWhole('A')).toBe(true)
    expect(wholeness.size).toBe(0)
  })

  it('does not let work settle a doubt that came after it began', () => {
    wholeness.doubt('A', ['m1'])
    const began = wholeness.now()
    wholeness.doubt('A', ['m1'])
    expect(wholeness.settle('A', 'm1', began)).toBe(false)
    expect(wholeness.isWhole('A')).toBe(false)
    expect(wholeness.settle('A', 'm1', wholeness.now())).toBe(true)
  })

  it('lets a doubt of one dataset leave work on the others valid', () => {
    wholeness.doubt('A', ['m1', 'm5'])
    const began = wholeness.now()
    wholeness.doubt('A', ['m1'])
    wholeness.settle('A', 'm5', began)
    expect(wholeness.settle('A', 'm1', wholeness.now())).toBe(true)
  })

  it('is not made whole twice, nor by what it never doubted', () => {
    wholeness.doubt('A', ['m1'])
    const began = wholeness.now()
    expect(wholeness.settle('A', 'm5', began)).toBe(false)
    expect(wholeness.settle('B', 'm1', began)).toBe(false)
    expect(wholeness.settle('A', 'm1', began)).toBe(true)
    expect(wholeness.settle('A', 'm1', began)).toBe(false)
  })

  it('has no doubt without a dataset', () => {
    expect(wholeness.doubt('A', [])).toBe(false)
    expect(wholeness.isWhole('A')).toBe(true)
  })

  it('knows which datasets are doubted', () => {
    wholeness.doubt('A', ['m1', 'm5'])
    wholeness.settle('A', 'm1', wholeness.now())
    expect([wholeness.isOpen('A', 'm1'), wholeness.isOpen('A', 'm5'), wholeness.isOpen('B', 'm1')]).toEqual([
      false,
      true,
      false,
    ])
  })

  it('forgets symbols', () => {
    wholeness.doubt('A', ['m1'])
    wholeness.doubt('B', ['m1'])
    wholeness.forget('A')
    expect(wholeness.isWhole('A')).toBe(true)
    expect(wholeness.size).toBe(1)
    expect(wholeness.settle('A', 'm1', wholeness.now())).toBe(false)
  })

  it('knows what was settled as whole since some work began', () => {
    const before = wholeness.now()
    wholeness.doubt('A', ['m1'])
    const meanwhile = wholeness.now()
    expect(wholeness.wasSeenSince('A', 'm1', before)).toBe(false)
    wholeness.settle('A', 'm1', meanwhile)
    const after = wholeness.now()
    expect([before, meanwhile, after].map((began) => wholeness.wasSeenSince('A', 'm1', began))).toEqual([
      true,
      // Work that began at the same time as the one that settled it may have looked before that wrote.
      true,
      false,
    ])
    expect(wholeness.wasSeenSince('A', 'm5', before)).toBe(false)
    wholeness.forget('A')
    expect(wholeness.wasSeenSince('A', 'm1', before)).toBe(false)
  })

  it('holds a symbol for whole exactly if each doubt was followed by work that began later and ended', () => {
    forManySeeds((random) => {
      const wholeness = new Wholeness()
      const running: { dataset: string; began: number; step: number }[] = []
      const doubted = new Map<string, number>()
      for (let step = 0; step < 60; step++) {
        const dataset = random.pick(['m1', 'm5'])
        const act = random.below(3)
        if (act === 0) {
          wholeness.doubt('A', [dataset])
          doubted.set(dataset, step)
        } else if (act === 1) {
          running.push({ dataset, began: wholeness.now(), step })
        } else {
          const [ended] = running.splice(random.below(running.length), 1)
          if (!ended) continue
          if ((doubted.get(ended.dataset) ?? -1) < ended.step) doubted.delete(ended.dataset)
          wholeness.settle('A', ended.dataset, ended.began)
        }
        expect(wholeness.isWhole('A')).toBe(doubted.size === 0)
      }
    })
  })
})

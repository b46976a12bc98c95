import { describe, expect, it } from 'vitest'
import { makeTask, mergeTasks, planTasks, retryDelay } from '../../src/decide/tasks.js'
import type { Task } from '../../src/model.js'
import { forManySeeds, type Seeded } from './seeded.js'

describe('planTasks', () => {
  it('makes one task for each symbol and dataset', () => {
    const lacks = [
      { symbol: 'A', dataset: 'candles.m1' },
      { symbol: 'A', dataset: 'indicators' },
      { symbol: 'A', dataset: 'candles.m1' },
      { symbol: 'B', dataset: 'candles.m1' },
    ]
    expect(planTasks(lacks, 'loss', 7)).toEqual([
      makeTask('A', 'candles.m1', 'loss', 7),
      makeTask('A', 'indicators', 'loss', 7),
      makeTask('B', 'candles.m1', 'loss', 7),
    ])
  })

  it('keeps names apart that would run together', () => {
    const lacks = [
      { symbol: 'A,B', dataset: 'C' },
      { symbol: 'A', dataset: 'B,C' },
      { symbol: 'A","B', dataset: 'C' },
    ]
    expect(planTasks(lacks, 'loss', 7)).toHaveLength(3)
  })

  it('remembers which keys were lost whole', () => {
    const lack = { symbol: 'A', dataset: 'candles.m1', missing: 1, differing: 0 }
    const lacks = [
      { ...lack, key: 'a', kind: 'missing' },
      { ...lack, key: 'b', kind: 'hole' },
      { ...lack, key: 'c', kind: 'missing' },
      { symbol: 'B', dataset: 'candles.m1' },
    ] as const
    expect(planTasks(lacks, 'loss', 7)).toEqual([
      { ...makeTask('A', 'candles.m1', 'loss', 7), gone: new Set(['a', 'c']) },
      makeTask('B', 'candles.m1', 'loss', 7),
    ])
  })

  it('plans nothing for nothing', () => {
    expect(planTasks([], 'loss', 7)).toEqual([])
  })
})

describe('makeTask', () => {
  it.each([
    ['loss', false],
    ['sync', false],
    ['roster', false],
    ['drift', true],
  ] as const)('for %s compares value by value: %s', (why, thorough) => {
    expect(makeTask('A', 'indicators', why, 7, new Set(['m1']))).toEqual({
      symbol: 'A',
      dataset: 'indicators',
      why,
      since: 7,
      parts: new Set(['m1']),
      thorough,
      alone: false,
      attempt: 0,
    })
  })
})

describe('mergeTasks', () => {
  const task = (more: Partial<Task>): Task => ({ ...makeTask('A', 'indicators', 'sync', 10), ...more })

  it.each<[string, Partial<Task>, Partial<Task>, Partial<Task>]>([
    ['the weightier reason', { why: 'sync' }, { why: 'loss' }, { why: 'loss' }],
    ['the weightier reason, if it came first', { why: 'loss' }, { why: 'drift' }, { why: 'loss' }],
    ['a new symbol over drift', { why: 'drift' }, { why: 'roster' }, { why: 'roster' }],
    ['all parts of both', { parts: new Set(['m1']) }, { parts: new Set(['m5']) }, { parts: new Set(['m1', 'm5']) }],
    ['everything, if one wants that', { parts: new Set(['m1']) }, {}, { parts: undefined }],
    ['keys that were lost for both', { gone: new Set(['a']) }, { gone: new Set(['b']) }, { gone: new Set(['a', 'b']) }],
    ['what PostgreSQL has for newer than what a worker wrote', { gone: new Set(['a']) }, {}, {}],
    ['the closer comparison', { thorough: true }, {}, { thorough: true }],
    ['company, unless both want to be alone', { alone: true }, { alone: false }, { alone: false }],
    ['solitude, if both want it', { alone: true }, { alone: true }, { alone: true }],
    ['the fewer failures', { attempt: 5 }, { attempt: 0 }, { attempt: 0 }],
    ['the earlier time', { since: 10 }, { since: 4 }, { since: 4 }],
  ])('takes %s', (_, waiting, newer, merged) => {
    expect(mergeTasks(task(waiting), task(newer))).toEqual(task(merged))
  })

  it('never does less than either would, and does not care for order', () => {
    forManySeeds((random) => {
      const [a, b, c] = [some(random), some(random), some(random)] as const
      const merged = mergeTasks(mergeTasks(a, b), c)
      expect(mergeTasks(mergeTasks(c, a), b)).toEqual(merged)
      for (const { parts, thorough } of [a, b, c]) {
        if (merged.parts) expect([...merged.parts]).toEqual(expect.arrayContaining([...(parts ?? ['?'])]))
        expect(merged.thorough || !thorough).toBe(true)
      }
    })
  })

  function some(random: Seeded): Task {
    return task({
      why: random.pick(['loss', 'sync', 'drift', 'roster']),
      parts: random.below(3) === 0 ? undefined : new Set(random.some(['m1', 'm5', 'm15'])),
      ...(random.below(2) === 0 && { gone: new Set(random.some(['a', 'b', 'c'])) }),
      thorough: random.below(2) === 0,
      alone: random.below(2) === 0,
      attempt: random.below(5),
      since: random.below(100),
    })
  }
})

describe('retryDelay', () => {
  it.each([
    [0, 100],
    [1, 200],
    [6, 6_400],
    [7, 10_000],
    [8, 10_000],
    [5_000, 10_000],
  ])('after %i failures is %i ms', (attempt, delay) => {
    expect(retryDelay(attempt)).toBe(delay)
  })
})

describe('keys that were lost whole', () => {
  const lack = { symbol: 'A', dataset: 'candles.m1', missing: 1, differing: 0 }

  it('are remembered by the task that brings them back', () => {
    const lacks = [
      { ...lack, key: 'a', kind: 'missing' as const },
      { ...lack, key: 'b', kind: 'stale_tail' as const },
    ]
    expect(planTasks(lacks, 'loss', 7)).toEqual([{ ...makeTask('A', 'candles.m1', 'loss', 7), gone: new Set(['a']) }])
  })

  it('are forgotten when PostgreSQL has changed, too', () => {
    const loss = (key: string): Task => ({ ...makeTask('A', 'candles.m1', 'loss', 7), gone: new Set([key]) })
    expect(mergeTasks(loss('a'), loss('b')).gone).toEqual(new Set(['a', 'b']))
    expect(mergeTasks(loss('a'), makeTask('A', 'candles.m1', 'sync', 7)).gone).toBeUndefined()
    expect(mergeTasks(makeTask('A', 'candles.m1', 'sync', 7), loss('a')).gone).toBeUndefined()
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { LiveValues, LOOKS } from '../../src/decide/live-values.js'
import type { Writers } from '../../src/model.js'

const SETTLE = 1_000
let now = 0
let live: LiveValues

const make = (writers: Writers = 'auto', untold: string[] = []): LiveValues =>
  new LiveValues({ settle: SETTLE, writers: new Map([['d', writers]]), untold: new Set(untold), clock: () => now })

const differs = (pairs: Record<string, string>, forming?: string) => ({
  symbol: 's',
  key: 'k',
  isWhole: false,
  differing: new Map(Object.entries(pairs)),
  forming,
})
const whole = { symbol: 's', key: 'k', isWhole: true, differing: new Map<string, string>() }
const look = (found: ReturnType<typeof differs> | typeof whole): void => live.looked('d', [found], now)
/** Whether the value at `a` may be replaced once a look has found this. */
const replaces = (pairs: Record<string, string>, forming?: string): boolean => {
  look(differs(pairs, forming))
  return live.mayReplace('d', differs(pairs, forming), 'a')
}

beforeEach(() => {
  now = 10_000
  live = make()
  live.begin()
  live.track(true)
})

describe('a value that differs, in a key that was seen equal', () => {
  beforeEach(() => {
    now += 1
    look(whole)
    now += SETTLE
  })

  it("is PostgreSQL's earlier one, and replaced at once", () => {
    expect(replaces({ a: '1>2' })).toBe(true)
  })

  it('is a live writer’s once somebody has written to the key', () => {
    live.wrote(['k'])
    now += 10 * SETTLE
    expect(replaces({ a: '1>2' })).toBe(false)
  })

  it('is a live writer’s shortly after somebody has, even where the key was equal since: PostgreSQL may show older values', () => {
    live.wrote(['k'])
    now += 10
    look(whole)
    expect(replaces({ a: '1>2' })).toBe(false)
    now += SETTLE
    look(whole)
    expect(replaces({ a: '1>2' })).toBe(true)
  })

  it('is known although we have written to the key ourselves', () => {
    const written = live.writing(['k'])
    live.wrote(['k'])
    written()
    expect(replaces({ a: '1>2' })).toBe(true)
    live.wrote(['k'])
    expect(replaces({ a: '1>3' })).toBe(false)
  })

  it('is not known in another life, or when we are told of writes no longer', () => {
    live.track(false)
    expect(replaces({ a: '1>2' })).toBe(false)
    live.track(true)
    now += 2 * SETTLE
    expect(replaces({ a: '1>3' })).toBe(false)
    live.begin()
    live.track(true)
    expect(replaces({ a: '1>4' })).toBe(false)
  })
})

it('nothing is known at first: the look that finds a key equal is older than what its writers may still send', () => {
  now += 1
  look(whole)
  now += SETTLE / 2
  expect(replaces({ a: '1>2' })).toBe(false)
})

it('a look that began before a write says nothing of it', () => {
  const began = now
  now += 5
  live.wrote(['k'])
  live.looked('d', [whole], began)
  now += 2 * SETTLE
  expect(replaces({ a: '1>2' })).toBe(false)
})

describe('standing still', () => {
  it('for the settling time on both sides makes it drift', () => {
    live.wrote(['k'])
    expect(replaces({ a: '1>2' })).toBe(false)
    now += SETTLE - 1
    expect(replaces({ a: '1>2' })).toBe(false)
    now += 1
    expect(live.due()).toEqual([])
    now += SETTLE / LOOKS
    expect(live.due()).toEqual([{ symbol: 's', dataset: 'd' }])
    expect(replaces({ a: '1>2' })).toBe(true)
    expect(live.settledIn('k')).toBe(1)
  })

  it.each([
    ['Redis', '3>2'],
    ['PostgreSQL', '1>3'],
  ])('begins anew when %s moves', (_, moved) => {
    live.wrote(['k'])
    replaces({ a: '1>2' })
    now += SETTLE - 1
    replaces({ a: moved })
    now += SETTLE - 1
    expect(replaces({ a: moved })).toBe(false)
    now += 1
    expect(replaces({ a: moved })).toBe(true)
  })

  it('in a key that is written to all the time needs several looks, of a forming candle the end of the writes', () => {
    const steps = Array.from({ length: LOOKS + 1 }, () => {
      live.wrote(['k'])
      const field = replaces({ a: '1>2', b: '1>2' }, 'b')
      const forming = live.mayReplace('d', differs({ a: '1>2', b: '1>2' }, 'b'), 'b')
      now += SETTLE / LOOKS
      return [field, forming]
    })
    expect(steps.at(-1)).toEqual([true, false])
    expect(steps.slice(0, -1).flat()).not.toContain(true)
    now += SETTLE
    look(differs({ b: '1>2' }, 'b'))
    expect(live.mayReplace('d', differs({ b: '1>2' }, 'b'), 'b')).toBe(true)
  })

  it('is not looked for where only the forming candle of a busy key differs', () => {
    live.wrote(['k'])
    replaces({ a: '1>2' }, 'a')
    now += SETTLE / 2
    live.wrote(['k'])
    now += SETTLE / 2
    expect(live.due()).toEqual([])
    now += SETTLE / 2
    expect(live.due()).toHaveLength(1)
  })

  it('is found by looks alone where nobody tells of writes', () => {
    live = make('auto', ['d'])
    live.begin()
    live.track(true)
    look(whole)
    now += 2 * SETTLE
    for (let i = 1; i < LOOKS; i++) {
      expect(replaces({ a: '1>2' })).toBe(false)
      now += SETTLE / (LOOKS - 1)
      expect(live.due()).toHaveLength(1)
    }
    expect(replaces({ a: '1>2' })).toBe(true)
  })
})

describe('writers as the configuration names them', () => {
  it('postgres: replaced at once', () => {
    live = make('postgres')
    expect(replaces({ a: '1>2' })).toBe(true)
  })

  it('redis: never at once, also where the key was seen equal', () => {
    live = make('redis')
    live.begin()
    live.track(true)
    now += 1
    look(whole)
    now += 10 * SETTLE
    expect(replaces({ a: '1>2' })).toBe(false)
    now += SETTLE
    expect(replaces({ a: '1>2' })).toBe(true)
  })
})

it('a dataset of a symbol is new for the settling time after its first look', () => {
  expect(live.isNew('d', 's')).toBe(true)
  look(whole)
  expect(live.isNew('d', 's')).toBe(true)
  now += SETTLE
  expect(live.isNew('d', 's')).toBe(false)
  live.begin()
  expect(live.isNew('d', 's')).toBe(true)
})

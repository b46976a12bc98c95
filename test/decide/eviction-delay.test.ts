import { expect, it } from 'vitest'
import { EvictionDelay } from '../../src/decide/eviction-delay.js'

it('heals the first eviction at once, and waits twice as long for each that follows, up to a minute', () => {
  const delay = new EvictionDelay()
  let now = 1_000_000
  const waits = Array.from({ length: 9 }, () => {
    const wait = delay.next(now)
    now += wait + 10
    return wait
  })
  expect(waits).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000])
})

it('waits once for all that is evicted meanwhile', () => {
  const delay = new EvictionDelay()
  expect([0, 5, 10, 505, 1_004, 1_005].map((at) => delay.next(1_000_000 + at))).toEqual([0, 1_000, 995, 500, 1, 2_000])
})

it('forgets after five quiet minutes', () => {
  const delay = new EvictionDelay()
  delay.next(1_000_000)
  expect(delay.next(1_100_000)).toBe(1_000)
  expect(delay.next(1_399_999)).toBe(2_000)
  expect(delay.next(1_701_999)).toBe(0)
})

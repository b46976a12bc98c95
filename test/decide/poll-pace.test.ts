import { describe, expect, it } from 'vitest'
import { coarse, nextWait } from '../../src/decide/poll-pace.js'

const PACE = { poll: 1_000, loops: 4 }

describe('the pace of polling', () => {
  it('is the one asked for while looks are quick', () => {
    expect(nextWait(1_000, 12, PACE)).toBe(1_000)
    expect(nextWait(30_000, 12, PACE)).toBe(1_000)
  })

  it('leaves PostgreSQL nineteen parts in twenty of the time, however many poll', () => {
    expect(nextWait(60_000, 100, PACE)).toBe(8_000)
    expect(nextWait(60_000, 100, { ...PACE, loops: 1 })).toBe(2_000)
  })

  it('is not taken from one slow look', () => {
    expect(nextWait(1_000, 2_000, PACE)).toBe(2_000)
    let wait = 1_000
    for (let i = 0; i < 10; i++) wait = nextWait(wait, 100, PACE)
    expect(wait).toBe(8_000)
  })

  it('is told coarsely', () => {
    expect([1_000, 1_001, 2_001, 5_001, 10_000].map(coarse)).toEqual([1_000, 2_000, 5_000, 10_000, 10_000])
  })
})

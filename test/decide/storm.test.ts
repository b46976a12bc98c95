import { describe, expect, it } from 'vitest'
import { holdOf, Pace, Recurrences } from '../../src/decide/storm.js'

const MINUTE = 60_000

describe('holdOf', () => {
  it('asks for no quiet after a first time, and then for ever more, up to half a minute', () => {
    expect([0, 1, 2, 3, 4, 5, 6, 60].map(holdOf)).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  })
})

describe('Recurrences', () => {
  it('connect what begins soon after the last of its kind was over, kind by kind', () => {
    const recurrences = new Recurrences<string>(MINUTE)
    const first = recurrences.begin('flush', 1_000)
    expect(first).toEqual({ level: 0, times: 1, since: 1_000 })
    recurrences.end('flush', first, 2_000)
    expect(recurrences.begin('restart', 3_000)).toEqual({ level: 0, times: 1, since: 3_000 })
    const second = recurrences.begin('flush', 61_000)
    expect(second).toEqual({ level: 1, times: 2, since: 1_000 })
    recurrences.end('flush', { ...second, times: 200 }, 62_000)
    expect(recurrences.begin('flush', 63_000)).toEqual({ level: 2, times: 201, since: 1_000 })
    // The window has grown with the quiet that was asked for.
    expect(recurrences.begin('flush', 62_000 + MINUTE + 3_900).level).toBe(2)
    expect(recurrences.begin('flush', 62_000 + MINUTE + 4_000)).toMatchObject({ level: 0, times: 1 })
  })

  it('connect nothing without a window, nor for ever after a clock was set back', () => {
    for (const [window, at] of [
      [0, 1_000],
      [MINUTE, -3_600_000],
    ] as const) {
      const recurrences = new Recurrences<string>(window)
      recurrences.end('flush', recurrences.begin('flush', 0), 1_000)
      expect(recurrences.begin('flush', at).level).toBe(0)
    }
  })

  it('go on where others left off', () => {
    const [before, after] = [new Recurrences<string>(MINUTE), new Recurrences<string>(MINUTE)]
    before.end('flush', before.begin('flush', 0), 1_000)
    after.follow(before)
    expect(after.begin('flush', 2_000)).toMatchObject({ level: 1, times: 2 })
  })

  it('tell the worst timed of storms ever more rarely', () => {
    const recurrences = new Recurrences<string>(MINUTE)
    let told = 0
    // Each time as soon as the one before is said to be over.
    for (let now = 0; now < 3_600_000; told++) {
      const spell = recurrences.begin('flush', now)
      now += 10 + holdOf(spell.level)
      recurrences.end('flush', spell, now)
    }
    expect(told).toBeLessThan(130)
  })
})

describe('Pace', () => {
  it('lets a growing number be told after 5 s, and then ever more rarely, up to once a minute', () => {
    const pace = new Pace(0)
    const told: number[] = []
    for (let now = 0; now < 300_000; now += 100) {
      if (pace.wait(now) > 0) continue
      pace.told(now)
      told.push(now / 1_000)
    }
    expect(told).toEqual([5, 15, 35, 75, 135, 195, 255])
  })

  it('lets what is new be told within a second', () => {
    const pace = new Pace(0)
    expect(pace.wait(100, true)).toBe(900)
    expect(pace.wait(1_000, true)).toBe(0)
    expect(pace.wait(1_000)).toBe(4_000)
  })

  it('waits no longer because a clock was set back', () => {
    expect(new Pace(3_600_000).wait(0)).toBe(5_000)
  })
})

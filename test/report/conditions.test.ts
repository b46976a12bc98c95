import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Trouble } from '../../src/errors.js'
import { Conditions } from '../../src/report/conditions.js'
import { EachMinute } from '../../src/report/each-minute.js'
import type { LogEvent } from '../../src/report/events.js'

describe('Conditions', () => {
  let now: number
  let said: LogEvent[]
  let conditions: Conditions

  beforeEach(() => {
    now = 1_000_000
    said = []
    conditions = new Conditions(
      (event) => said.push(event),
      () => now,
    )
  })

  const away = new Trouble('redis_unreachable', 'Redis here: gone', 'is it running?', true)
  const full = new Trouble('redis_full', 'Redis here: OOM', 'raise maxmemory', true)
  const missing = new Trouble('postgres_schema', 'PostgreSQL here: no table', 'check it', false)

  /** Fails every 100 ms for a while. */
  function failFor(ms: number, what: string, ...troubles: Trouble[]): void {
    for (let passed = 0; passed < ms; passed += 100, now += 100) {
      conditions.failed(what, troubles[(passed / 100) % troubles.length] as Trouble)
    }
  }

  it('say that a server is away when it goes, and then once a minute', () => {
    failFor(150_000, 'redis', away)
    expect(said.map((event) => 'down_for_ms' in event && event.down_for_ms)).toEqual([0, 60_000, 120_000])
    expect(said[0]).toEqual({
      event: 'redis_down',
      code: 'redis_unreachable',
      reason: 'Redis here: gone',
      hint: 'is it running?',
      down_for_ms: 0,
    })
    expect(conditions.worked('redis')).toBe(150_000)
    expect(conditions.worked('redis')).toBe(0)
  })

  it('say another reason at once, but do not flood where two take turns', () => {
    const replica = new Trouble('redis_readonly', 'Redis here: READONLY', 'promote it', true)
    failFor(59_000, 'redis', away, replica)
    expect(said).toMatchObject([{ code: 'redis_unreachable' }, { code: 'redis_readonly' }])
  })

  it('wait 30 s with what passes by itself', () => {
    failFor(29_900, 'candles.m1', full)
    expect(said).toEqual([])
    failFor(1_000, 'candles.m1', full)
    expect(said).toMatchObject([{ event: 'degraded', what: 'candles.m1', code: 'redis_full', since_ms: 30_000 }])
    conditions.worked('candles.m1')
    expect(said[1]).toEqual({ event: 'recovered', what: 'candles.m1', after_ms: 30_900 })
  })

  it('say nothing of what has passed before', () => {
    failFor(20_000, 'candles.m1', full)
    conditions.worked('candles.m1')
    failFor(20_000, 'candles.m1', full)
    conditions.worked('candles.m1')
    expect(said).toEqual([])
  })

  it('say at once what does not pass', () => {
    failFor(1_000, 'candles.m1', missing)
    expect(said).toHaveLength(1)
    expect(said[0]).toMatchObject({ event: 'degraded', code: 'postgres_schema', since_ms: 0 })
  })

  it('tell apart what they are about', () => {
    conditions.failed('candles.m1', missing)
    conditions.failed('candles.m5', missing)
    conditions.failed('postgres', new Trouble('postgres_unreachable', 'gone', '', true))
    expect(said.map(({ event }) => event)).toEqual(['degraded', 'degraded', 'postgres_down'])
    conditions.worked('postgres')
    expect(said.at(-1)).toEqual({ event: 'postgres_up', down_for_ms: 0 })
  })
})

describe('EachMinute', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('passes the first on at once, and the others once a minute with their number', () => {
    const said: [readonly string[], number][] = []
    const gathered = new EachMinute<string>((things, count) => said.push([things, count]), 2)
    gathered.add('a')
    expect(said).toEqual([[['a'], 1]])
    for (const thing of ['b', 'c', 'd']) gathered.add(thing)
    expect(said).toHaveLength(1)
    vi.advanceTimersByTime(60_000)
    expect(said[1]).toEqual([['b', 'c'], 3])
    // After a quiet minute the next is news again.
    vi.advanceTimersByTime(60_000)
    gathered.add('e')
    expect(said[2]).toEqual([['e'], 1])
    expect(said).toHaveLength(3)
  })
})

describe('Conditions that come and go', () => {
  let said: LogEvent[]
  let conditions: Conditions
  const gone = new Trouble('redis_unreachable', 'Redis here: gone', 'is it running?', true)
  const aloud = () => said.filter((event) => !('repeated' in event && event.repeated))

  beforeEach(() => {
    vi.useFakeTimers()
    said = []
    conditions = new Conditions((event) => said.push(event), Date.now, undefined, 60_000)
  })
  afterEach(() => {
    conditions.stop()
    vi.useRealTimers()
  })

  /** Goes away and comes back, every so many ms. */
  function flap(what: string, times: number, period: number): void {
    for (let i = 0; i < times; i++) {
      conditions.failed(what, gone)
      vi.advanceTimersByTime(period / 2)
      conditions.worked(what)
      vi.advanceTimersByTime(period / 2)
    }
  }

  it('are told twice at once, then now and then with their number, and once when it is over', () => {
    flap('postgres', 200, 100)
    expect(said).toHaveLength(400)
    const levels = aloud().map(({ event }) => event)
    expect(levels).toEqual(['postgres_down', 'postgres_up', 'postgres_down', 'postgres_down', 'postgres_down'])
    expect(aloud()[0]).not.toHaveProperty('times')
    expect(aloud().at(-1)).toMatchObject({ times: expect.any(Number), within_ms: expect.any(Number) })
    expect(conditions.isFlapping('postgres')).toBe(true)
    vi.advanceTimersByTime(1_000)
    expect(aloud().at(-1)).toMatchObject({ event: 'postgres_up', times: 200, stable_for_ms: 1_000 })
    expect(aloud()).toHaveLength(6)
    expect(conditions.isFlapping('postgres')).toBe(false)
  })

  it('are told ever more rarely where they are stable for just long enough', () => {
    flap('postgres', 100, 40_000)
    expect(aloud().length).toBeLessThan(90)
    said.length = 0
    flap('postgres', 600, 2_000)
    expect(aloud().length).toBeLessThan(40)
  })

  it('are told where they last, or where the reason is another', () => {
    flap('postgres', 3, 100)
    said.length = 0
    const refused = new Trouble('postgres_refused', 'PostgreSQL here: no', 'check the password', false)
    conditions.failed('postgres', refused)
    expect(aloud()).toMatchObject([{ code: 'postgres_refused' }])
    for (let i = 0; i < 70; i++, vi.advanceTimersByTime(1_000)) conditions.failed('postgres', refused)
    expect(aloud()).toHaveLength(2)
  })

  it('are parts, too', () => {
    const missing = new Trouble('postgres_schema', 'PostgreSQL here: no table', 'check it', false)
    for (let i = 0; i < 100; i++) {
      conditions.failed('candles.m1', missing)
      conditions.worked('candles.m1')
    }
    vi.advanceTimersByTime(1_000)
    expect(aloud().map(({ event }) => event)).toEqual(['degraded', 'recovered', 'degraded', 'recovered'])
    expect(aloud().at(-1)).toMatchObject({ what: 'candles.m1', times: 100 })
  })
})

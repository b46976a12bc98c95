import { describe, expect, it } from 'vitest'
import type { Lack } from '../../src/model.js'
import { candlesOf, fill, insertCandles, lacking, look, minute, minutes, useSides } from './sides.js'

const KEY = 'ohlcv:A:m1'

describe('candles as sorted sets', () => {
  const sides = useSides()
  const candles = candlesOf('sortedset')
  const { redis } = sides
  const members = async (): Promise<unknown> => redis('ZRANGE', KEY, 0, -1)
  /** The nth candle as it should be, or with parts of another. */
  const member = (nth: number, more: Record<string, unknown> = {}): string => {
    const factor = 100 + nth
    const candle = { t: minute(nth), o: factor, h: 2 * factor, l: 0.5 * factor, c: 1.5 * factor, v: 10 * factor }
    return JSON.stringify({ ...candle, ...more })
  }
  const hold = async (nth: number, text: string): Promise<unknown> => redis('ZADD', KEY, minute(nth), text)

  it('makes one set, with the time as score and the candle as JSON', async () => {
    await insertCandles(sides.database, 'A', [['2025-06-01 00:00:00', '1.50', '2', '0.5', '-1.25', '0']])
    await fill(candles, sides, ['A'])
    expect(await redis('KEYS', '*')).toEqual([KEY])
    expect(await redis('ZRANGE', KEY, 0, -1, 'WITHSCORES')).toEqual([
      '{"t":1748736000000,"o":1.50,"h":2,"l":0.5,"c":-1.25,"v":0}',
      '1748736000000',
    ])
  })

  it.each<[string, string]>([
    ['keys in another order', `{"v":1010,"c":151.5,"l":50.5,"h":202,"o":101,"t":${minute(1)}}`],
    ['numbers written otherwise', `{"t":${minute(1)},"o":101.000,"h":2.02e2,"l":50.50,"c":151.5,"v":1010}`],
    ['numbers as texts', member(1, { o: '101.00', v: '1010' })],
    ['spaces and lines', JSON.stringify(JSON.parse(member(1)), undefined, 2)],
    ['more than was asked for', member(1, { trades: 12 })],
  ])('takes a candle for what it says: %s', async (_, text) => {
    await insertCandles(sides.database, 'A', minutes(3))
    await hold(0, member(0))
    await hold(1, text)
    await hold(2, member(2))
    for (const thorough of [true, false]) expect(await lacking(candles, sides, ['A'], thorough)).toEqual([])
  })

  it.each<[string, string]>([
    ['another value', member(1, { c: 1 })],
    ['a value too few', member(1, { v: undefined })],
    ['an empty value', member(1, { v: '' })],
    ['no number', member(1, { v: 'NaN' })],
    ['null', member(1, { v: null })],
    ['no time', member(1, { t: undefined })],
    ['the time of another', member(1, { t: minute(2) })],
    ['no JSON', 'close=151.5'],
    ['half a JSON', member(1).slice(0, -1)],
    ['a number', '151.5'],
    ['JSON null', 'null'],
    ['a list', '[1,2]'],
    ['nothing', ''],
    ['several lines', 'a\nb\n'],
    ['other letters', 'ü🚀'],
  ])('replaces what is no candle of that time: %s', async (_, text) => {
    await insertCandles(sides.database, 'A', minutes(3))
    await fill(candles, sides, ['A'])
    await redis('ZREM', KEY, member(1))
    await hold(1, text)
    for (const thorough of [true, false]) {
      expect(await lacking(candles, sides, ['A'], thorough)).toEqual([
        { key: KEY, kind: 'differs', missing: 0, differing: 1 },
      ])
    }
    expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: 1, samples: 1, superseded: 0 })
    expect(await members()).toEqual([member(0), member(1), member(2)])
  })

  it('makes one of several members at one time', async () => {
    await insertCandles(sides.database, 'A', minutes(3))
    await fill(candles, sides, ['A'])
    for (const c of [1, 2, 3]) await hold(1, member(1, { c }))
    await hold(2, member(2, { c: 1 }))
    expect(await lacking(candles, sides, ['A'])).toEqual([{ key: KEY, kind: 'differs', missing: 0, differing: 2 }])
    await fill(candles, sides, ['A'])
    expect(await members()).toEqual([member(0), member(1), member(2)])
  })

  it('makes one of as many members as a worker leaves that adds one a tick', async () => {
    await insertCandles(sides.database, 'A', minutes(2))
    await hold(1, member(1))
    const add = "for i = 1, 10000 do redis.call('ZADD', KEYS[1], ARGV[1], i) end"
    await redis('EVAL', add, 1, KEY, minute(0))
    expect(await fill(candles, sides, ['A'])).toMatchObject({ samples: 1, superseded: 0 })
    expect(await members()).toEqual([member(0), member(1)])
  })

  it.each<[string, number, Lack['kind']]>([
    ['within the range', minute(1) + 1, 'hole'],
    ['at the time of another', minute(2), 'hole'],
    ['before the range', minute(0) - 1, 'hole'],
    ['after the range', minute(9), 'hole'],
  ])('puts a candle back that stands at a wrong score: %s', async (_, score, kind) => {
    await insertCandles(sides.database, 'A', minutes(3))
    await fill(candles, sides, ['A'])
    await redis('ZADD', KEY, score, member(1))
    expect(await lacking(candles, sides, ['A'])).toContainEqual(expect.objectContaining({ key: KEY, kind, missing: 1 }))
    await fill(candles, sides, ['A'])
    expect(await lacking(candles, sides, ['A'])).toEqual([])
    expect(await members()).toEqual([member(0), member(1), member(2)])
  })

  it('reports members between the times, and leaves them', async () => {
    await insertCandles(sides.database, 'A', minutes(3))
    await fill(candles, sides, ['A'])
    await redis('ZADD', KEY, minute(0) + 500, 'own', minute(1) + 0.5, 'half')
    const { findings } = await look(candles, sides, ['A'])
    expect(findings.map(({ lack, orphans }) => ({ lack, orphans }))).toEqual([
      { lack: undefined, orphans: [String(minute(0) + 500), String(minute(1) + 0.5)] },
    ])
    await fill(candles, sides, ['A'])
    expect(await redis('ZCARD', KEY)).toBe(5)
  })

  describe('beside a live worker', () => {
    it('lets the newest candle stand that was written since the look', async () => {
      await insertCandles(sides.database, 'A', minutes(3))
      const { findings } = await look(candles, sides, ['A'])
      await hold(2, member(2, { c: 7 }))
      expect(await candles.write(sides.wire, findings, () => true)).toMatchObject({ samples: 2, superseded: 1 })
      expect(await members()).toEqual([member(0), member(1), member(2, { c: 7 })])
    })

    it('replaces only what still is as it was seen', async () => {
      await insertCandles(sides.database, 'A', minutes(4))
      for (const nth of [0, 1, 2, 3]) await hold(nth, member(nth, { c: 7 }))
      const { findings } = await look(candles, sides, ['A'])
      await redis('ZREM', KEY, member(1, { c: 7 }))
      await hold(1, member(1, { c: 8 }))
      await hold(2, member(2, { c: 9 }))
      await redis('ZREM', KEY, member(3, { c: 7 }))
      expect(await candles.write(sides.wire, findings, () => true)).toMatchObject({
        keys: 1,
        samples: 1,
        superseded: 3,
      })
      const left = [member(0), member(1, { c: 8 }), member(2, { c: 7 }), member(2, { c: 9 })]
      expect(await members()).toEqual(left)
    })

    it('leaves what the worker has beyond PostgreSQL', async () => {
      await insertCandles(sides.database, 'A', minutes(2))
      await hold(2, member(2))
      await fill(candles, sides, ['A'])
      expect(await members()).toEqual([member(0), member(1), member(2)])
      expect(await lacking(candles, sides, ['A'])).toEqual([])
    })
  })
})

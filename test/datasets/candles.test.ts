import { expect, it } from 'vitest'
import type { Lack } from '../../src/model.js'
import { describeLayouts } from '../support/servers.js'
import { changes, closes, removeCandles } from './held.js'
import { candlesOf, fill, insertCandles, lacking, look, minute, minutes, useSides } from './sides.js'

/** What both layouts promise; keys of a symbol are five series or one set. */
describeLayouts('candles', (layout) => {
  const sides = useSides()
  const candles = candlesOf(layout)
  const perSymbol = layout === 'timeseries' ? 5 : 1

  it('has nothing to say of a symbol without candles', async () => {
    expect((await look(candles, sides, ['A'])).findings).toEqual([])
    expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: 0, samples: 0 })
    expect(await sides.redis('DBSIZE')).toBe(0)
  })

  it.each([true, false])(
    'fills an empty Redis, after which nothing lacks and nothing is written (thorough: %s)',
    async (thorough) => {
      for (const symbol of ['A', 'B']) await insertCandles(sides.database, symbol, minutes(3))
      expect(await lacking(candles, sides, ['A', 'B'], thorough)).toHaveLength(2 * perSymbol)
      expect(await fill(candles, sides, ['A', 'B'], thorough)).toEqual({
        keys: 2 * perSymbol,
        samples: 6 * perSymbol,
        fields: 0,
        superseded: 0,
        leftOut: 0,
      })
      expect(await lacking(candles, sides, ['A', 'B'], thorough)).toEqual([])
      const before = await changes(sides)
      expect(await fill(candles, sides, ['A', 'B'], thorough)).toMatchObject({ keys: 0, samples: 0 })
      expect(await changes(sides)).toBe(before)
      expect(await closes(layout, sides, 'A')).toEqual([150, 151.5, 153])
    },
  )

  it.each<[string, number[], Lack['kind'], boolean]>([
    ['all', [0, 1, 2, 3, 4, 5], 'missing', false],
    ['the newest', [5], 'stale_tail', true],
    ['the end', [3, 4, 5], 'stale_tail', true],
    ['the oldest', [0], 'hole', true],
    ['the middle', [2, 3], 'hole', true],
    ['here and there', [1, 3, 5], 'hole', true],
  ])('sees and fills what is gone: %s', async (_, gone, kind, keyIsLeft) => {
    await insertCandles(sides.database, 'A', minutes(6))
    await fill(candles, sides, ['A'])
    await removeCandles(layout, sides, 'A', gone, keyIsLeft)
    for (const thorough of [true, false]) {
      const lacks = await lacking(candles, sides, ['A'], thorough)
      expect(lacks).toHaveLength(perSymbol)
      for (const lack of lacks) expect(lack).toMatchObject({ kind, missing: gone.length, differing: 0 })
    }
    expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: perSymbol, samples: gone.length * perSymbol })
    expect(await lacking(candles, sides, ['A'])).toEqual([])
  })

  it('sees and replaces what differs', async () => {
    await insertCandles(sides.database, 'A', minutes(4))
    await fill(candles, sides, ['A'])
    await sides.database.query('UPDATE ohlcv4_m1 SET close = 7 WHERE open_time = $1', [
      new Date(minute(1)).toISOString(),
    ])
    const lack = { key: 'ohlcv:A:m1', kind: 'differs', missing: 0, differing: 1 }
    expect(await lacking(candles, sides, ['A'])).toEqual([lack])
    expect(await lacking(candles, sides, ['A'], false)).toEqual([lack])
    expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: 1, samples: 1, superseded: 0 })
    expect(await closes(layout, sides, 'A')).toEqual([150, 7, 153, 154.5])
  })

  it('leaves what differs if it is not to be replaced, and fills the rest', async () => {
    await insertCandles(sides.database, 'A', minutes(4))
    await fill(candles, sides, ['A'])
    await sides.database.query('UPDATE ohlcv4_m1 SET close = 7 WHERE open_time = $1', [
      new Date(minute(1)).toISOString(),
    ])
    await removeCandles(layout, sides, 'A', [2], true)
    const { findings } = await look(candles, sides, ['A'])
    expect(await candles.write(sides.wire, findings, () => false)).toMatchObject({ samples: perSymbol })
    expect(await closes(layout, sides, 'A')).toEqual([150, 151.5, 153, 154.5])
  })

  it('gives the same picture of the same lack, and another of another', async () => {
    await insertCandles(sides.database, 'A', minutes(4))
    await fill(candles, sides, ['A'])
    await removeCandles(layout, sides, 'A', [1], true)
    const picture = async (): Promise<string | undefined> => (await look(candles, sides, ['A'])).lacks[0]?.picture
    const first = await picture()
    expect(first).toEqual(expect.any(String))
    expect(await picture()).toBe(first)
    await removeCandles(layout, sides, 'A', [2], true)
    expect(await picture()).not.toBe(first)
  })

  it.each([
    ['a string', ['SET', 'price'], 'string'],
    ['a list', ['RPUSH', 'item'], 'list'],
    ['a hash', ['HSET', 'field', 'value'], 'hash'],
  ] as const)('moves %s aside that stands in its place, and fills', async (_, [command, ...args], type) => {
    await insertCandles(sides.database, 'A', minutes(3))
    await sides.redis(command, 'ohlcv:A:m1', ...args)
    for (const thorough of [true, false]) {
      const lacks = await lacking(candles, sides, ['A'], thorough)
      expect(lacks.find(({ key }) => key === 'ohlcv:A:m1')).toMatchObject({ kind: 'wrong_type', missing: 3 })
    }
    expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: perSymbol, samples: 3 * perSymbol, superseded: 0 })
    expect(await lacking(candles, sides, ['A'])).toEqual([])
    expect(await sides.redis('TYPE', 'rekindle:aside:ohlcv:A:m1')).toBe(type)
    const ttl = Number(await sides.redis('TTL', 'rekindle:aside:ohlcv:A:m1'))
    expect(ttl).toBeGreaterThan(7 * 24 * 3600 - 60)
  })

  it('never moves one value over another', async () => {
    await insertCandles(sides.database, 'A', minutes(1))
    for (const value of ['first', 'second', 'third']) {
      await sides.redis('SET', 'ohlcv:A:m1', value)
      await fill(candles, sides, ['A'])
    }
    const aside = ['', ':2', ':3'].map((end) => sides.redis('GET', `rekindle:aside:ohlcv:A:m1${end}`))
    expect(await Promise.all(aside)).toEqual(['first', 'second', 'third'])
  })

  it('does not move aside what has got the right type meanwhile', async () => {
    await insertCandles(sides.database, 'A', minutes(3))
    await sides.redis('SET', 'ohlcv:A:m1', 'in the way')
    const { findings } = await look(candles, sides, ['A'])
    await sides.redis('DEL', 'ohlcv:A:m1')
    await fill(candles, sides, ['A'])
    await candles.write(sides.wire, findings, () => true)
    expect(await sides.redis('KEYS', 'rekindle:*')).toEqual([])
    expect(await lacking(candles, sides, ['A'])).toEqual([])
  })

  it.each([1, 2, 250, 251, 252, 1000])('reaches back as far as it is told, %i candles', async (last) => {
    const some = candlesOf(layout, { last })
    await insertCandles(sides.database, 'A', minutes(1003))
    expect(await fill(some, sides, ['A'])).toMatchObject({ samples: last * perSymbol })
    expect(await lacking(some, sides, ['A'])).toEqual([])
    expect(await closes(layout, sides, 'A')).toEqual(Array.from({ length: last }, (_, i) => (1103 - last + i) * 1.5))
  })

  it.each([150, 999])('replaces %i candles that differ', async (count) => {
    const many = candlesOf(layout, { last: 1000 })
    await insertCandles(sides.database, 'A', minutes(1000))
    await fill(many, sides, ['A'])
    await sides.database.query('UPDATE ohlcv4_m1 SET close = close + 1 WHERE open_time >= $1', [
      new Date(minute(1000 - count)).toISOString(),
    ])
    expect(await fill(many, sides, ['A'])).toMatchObject({ keys: 1, samples: count, superseded: 0 })
    expect(await lacking(many, sides, ['A'])).toEqual([])
  })

  it('leaves what Redis holds before and after the wanted range', async () => {
    await insertCandles(sides.database, 'A', minutes(10))
    await fill(candles, sides, ['A'])
    const three = candlesOf(layout, { last: 3 })
    expect(await lacking(three, sides, ['A'])).toEqual([])
    await sides.database.query('DELETE FROM ohlcv4_m1 WHERE open_time >= $1', [new Date(minute(8)).toISOString()])
    const { findings } = await look(three, sides, ['A'])
    expect(findings.map(({ lack, orphans }) => ({ lack, orphans }))).toEqual(
      Array(perSymbol).fill({ lack: undefined, orphans: [] }),
    )
    expect(await closes(layout, sides, 'A')).toHaveLength(10)
  })

  it('reports candles that PostgreSQL no longer knows, and leaves them', async () => {
    await insertCandles(sides.database, 'A', minutes(5))
    await fill(candles, sides, ['A'])
    await sides.database.query('DELETE FROM ohlcv4_m1 WHERE open_time = $1', [new Date(minute(2)).toISOString()])
    const { findings, lacks } = await look(candles, sides, ['A'])
    expect(lacks).toEqual([])
    for (const { orphans } of findings) expect(orphans).toEqual([String(minute(2))])
    expect(await fill(candles, sides, ['A'])).toMatchObject({ samples: 0 })
    expect(await closes(layout, sides, 'A')).toHaveLength(5)
  })

  it('keeps apart the symbols that are asked for from those that are not', async () => {
    for (const symbol of ['A', 'B', 'C']) await insertCandles(sides.database, symbol, minutes(2))
    await fill(candles, sides, ['C', 'A'])
    expect(await closes(layout, sides, 'B')).toEqual([])
    expect(await lacking(candles, sides, ['B'])).toHaveLength(perSymbol)
  })
})

import { expect, it } from 'vitest'
import type { Lack } from '../../src/model.js'
import { describeLayouts, type Layout } from '../support/servers.js'
import {
  type Candle,
  candlesOf,
  fill,
  insertCandles,
  lacking,
  look,
  minute,
  minutes,
  type Sides,
  useSides,
} from './sides.js'

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
    expect(await candles.write(sides.wire, findings, false)).toMatchObject({ samples: perSymbol })
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
    await candles.write(sides.wire, findings, true)
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

  it.each([
    'BTC/USDT',
    'a b',
    'ü-€-🚀',
    '比特币',
    'A(1),B',
    '{A}',
    '$&',
    '{symbol}',
    '__proto__',
    'O\'Hara "x" \\ 100%',
    'line\r\nbreak',
    '*[a]?',
    '(),',
  ])('holds a symbol called %j', async (symbol) => {
    await insertCandles(sides.database, symbol, minutes(5))
    expect(await fill(candles, sides, [symbol])).toMatchObject({ keys: perSymbol, samples: 5 * perSymbol })
    for (const thorough of [true, false]) expect(await lacking(candles, sides, [symbol], thorough)).toEqual([])
    await removeCandles(layout, sides, symbol, [1, 4], true)
    await fill(candles, sides, [symbol])
    expect(await lacking(candles, sides, [symbol])).toEqual([])
    expect(await closes(layout, sides, symbol)).toEqual([150, 151.5, 153, 154.5, 156])
  })

  const LONG = `0.${'1234567890'.repeat(130)}`
  it.each([
    '0.1',
    '0.30000000000000004',
    '0.0000001',
    '123456789.123456789',
    '0.00001187',
    '-17.25',
    '0',
    '-0.5',
    '1500',
    '12345678901234',
    '123456789012345',
    '1234567890123456',
    '12345678901234567',
    '-12345678901234',
    '-123456789012345',
    '0.12345678901234',
    '-0.1234567890123',
    '0.123456789012345',
    '1.50000000000000000000',
    '99999999999999999999.123456789012345678',
    '9007199254740993',
    '1'.repeat(300),
    '9'.repeat(308),
    `-${'9'.repeat(308)}`,
    `1${'0'.repeat(307)}.5`,
    `0.${'0'.repeat(320)}1`,
    `0.${'0'.repeat(400)}1`,
    LONG,
  ])('holds %s as the nearest double', async (text) => {
    await insertCandles(sides.database, 'A', [...minutes(3).map(([t]): Candle => [t, text, text, text, text, text])])
    expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: perSymbol, samples: 3 * perSymbol })
    for (const thorough of [true, false]) expect(await lacking(candles, sides, ['A'], thorough)).toEqual([])
    expect(await closes(layout, sides, 'A')).toEqual([Number(text), Number(text), Number(text)])
    await removeCandles(layout, sides, 'A', [1], true)
    await fill(candles, sides, ['A'])
    expect(await closes(layout, sides, 'A')).toEqual([Number(text), Number(text), Number(text)])
  })

  it('holds short and long numbers beside each other', async () => {
    const texts = ['1', '-2.5', '123456789012345', LONG, '0', '0.1234567890123456789', '7', '1e20', '42.000']
    const some = minutes(texts.length).map(([time], i): Candle => [time, ...Array(5).fill(texts[i])])
    await insertCandles(sides.database, 'A', some)
    await fill(candles, sides, ['A'])
    for (const thorough of [true, false]) expect(await lacking(candles, sides, ['A'], thorough)).toEqual([])
    expect(await closes(layout, sides, 'A')).toEqual(texts.map(Number))
  })

  it('holds columns of another type', async () => {
    await sides.database.query('CREATE TABLE IF NOT EXISTS doubles (LIKE ohlcv4_m1)')
    await sides.database.query(
      'ALTER TABLE doubles ALTER open TYPE float8, ALTER close TYPE float8, ALTER volume TYPE bigint',
    )
    await sides.database.query(
      "INSERT INTO doubles VALUES ('A', '2025-06-01', 0.0000001, 2, 1, 1e-7, 12), ('A', '2025-06-02', 1.5e300, 2, 1, -2.5e20, 13)",
    )
    const doubles = candlesOf(layout, { timeframes: { m1: 'doubles' } })
    await fill(doubles, sides, ['A'])
    for (const thorough of [true, false]) expect(await lacking(doubles, sides, ['A'], thorough)).toEqual([])
    expect(await closes(layout, sides, 'A')).toEqual([1e-7, -2.5e20])
  })

  it.each([null, 'NaN', 'Infinity', '-Infinity', '1e400', '-1e400', '7'.repeat(400)])(
    'leaves %s out, and counts it',
    async (value) => {
      const [a, b, c, d] = minutes(4).map(([time]) => time) as [string, string, string, string]
      await insertCandles(sides.database, 'A', [
        [a, '1', '1', '1', '1', '1'],
        [b, '2', '2', '2', value, '2'],
        [c, '3', '3', '3', '3', '3'],
        [d, value, value, value, value, value],
      ])
      await insertCandles(sides.database, 'B', minutes(4))
      const { leftOut, lacks } = await look(candles, sides, ['A', 'B'])
      expect(lacks).toHaveLength(2 * perSymbol)
      expect([...leftOut]).toEqual([['A', layout === 'timeseries' ? 6 : 2]])
      await fill(candles, sides, ['A', 'B'])
      expect(await lacking(candles, sides, ['A', 'B'])).toEqual([])
      expect(await closes(layout, sides, 'A')).toEqual([1, 3])
      expect(await closes(layout, sides, 'B')).toHaveLength(4)
    },
  )

  it('leaves out a symbol of which nothing can be held', async () => {
    await insertCandles(
      sides.database,
      'A',
      minutes(2).map(([time]): Candle => [time, null, null, null, null, null]),
    )
    const { findings, leftOut } = await look(candles, sides, ['A'])
    expect(findings).toEqual([])
    expect(leftOut.get('A')).toBe(2 * perSymbol)
  })

  it('leaves out what lies before 1970 or has no end', async () => {
    await insertCandles(sides.database, 'A', [
      ['-infinity'],
      ['4713-01-01 BC'],
      ['1969-12-31 23:59:59.999'],
      ['1970-01-01 00:00:00'],
      ['2025-06-01 12:00:00'],
      ['infinity'],
    ])
    await fill(candles, sides, ['A'])
    expect(await lacking(candles, sides, ['A'])).toEqual([])
    expect(await times(layout, sides, 'A')).toEqual([0, Date.UTC(2025, 5, 1, 12)])
  })

  it('does not let times without end take the place of candles', async () => {
    await insertCandles(sides.database, 'A', [...minutes(3), ['infinity'], ['-infinity']])
    const two = candlesOf(layout, { last: 2 })
    await fill(two, sides, ['A'])
    expect(await times(layout, sides, 'A')).toEqual([minute(1), minute(2)])
  })

  it('keeps milliseconds', async () => {
    const some = [
      '2025-06-01 12:00:00.001',
      '2025-06-01 12:00:00.999',
      '2038-01-19 03:14:08.123',
      '2001-09-09 01:46:39.999',
    ]
    await insertCandles(sides.database, 'A', [...some.map((time): Candle => [time]), ['1970-01-01 00:00:00.007']])
    await fill(candles, sides, ['A'])
    expect(await lacking(candles, sides, ['A'])).toEqual([])
    const expected = some.map((time) => Date.parse(`${time.replace(' ', 'T')}Z`))
    expect(await times(layout, sides, 'A')).toEqual([7, ...expected].sort((a, b) => a - b))
  })

  it('keeps apart the symbols that are asked for from those that are not', async () => {
    for (const symbol of ['A', 'B', 'C']) await insertCandles(sides.database, symbol, minutes(2))
    await fill(candles, sides, ['C', 'A'])
    expect(await closes(layout, sides, 'B')).toEqual([])
    expect(await lacking(candles, sides, ['B'])).toHaveLength(perSymbol)
  })
})

/** How often anything was written since the server started. */
async function changes(sides: Sides): Promise<string | undefined> {
  return /rdb_changes_since_last_save:(\d+)/.exec(String(await sides.redis('INFO', 'persistence')))?.[1]
}

async function samples(layout: Layout, sides: Sides, symbol: string): Promise<[time: number, close: number][]> {
  const key = `ohlcv:${symbol}:m1`
  if (layout === 'timeseries') {
    const range = await sides.redis('TS.RANGE', key, '-', '+').catch(() => [])
    return (range as [number, string][]).map(([time, value]) => [time, Number(value)])
  }
  const flat = (await sides.redis('ZRANGE', key, 0, -1, 'WITHSCORES')) as string[]
  return flat.flatMap((member, i): [number, number][] =>
    i % 2 === 0 ? [[Number(flat[i + 1]), Number(JSON.parse(member).c)]] : [],
  )
}

async function closes(layout: Layout, sides: Sides, symbol: string): Promise<number[]> {
  return (await samples(layout, sides, symbol)).map(([, close]) => close)
}

async function times(layout: Layout, sides: Sides, symbol: string): Promise<number[]> {
  return (await samples(layout, sides, symbol)).map(([time]) => time)
}

/** Takes candles out of Redis, and with them the key unless it is to be left. */
async function removeCandles(
  layout: Layout,
  sides: Sides,
  symbol: string,
  nths: number[],
  keyIsLeft: boolean,
): Promise<void> {
  const ends = layout === 'timeseries' ? ['', ':open', ':high', ':low', ':volume'] : ['']
  for (const key of ends.map((end) => `ohlcv:${symbol}:m1${end}`)) {
    if (!keyIsLeft) await sides.redis('DEL', key)
    else if (layout === 'timeseries') for (const nth of nths) await sides.redis('TS.DEL', key, minute(nth), minute(nth))
    else for (const nth of nths) await sides.redis('ZREMRANGEBYSCORE', key, minute(nth), minute(nth))
  }
}

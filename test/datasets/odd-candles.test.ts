import { expect, it } from 'vitest'
import { describeLayouts } from '../support/servers.js'
import { closes, removeCandles, times } from './held.js'
import { type Candle, candlesOf, fill, insertCandles, lacking, look, minute, minutes, useSides } from './sides.js'

describeLayouts('odd candles', (layout) => {
  const sides = useSides()
  const candles = candlesOf(layout)
  const perSymbol = layout === 'timeseries' ? 5 : 1

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
})

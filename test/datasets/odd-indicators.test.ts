import { describe, expect, it } from 'vitest'
import { fill, indicatorsOf, insertIndicator, lacking, look, useSides } from './sides.js'

const KEY = 'indicator:A:m1'

describe('odd indicators', () => {
  const sides = useSides()
  const { redis, database } = sides
  const indicators = indicatorsOf()
  const hash = async (key = KEY): Promise<Record<string, string>> => {
    const flat = (await redis('HGETALL', key)) as string[]
    return Object.fromEntries(flat.flatMap((field, i) => (i % 2 === 0 ? [[field, flat[i + 1] as string]] : [])))
  }
  const insert = (values: Parameters<typeof insertIndicator>[2], more = {}): Promise<number> =>
    insertIndicator(database, { symbol: 'A', ...more }, values)

  it('takes a number for what it is, however it is written', async () => {
    await insert([
      ['a', '1.5'],
      ['b', '1e-07'],
      ['c', '100000'],
    ])
    await redis('HSET', KEY, 'a', '1.50', 'b', '0.0000001', 'c', '1e5')
    expect(await lacking(indicators, sides, ['A'])).toEqual([])
  })

  it.each([
    ['0.1', '0.1'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['123456789.123456789', '123456789.12345679'],
    ['1e-7', '1e-07'],
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['5e-324', '5e-324'],
    ['-0', '-0'],
    ['-12.5', '-12.5'],
    ['1e22', '1e+22'],
  ])('holds %s in the shortest form that is exact', async (value, text) => {
    await insert([['x', value]])
    await fill(indicators, sides, ['A'])
    expect(await hash()).toEqual({ x: text })
    expect(await lacking(indicators, sides, ['A'])).toEqual([])
  })

  it.each([null, 'NaN', 'Infinity', '-Infinity'])(
    'leaves out %s, and an older value does not come in its place',
    async (value) => {
      await insert([
        ['x', value],
        ['x', '1', '2025-05-31'],
        ['y', '2'],
      ])
      const { leftOut } = await look(indicators, sides, ['A'])
      expect([...leftOut]).toEqual([['A', 1]])
      await fill(indicators, sides, ['A'])
      expect(await hash()).toEqual({ y: '2' })
      expect(await lacking(indicators, sides, ['A'])).toEqual([])
    },
  )

  it('has no hash where nothing can be held', async () => {
    await insert([['x', 'NaN']])
    await insert([])
    const { findings, leftOut } = await look(indicators, sides, ['A', 'B'])
    expect(findings).toEqual([])
    expect([...leftOut]).toEqual([['A', 1]])
  })

  it.each([
    'a b',
    'ü-€-🚀',
    '__proto__',
    'constructor',
    'toString',
    '{symbol}',
    'quote \' " \\',
    'line\r\nbreak',
    'x'.repeat(5_000),
    '=1',
    '0',
  ])('holds a parameter called %j', async (name) => {
    await insert([
      [name, '1'],
      ['plain', '2'],
    ])
    await fill(indicators, sides, ['A'])
    expect(await redis('HGET', KEY, name)).toBe('1')
    expect(await redis('HLEN', KEY)).toBe(2)
    expect(await lacking(indicators, sides, ['A'])).toEqual([])
    await redis('HSET', KEY, name, 9)
    await fill(indicators, sides, ['A'])
    expect(await redis('HGET', KEY, name)).toBe('1')
  })

  it.each(['ü-€-🚀', 'A:B', '$&', '{timeframe}', '__proto__', 'line\r\nbreak'])(
    'holds a symbol called %j',
    async (symbol) => {
      await insertIndicator(database, { symbol }, [['x', '1']])
      await fill(indicators, sides, [symbol])
      expect(await hash(`indicator:${symbol}:m1`)).toEqual({ x: '1' })
      expect(await lacking(indicators, sides, [symbol])).toEqual([])
    },
  )

  describe('instances', () => {
    it.each([
      ['the newer value', '2025-06-01', '2025-06-02', '2'],
      ['the newer value, of the older instance', '2025-06-02', '2025-06-01', '1'],
      ['at the same time the later instance', '2025-06-01', '2025-06-01', '2'],
    ])('that name the same parameter: %s', async (_, first, second, value) => {
      await insert([['x', '1', first]])
      await insert([['x', '2', second]])
      await fill(indicators, sides, ['A'])
      for (const thorough of [true, false]) expect(await lacking(indicators, sides, ['A'], thorough)).toEqual([])
      expect(await hash()).toEqual({ x: value })
    })

    it('that are disabled do not count', async () => {
      await insert([['x', '1']])
      await insert([['x', '2', '2025-06-03']], { enabled: false })
      await insert([['y', '2']], { enabled: false })
      await fill(indicators, sides, ['A'])
      expect(await hash()).toEqual({ x: '1' })
    })

    it('have values of their own symbol only', async () => {
      await insert([
        ['x', '1'],
        ['x', '2', '2025-06-03', 'B'],
        ['y', '2', '2025-06-03', 'B'],
      ])
      await fill(indicators, sides, ['A', 'B'])
      expect(await hash()).toEqual({ x: '1' })
      expect(await redis('EXISTS', 'indicator:B:m1')).toBe(0)
    })

    it('share a hash', async () => {
      await insert([['x', '1']])
      await insert([['y', '2']])
      expect(await fill(indicators, sides, ['A'])).toMatchObject({ keys: 1, fields: 2 })
      expect(await hash()).toEqual({ x: '1', y: '2' })
    })

    it('have newest values even where a time has no end', async () => {
      await insert([
        ['x', '1', '2025-06-01'],
        ['x', '2', 'infinity'],
        ['y', '3', '-infinity'],
        ['z', '4', '1901-01-01'],
      ])
      await fill(indicators, sides, ['A'])
      expect(await hash()).toEqual({ x: '2', y: '3', z: '4' })
    })
  })
})

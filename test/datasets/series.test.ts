import { describe, expect, inject, it } from 'vitest'
import { redisTrouble } from '../../src/redis/trouble.js'
import { useRedis } from '../support/servers.js'
import { candlesOf, fill, insertCandles, lacking, look, minute, minutes, useSides } from './sides.js'

const SERIES = ['open', 'high', 'low', 'close', 'volume']
const CLOSE = 'ohlcv:A:m1'

describe.skipIf(!inject('hasTimeSeries'))('candles as RedisTimeSeries', () => {
  const sides = useSides()
  const candles = candlesOf('timeseries')
  const { redis } = sides
  const write = async (count: number): Promise<void> => insertCandles(sides.database, 'A', minutes(count))
  const values = async (key = CLOSE): Promise<number[]> =>
    ((await redis('TS.RANGE', key, '-', '+')) as [number, string][]).map(([, value]) => Number(value))
  const info = async (key = CLOSE): Promise<Record<string, unknown>> => {
    const flat = (await redis('TS.INFO', key)) as unknown[]
    return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]]] : [])))
  }
  const labels = async (key = CLOSE): Promise<unknown> => Object.fromEntries((await info(key))['labels'] as [])

  it('makes one series a column, with labels and the policy that lets newer values win', async () => {
    await insertCandles(sides.database, 'A', [['2025-06-01', '1', '2', '3', '4', '5']])
    await fill(candles, sides, ['A'])
    expect(((await redis('KEYS', '*')) as string[]).sort()).toEqual(
      [CLOSE, `${CLOSE}:high`, `${CLOSE}:low`, `${CLOSE}:open`, `${CLOSE}:volume`].sort(),
    )
    for (const [i, column] of SERIES.entries()) {
      const key = column === 'close' ? CLOSE : `${CLOSE}:${column}`
      expect(await values(key)).toEqual([i + 1])
      expect(await labels(key)).toEqual({ symbol: 'A', timeframe: 'm1', column })
      expect((await info(key))['duplicatePolicy']).toBe('last')
    }
  })

  it.each([
    ['A(1)', { timeframe: 'm1', column: 'close' }],
    ['A,B', { timeframe: 'm1', column: 'close' }],
    ['ü 🚀', { symbol: 'ü 🚀', timeframe: 'm1', column: 'close' }],
    ['a=b', { symbol: 'a=b', timeframe: 'm1', column: 'close' }],
  ])('leaves out a label that may not be: %s', async (symbol, expected) => {
    await insertCandles(sides.database, symbol, minutes(2))
    await fill(candles, sides, [symbol])
    expect(await labels(`ohlcv:${symbol}:m1`)).toEqual(expected)
    await redis('TS.DEL', `ohlcv:${symbol}:m1`, minute(0), minute(0))
    await redis('TS.ALTER', `ohlcv:${symbol}:m1`, 'LABELS', 'mine', 'too')
    await fill(candles, sides, [symbol])
    expect(await labels(`ohlcv:${symbol}:m1`)).toEqual({ ...expected, mine: 'too' })
  })

  it('uses the keys that are configured', async () => {
    const keys = Object.fromEntries(SERIES.map((column) => [column, `ts:{timeframe}:{symbol}:${column[0]}`]))
    const own = candlesOf('timeseries', { keys: keys as never })
    await write(3)
    await fill(own, sides, ['A'])
    expect(((await redis('KEYS', '*')) as string[]).sort()).toEqual(
      ['c', 'h', 'l', 'o', 'v'].map((c) => `ts:m1:A:${c}`),
    )
    expect(await lacking(own, sides, ['A'])).toEqual([])
  })

  it.each(['', 'BLOCK', 'MIN', 'MAX', 'SUM', 'FIRST', 'LAST'])(
    'takes over a series that a worker made with the policy %j',
    async (policy) => {
      await write(6)
      const policyArguments = policy === '' ? [] : ['DUPLICATE_POLICY', policy]
      await redis('TS.CREATE', CLOSE, ...policyArguments, 'LABELS', 'owner', 'worker', 'symbol', 'other')
      await redis('TS.ADD', CLOSE, minute(1), 151.5)
      await redis('TS.ADD', CLOSE, minute(2), 9999)
      await redis('TS.ADD', CLOSE, minute(5), 157.5)
      expect(await lacking(candles, sides, ['A'])).toContainEqual({
        key: CLOSE,
        kind: 'hole',
        missing: 3,
        differing: 1,
      })
      expect(await fill(candles, sides, ['A'])).toMatchObject({ keys: 5, samples: 4 * 6 + 4, superseded: 0 })
      expect(await lacking(candles, sides, ['A'])).toEqual([])
      expect(await values()).toEqual([150, 151.5, 153, 154.5, 156, 157.5])
      expect(await labels()).toEqual({ owner: 'worker', symbol: 'A', timeframe: 'm1', column: 'close' })
      expect((await info())['duplicatePolicy']).toBe('last')
    },
  )

  it('leaves a series alone that lacks nothing, whatever its labels and policy', async () => {
    await write(2)
    await redis('TS.CREATE', CLOSE, 'LABELS', 'owner', 'worker')
    await redis('TS.MADD', CLOSE, minute(0), 150, CLOSE, minute(1), 151.5)
    await fill(candles, sides, ['A'])
    expect(await labels()).toEqual({ owner: 'worker' })
    expect((await info())['duplicatePolicy']).not.toBe('last')
  })

  it('takes over from the other layout, and that from it', async () => {
    await write(3)
    for (const [dataset, type] of [
      [candlesOf('sortedset'), 'zset'],
      [candles, 'TSDB-TYPE'],
      [candlesOf('sortedset'), 'zset'],
    ] as const) {
      await fill(dataset, sides, ['A'])
      for (const thorough of [true, false]) expect(await lacking(dataset, sides, ['A'], thorough)).toEqual([])
      expect(await redis('TYPE', CLOSE)).toBe(type)
    }
    expect(await redis('TYPE', `rekindle:aside:${CLOSE}`)).toBe('zset')
    expect(await redis('TYPE', `rekindle:aside:${CLOSE}:2`)).toBe('TSDB-TYPE')
  })

  it('fills an empty series', async () => {
    await write(3)
    await redis('TS.CREATE', CLOSE)
    expect(await lacking(candles, sides, ['A'])).toContainEqual({
      key: CLOSE,
      kind: 'missing',
      missing: 3,
      differing: 0,
    })
    await fill(candles, sides, ['A'])
    expect(await lacking(candles, sides, ['A'])).toEqual([])
  })

  it('writes over NaN, where a version of the module takes it', async () => {
    await write(3)
    await fill(candles, sides, ['A'])
    await redis('TS.DEL', CLOSE, minute(1), minute(1))
    const taken = await redis('TS.ADD', CLOSE, minute(1), 'nan').catch(() => undefined)
    if (taken === undefined) return
    expect(await lacking(candles, sides, ['A'], false)).toEqual([
      { key: CLOSE, kind: 'differs', missing: 0, differing: 1 },
    ])
    await fill(candles, sides, ['A'])
    expect(await values()).toEqual([150, 151.5, 153])
  })

  it('keeps whole the columns whose others have gaps', async () => {
    const gapped = minutes(4).map(([time], i) => [time, '1', i === 1 ? null : '2', null, '4', 'NaN'] as const)
    await insertCandles(sides.database, 'A', gapped)
    await insertCandles(sides.database, 'B', minutes(4))
    const { leftOut } = await look(candles, sides, ['A', 'B'])
    expect([...leftOut]).toEqual([['A', 9]])
    await fill(candles, sides, ['A', 'B'])
    for (const thorough of [true, false]) expect(await lacking(candles, sides, ['A', 'B'], thorough)).toEqual([])
    expect(await values(`${CLOSE}:high`)).toEqual([2, 2, 2])
    expect(await redis('EXISTS', `${CLOSE}:low`, `${CLOSE}:volume`)).toBe(0)
    expect(await values('ohlcv:B:m1:volume')).toHaveLength(4)
  })

  describe('digest', () => {
    it('is all that a quick look reads where nothing lacks', async () => {
      await write(300)
      await fill(candles, sides, ['A'])
      await redis('CONFIG', 'RESETSTAT')
      expect(await lacking(candles, sides, ['A'], false)).toEqual([])
      const stats = String(await redis('INFO', 'commandstats')).toLowerCase()
      expect(stats).toContain('cmdstat_eval:calls=1,')
      expect(stats).not.toContain('ts.info')
    })

    it('does not tell values that were swapped, which the thorough look does', async () => {
      await write(4)
      await fill(candles, sides, ['A'])
      await redis('TS.MADD', CLOSE, minute(1), 153, CLOSE, minute(2), 151.5)
      expect(await lacking(candles, sides, ['A'], false)).toEqual([])
      expect(await lacking(candles, sides, ['A'])).toEqual([{ key: CLOSE, kind: 'differs', missing: 0, differing: 2 }])
      await fill(candles, sides, ['A'])
      expect(await values()).toEqual([150, 151.5, 153, 154.5])
    })

    it('tells a sample that stands at another time', async () => {
      await write(4)
      await fill(candles, sides, ['A'])
      await redis('TS.DEL', CLOSE, minute(1), minute(1))
      await redis('TS.ADD', CLOSE, minute(1) + 1, 151.5)
      expect(await lacking(candles, sides, ['A'])).toEqual([{ key: CLOSE, kind: 'hole', missing: 1, differing: 0 }])
    })

    it('sums like RedisTimeSeries, so that wholes are seen to be whole without a closer look', async () => {
      const odd = ['0.1', '-0.2', '0.30000000000000004', '123456789.123456789', '9007199254740993', '0.00000000001']
      const some = minutes(250).map(
        ([time], i) => [time, ...SERIES.map((_, c) => odd[(i + c) % odd.length] ?? '')] as const,
      )
      await insertCandles(sides.database, 'A', some)
      await fill(candles, sides, ['A'])
      await redis('CONFIG', 'RESETSTAT')
      expect(await lacking(candles, sides, ['A'], false)).toEqual([])
      expect(String(await redis('INFO', 'commandstats')).toLowerCase()).not.toContain('ts.info')
    })
  })
})

describe('candles as RedisTimeSeries on a server without it', () => {
  const plain = useRedis({ modules: false })
  const sides = useSides(plain)
  const candles = candlesOf('timeseries')

  it.each([true, false])('is a clear error (thorough: %s)', async (thorough) => {
    await insertCandles(sides.database, 'A', minutes(3))
    const error = await look(candles, sides, ['A'], thorough).then(
      () => undefined,
      (error: unknown) => redisTrouble(error, 'here'),
    )
    expect(error).toMatchObject({ code: 'redis_no_module', passing: false })
    expect(await sides.redis('DBSIZE')).toBe(0)
  })
})

import { describe, expect, inject, it } from 'vitest'
import { heal } from '../../src/heal/heal.js'
import { candlesOf, fill, insertCandles, lacking, look, minute, minutes, postgresFirst, useSides } from './sides.js'

const CLOSE = 'ohlcv:A:m1'

describe.skipIf(!inject('hasTimeSeries'))('series that others write and configure', () => {
  const sides = useSides()
  const candles = candlesOf('timeseries')
  const { redis } = sides
  const write = async (count: number): Promise<void> => insertCandles(sides.database, 'A', minutes(count))
  const update = async (nth: number, close: string): Promise<unknown> =>
    sides.database.query('UPDATE ohlcv4_m1 SET close = $2 WHERE open_time = $1', [
      new Date(minute(nth)).toISOString(),
      close,
    ])
  const values = async (key = CLOSE): Promise<number[]> =>
    ((await redis('TS.RANGE', key, '-', '+')) as [number, string][]).map(([, value]) => Number(value))
  const info = async (key = CLOSE): Promise<Record<string, unknown>> => {
    const flat = (await redis('TS.INFO', key)) as unknown[]
    return Object.fromEntries(flat.flatMap((name, i) => (i % 2 === 0 ? [[String(name), flat[i + 1]]] : [])))
  }
  const labels = async (key = CLOSE): Promise<unknown> => Object.fromEntries((await info(key))['labels'] as [])
  const healed = () => {
    const { signal } = new AbortController()
    const scope = { symbols: ['A'], parts: undefined, thorough: true, gone: new Set<string>() }
    return heal(candles, { db: sides.db, redis: sides.wire, live: postgresFirst(candles), signal }, scope)
  }

  describe('beside a live worker', () => {
    it('lets the newest candle stand that was written since the look', async () => {
      await write(3)
      const { findings } = await look(candles, sides, ['A'])
      await redis('TS.ADD', CLOSE, minute(2), 777)
      expect(await candles.write(sides.wire, findings, () => true)).toMatchObject({ superseded: 1 })
      expect((await values()).at(-1)).toBe(777)
    })

    it('takes over a series that was made since the look', async () => {
      await write(3)
      const { findings } = await look(candles, sides, ['A'])
      await redis('TS.CREATE', CLOSE, 'DUPLICATE_POLICY', 'BLOCK', 'LABELS', 'owner', 'worker')
      expect(await candles.write(sides.wire, findings, () => true)).toMatchObject({ samples: 15, superseded: 0 })
      expect(await labels()).toEqual({ owner: 'worker', symbol: 'A', timeframe: 'm1', column: 'close' })
      expect((await info())['duplicatePolicy']).toBe('last')
    })

    it('lets it stand in a series that was there before', async () => {
      await write(3)
      await fill(candles, sides, ['A'])
      await redis('TS.DEL', CLOSE, minute(1), minute(2))
      const { findings } = await look(candles, sides, ['A'])
      await redis('TS.ADD', CLOSE, minute(2), 777)
      expect(await candles.write(sides.wire, findings, () => true)).toMatchObject({ samples: 1, superseded: 1 })
      expect(await values()).toEqual([150, 151.5, 777])
    })

    it('replaces only what still is as it was seen', async () => {
      await write(4)
      await fill(candles, sides, ['A'])
      for (const nth of [0, 1, 3]) await update(nth, '5')
      const { findings } = await look(candles, sides, ['A'])
      await redis('TS.ADD', CLOSE, minute(1), 777)
      expect(await candles.write(sides.wire, findings, () => true)).toMatchObject({
        keys: 1,
        samples: 2,
        superseded: 1,
      })
      expect(await values()).toEqual([5, 777, 153, 5])
    })

    it('leaves what the worker has beyond PostgreSQL', async () => {
      await write(3)
      await redis('TS.ADD', CLOSE, minute(3), 777)
      await fill(candles, sides, ['A'])
      expect(await lacking(candles, sides, ['A'])).toEqual([])
      expect(await values()).toEqual([150, 151.5, 153, 777])
    })

    it('comes to an end whatever the worker does', async () => {
      await write(3)
      await fill(candles, sides, ['A'])
      await redis('TS.ADD', CLOSE, minute(2), 777)
      await redis('TS.DEL', CLOSE, minute(0), minute(0))
      expect((await healed()).tally).toMatchObject({ keys: 1, samples: 2, superseded: 0 })
      expect((await healed()).tally).toMatchObject({ keys: 0, samples: 0 })
    })

    it('fills a series that vanishes and comes back between look and write', async () => {
      await write(3)
      await fill(candles, sides, ['A'])
      await redis('DEL', CLOSE)
      const { findings } = await look(candles, sides, ['A'])
      await redis('TS.CREATE', CLOSE, 'LABELS', 'owner', 'worker')
      await candles.write(sides.wire, findings, () => true)
      expect(await values()).toEqual([150, 151.5, 153])
      expect(await labels()).toEqual({ owner: 'worker', symbol: 'A', timeframe: 'm1', column: 'close' })
    })

    it('rejects where a series vanishes between look and write, and goes on the next time', async () => {
      await write(3)
      await fill(candles, sides, ['A'])
      await redis('TS.DEL', CLOSE, minute(0), minute(1))
      const { findings } = await look(candles, sides, ['A'])
      await redis('DEL', CLOSE)
      await expect(candles.write(sides.wire, findings, () => true)).rejects.toThrow('TSDB')
      await fill(candles, sides, ['A'])
      expect(await values()).toEqual([150, 151.5, 153])
    })
  })

  describe('with retention', () => {
    it.each([
      [0, 10],
      [1, 2],
      [60_000 * 3, 4],
      [60_000 * 3 - 1, 3],
      [60_000 * 100, 10],
    ])('of %i ms holds the newest %i', async (retention, kept) => {
      await write(10)
      await redis('TS.CREATE', CLOSE, 'RETENTION', retention)
      await redis('TS.ADD', CLOSE, minute(9), 163.5)
      if (retention === 1) await redis('TS.ALTER', CLOSE, 'RETENTION', 60_000)
      expect((await healed()).tally).toMatchObject({
        keys: kept === 1 ? 4 : 5,
        samples: 4 * 10 + kept - 1,
        superseded: 0,
      })
      expect(await values()).toHaveLength(kept)
      for (const thorough of [true, false]) expect(await lacking(candles, sides, ['A'], thorough)).toEqual([])
      expect((await healed()).tally).toMatchObject({ keys: 0, samples: 0 })
    })

    it('lacks nothing where all that is wanted is too old', async () => {
      await write(10)
      await redis('TS.CREATE', CLOSE, 'RETENTION', 60_000)
      await redis('TS.ADD', CLOSE, minute(500), 1)
      await healed()
      expect(await lacking(candles, sides, ['A'])).toEqual([])
      expect(await values()).toEqual([1])
    })

    it('fills an empty series from the newest back', async () => {
      await write(10)
      await redis('TS.CREATE', CLOSE, 'RETENTION', 120_000)
      await healed()
      expect(await values()).toEqual([160.5, 162, 163.5])
      expect(await lacking(candles, sides, ['A'])).toEqual([])
    })
  })

  describe('with compaction rules', () => {
    it('fills a series that feeds another', async () => {
      await write(600)
      await redis('TS.CREATE', CLOSE)
      await redis('TS.CREATE', 'avg')
      await redis('TS.CREATERULE', CLOSE, 'avg', 'AGGREGATION', 'avg', 300_000)
      await redis('TS.ADD', CLOSE, minute(599), 1)
      expect((await healed()).tally).toMatchObject({ superseded: 0 })
      expect(await lacking(candles, sides, ['A'])).toEqual([])
      expect((await values('avg')).length).toBeGreaterThan(10)
    })

    it('fills a series that is fed by another', async () => {
      await write(10)
      await redis('TS.CREATE', 'ticks')
      await redis('TS.CREATE', CLOSE, 'LABELS', 'owner', 'worker')
      await redis('TS.CREATERULE', 'ticks', CLOSE, 'AGGREGATION', 'last', 60_000)
      for (const nth of [7, 8, 9, 10]) await redis('TS.ADD', 'ticks', minute(nth) + 5, 150 + 1.5 * nth)
      await healed()
      expect(await lacking(candles, sides, ['A'])).toEqual([])
      expect(await values()).toHaveLength(10)
    })
  })

  it('fills a series that ignores what differs little from the sample before', async () => {
    await insertCandles(
      sides.database,
      'A',
      minutes(10).map(([time]) => [time, '1', '1', '1', '1', '1'] as const),
    )
    await redis('TS.CREATE', CLOSE, 'DUPLICATE_POLICY', 'LAST', 'IGNORE', 3_600_000, 10)
    await healed()
    expect(await values()).toHaveLength(10)
    expect(await lacking(candles, sides, ['A'])).toEqual([])
  })
})

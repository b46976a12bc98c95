import { afterAll, describe, expect, inject, it } from 'vitest'
import type { Dataset } from '../../src/datasets/dataset.js'
import { openDatabase } from '../../src/postgres/database.js'
import {
  candlesOf,
  fill,
  indicatorsOf,
  insertCandles,
  insertIndicator,
  lacking,
  minute,
  minutes,
  useSides,
} from './sides.js'

const ZONES = ['UTC', 'America/New_York', 'Asia/Kolkata', 'Pacific/Kiritimati']

describe('the time zones of Node and PostgreSQL', () => {
  const sides = useSides()
  const { TZ } = process.env
  afterAll(async () => {
    if (TZ === undefined) delete process.env['TZ']
    else process.env['TZ'] = TZ
    await sides.database.query(`ALTER DATABASE "${nameOf(sides.database.url)}" RESET timezone`)
  })
  const datasets = [candlesOf('sortedset'), indicatorsOf()]
  if (inject('hasTimeSeries')) {
    const keys = Object.fromEntries(
      ['open', 'high', 'low', 'close', 'volume'].map((name) => [name, `ts:{symbol}:${name}`]),
    )
    datasets.push(candlesOf('timeseries', { keys: keys as never }))
  }

  it('change no byte in Redis', async () => {
    // Two of these lie in the hours that New York skips and repeats.
    const odd = ['2025-03-09 02:30:00', '2025-11-02 01:30:00.5', '2025-06-15 23:59:59.999', '1970-01-01 00:00:00']
    await insertCandles(sides.database, 'A', [...minutes(3), ...odd.map((time) => [time] as const)])
    for (const [i, time] of odd.entries())
      await insertIndicator(sides.database, { symbol: 'A' }, [['x', String(i), time]])
    const pictures = new Map<string, unknown>()
    for (const node of ZONES) {
      for (const postgres of ZONES) pictures.set(`${node}, ${postgres}`, await pictureIn(node, postgres))
    }
    const [first] = pictures.values()
    expect(Object.keys(first as object)).toHaveLength(datasets.length === 3 ? 7 : 2)
    for (const [zones, picture] of pictures) expect(picture, zones).toEqual(first)
    expect(await sides.redis('ZSCORE', 'ohlcv:A:m1', memberAt(minute(0)))).toBe(String(minute(0)))
  })

  /** What lies in Redis, by key, after everything was read and written in these zones. */
  async function pictureIn(node: string, postgres: string): Promise<Record<string, unknown>> {
    process.env['TZ'] = node
    // The process follows, as one that was started so.
    expect(new Date('2025-06-01T00:00:00').getTime()).toBe(midnightIn(node))
    await sides.database.query(`ALTER DATABASE "${nameOf(sides.database.url)}" SET timezone TO '${postgres}'`)
    const db = openDatabase(sides.database.url, 'postgres')
    try {
      expect(await db.query('SHOW timezone', [])).toEqual([{ TimeZone: 'UTC' }])
      await sides.redis('FLUSHALL')
      for (const dataset of datasets as Dataset[]) {
        await fill(dataset, { ...sides, db }, ['A'])
        expect(await lacking(dataset, { ...sides, db }, ['A'])).toEqual([])
      }
    } finally {
      await db.close()
    }
    const keys = ((await sides.redis('KEYS', '*')) as string[]).sort()
    const hash = "return redis.sha1hex(redis.call('DUMP', KEYS[1]))"
    return Object.fromEntries(
      await Promise.all(keys.map(async (key) => [key, await sides.redis('EVAL', hash, 1, key)])),
    )
  }
})

function nameOf(url: string): string {
  return decodeURIComponent(new URL(url).pathname.slice(1))
}

function memberAt(time: number): string {
  return `{"t":${time},"o":100,"h":200,"l":50,"c":150,"v":1000}`
}

/** Midnight of 2025-06-01 by the clocks of a zone, in ms. */
function midnightIn(zone: string): number {
  const hours = { UTC: 0, 'America/New_York': -4, 'Asia/Kolkata': 5.5, 'Pacific/Kiritimati': 14 }[zone] ?? 0
  return minute(0) - hours * 3_600_000
}

import { describe, expect, it } from 'vitest'
import type { Lack } from '../../src/model.js'
import { fill, indicatorsOf, insertIndicator, lacking, look, useSides } from './sides.js'

const KEY = 'indicator:A:m1'

describe('indicators', () => {
  const sides = useSides()
  const { redis, database } = sides
  const indicators = indicatorsOf()
  const hash = async (key = KEY): Promise<Record<string, string>> => {
    const flat = (await redis('HGETALL', key)) as string[]
    return Object.fromEntries(flat.flatMap((field, i) => (i % 2 === 0 ? [[field, flat[i + 1] as string]] : [])))
  }
  const insert = (values: Parameters<typeof insertIndicator>[2], more = {}): Promise<number> =>
    insertIndicator(database, { symbol: 'A', ...more }, values)

  it('fills one hash a symbol and timeframe, after which nothing lacks and nothing is written', async () => {
    await insert([
      ['rsi_14', '61.5'],
      ['rsi_14', '60', '2025-05-31'],
      ['ema_9', '0.1'],
    ])
    await insert([['rsi_14', '40']], { timeframe: 'm5' })
    await insert([['rsi_14', '30']], { symbol: 'B' })
    for (const thorough of [true, false]) expect(await lacking(indicators, sides, ['A', 'B'], thorough)).toHaveLength(3)
    const written = { keys: 3, samples: 0, fields: 4, superseded: 0, leftOut: 0 }
    expect(await fill(indicators, sides, ['A', 'B'])).toEqual(written)
    expect(await hash()).toEqual({ rsi_14: '61.5', ema_9: '0.1' })
    expect(await hash('indicator:A:m5')).toEqual({ rsi_14: '40' })
    expect(await hash('indicator:B:m1')).toEqual({ rsi_14: '30' })
    for (const thorough of [true, false]) expect(await lacking(indicators, sides, ['A', 'B'], thorough)).toEqual([])
    expect(await fill(indicators, sides, ['A', 'B'])).toMatchObject({ keys: 0, fields: 0 })
  })

  it('reads only the timeframes that are asked for', async () => {
    await insert([['a', '1']])
    await insert([['b', '2']], { timeframe: 'm5' })
    const options = { thorough: false, parts: new Set(['m5', 'm15']) }
    const { wanted } = await indicators.read(sides.db, ['A'], options)
    expect(wanted.map(({ key }) => key)).toEqual(['indicator:A:m5'])
  })

  it.each<[string, Lack['kind'], Partial<Lack>, (string | number)[][]]>([
    ['a hash that is gone', 'missing', { missing: 3, differing: 0 }, [['DEL', KEY]]],
    ['a field that is gone', 'hole', { missing: 1, differing: 0 }, [['HDEL', KEY, 'b']]],
    ['a value that differs', 'differs', { missing: 0, differing: 1 }, [['HSET', KEY, 'b', 5]]],
    ['an empty value', 'differs', { missing: 0, differing: 1 }, [['HSET', KEY, 'zero', '']]],
    [
      'one of each',
      'hole',
      { missing: 1, differing: 1 },
      [
        ['HDEL', KEY, 'a'],
        ['HSET', KEY, 'b', 'x'],
      ],
    ],
    [
      'only fields of others',
      'hole',
      { missing: 3, differing: 0 },
      [
        ['DEL', KEY],
        ['HSET', KEY, 'other', 1],
      ],
    ],
  ])('sees and heals %s', async (_, kind, counts, commands) => {
    await insert([
      ['a', '1'],
      ['b', '2'],
      ['zero', '0'],
    ])
    await fill(indicators, sides, ['A'])
    for (const command of commands) await redis(...command)
    expect(await lacking(indicators, sides, ['A'])).toEqual([{ key: KEY, kind, ...counts }])
    const fields = (counts.missing ?? 0) + (counts.differing ?? 0)
    expect(await fill(indicators, sides, ['A'])).toMatchObject({ keys: 1, fields, superseded: 0 })
    expect(await lacking(indicators, sides, ['A'])).toEqual([])
    expect(await hash()).toMatchObject({ a: '1', b: '2', zero: '0' })
  })

  it('leaves what differs if it is not to be replaced, and fills the rest', async () => {
    await insert([
      ['a', '1'],
      ['b', '2'],
    ])
    await redis('HSET', KEY, 'a', 7)
    const { findings } = await look(indicators, sides, ['A'])
    expect(await indicators.write(sides.wire, findings, () => false)).toMatchObject({ fields: 1, superseded: 0 })
    expect(await hash()).toEqual({ a: '7', b: '2' })
  })

  it('moves aside what is no hash', async () => {
    await insert([['a', '1']])
    await redis('SET', KEY, 'in the way')
    expect(await lacking(indicators, sides, ['A'])).toEqual([
      { key: KEY, kind: 'wrong_type', missing: 1, differing: 0 },
    ])
    expect(await fill(indicators, sides, ['A'])).toMatchObject({ keys: 1, fields: 1, superseded: 0 })
    expect(await hash()).toEqual({ a: '1' })
    expect(await redis('GET', `rekindle:aside:${KEY}`)).toBe('in the way')
  })

  it('writes hashes of many fields', async () => {
    const many = Array.from({ length: 1050 }, (_, i): [string, string] => [`p${i}`, String(i / 7)])
    await insert(many)
    expect(await fill(indicators, sides, ['A'])).toMatchObject({ keys: 1, fields: 1050 })
    expect(await redis('HLEN', KEY)).toBe(1050)
    expect(await lacking(indicators, sides, ['A'])).toEqual([])
  })

  it('reports fields that PostgreSQL no longer knows, and leaves them', async () => {
    const id = await insert([
      ['x', '1'],
      ['old', '2'],
    ])
    await fill(indicators, sides, ['A'])
    await database.query("DELETE FROM indicator_values_v4 WHERE instance_id = $1 AND param_name = 'old'", [id])
    const { findings, lacks } = await look(indicators, sides, ['A'])
    expect(lacks).toEqual([])
    expect(findings.map(({ orphans }) => orphans)).toEqual([['old']])
    await fill(indicators, sides, ['A'])
    expect(await hash()).toEqual({ x: '1', old: '2' })
  })

  it('finds a parameter whose newest value lies far back by the thorough look, and keeps it by the quick one', async () => {
    const hours = Array.from({ length: 3_000 }, (_, i) => new Date(Date.UTC(2025, 0, 1, i)).toISOString())
    await insert([
      ['rare', '7', '2024-12-31'],
      ...hours.map((time, i): [string, string, string] => ['x', String(i), time]),
    ])
    await fill(indicators, sides, ['A'], false)
    expect(await hash()).toMatchObject({ x: '2999' })
    await fill(indicators, sides, ['A'], true)
    expect(await hash()).toEqual({ x: '2999', rare: '7' })
    for (const thorough of [true, false]) expect(await lacking(indicators, sides, ['A'], thorough)).toEqual([])
    await fill(indicators, sides, ['A'], false)
    expect(await hash()).toEqual({ x: '2999', rare: '7' })
  })

  it('is polled by all that is wanted, and in between by what is newest', async () => {
    const minutes = Array.from({ length: 40 }, (_, i) => new Date(Date.UTC(2025, 0, 1, 0, i)).toISOString())
    const id = await insert([
      ['rare', '7', '2024-12-31'],
      ...minutes.map((time, i): [string, string, string] => ['x', String(i), time]),
    ])
    const look = async () => ({
      whole: await indicators.polling?.fingerprints(sides.db, ['A']),
      glance: await indicators.polling?.glance?.(sides.db, ['A']),
    })
    const before = await look()
    expect([before.whole, before.glance]).toEqual([
      [{ symbol: 'A', part: 'm1', fingerprint: expect.any(String) }],
      [{ symbol: 'A', part: 'm1', fingerprint: expect.stringMatching(/^32:/) }],
    ])
    expect(await look()).toEqual(before)
    const set = (param: string) =>
      database.query('UPDATE indicator_values_v4 SET value = value + 1 WHERE instance_id = $1 AND param_name = $2', [
        id,
        param,
      ])
    await set('rare')
    const rare = await look()
    expect(rare.whole).not.toEqual(before.whole)
    expect(rare.glance).toEqual(before.glance)
    await set('x')
    const newest = await look()
    expect(newest.whole).not.toEqual(rare.whole)
    expect(newest.glance).not.toEqual(rare.glance)
  })

  it('reads other tables and columns if it is told to', async () => {
    await database.query('CREATE SCHEMA IF NOT EXISTS "My Own"')
    await database.query('DROP TABLE IF EXISTS "My Own"."Values", "My Own".things')
    await database.query(`CREATE TABLE "My Own".things (nr int, coin text, "Frame" text, "on" bool)`)
    await database.query(
      `CREATE TABLE "My Own"."Values" (nr int, coin text, at timestamptz, what text, "how much" real, changed date)`,
    )
    await database.query(`INSERT INTO "My Own".things VALUES (1, 'A', '1h', true)`)
    await database.query(`INSERT INTO "My Own"."Values" VALUES (1, 'A', now(), 'x', 0.1, now())`)
    const own = indicatorsOf({
      instances: 'My Own.things',
      values: 'My Own.Values',
      key: '{timeframe}|{symbol}',
      columns: {
        instance: { id: 'nr', symbol: 'coin', timeframe: 'Frame', enabled: 'on' },
        value: { instance: 'nr', symbol: 'coin', time: 'at', param: 'what', value: 'how much', updated: 'changed' },
      },
    })
    for (const thorough of [true, false]) await fill(own, sides, ['A'], thorough)
    expect(await hash('1h|A')).toEqual({ x: '0.1' })
  })

  describe('beside a live worker', () => {
    it('lets stand what was written or changed since the look', async () => {
      await insert(['a', 'b', 'c', 'd'].map((name, i) => [name, String(i + 1)]))
      await redis('HSET', KEY, 'a', 10, 'b', 20)
      const { findings } = await look(indicators, sides, ['A'])
      await redis('HSET', KEY, 'b', 99, 'c', 99)
      expect(await indicators.write(sides.wire, findings, () => true)).toMatchObject({
        keys: 1,
        fields: 2,
        superseded: 2,
      })
      expect(await hash()).toEqual({ a: '1', b: '99', c: '99', d: '4' })
    })

    it('lets stand a field that was emptied since the look', async () => {
      await insert([['a', '1']])
      const { findings } = await look(indicators, sides, ['A'])
      await redis('HSET', KEY, 'a', '')
      expect(await indicators.write(sides.wire, findings, () => true)).toMatchObject({ fields: 0, superseded: 1 })
    })

    it('replaces what was removed meanwhile at the next look', async () => {
      await insert([['a', '1']])
      await redis('HSET', KEY, 'a', 9)
      const { findings } = await look(indicators, sides, ['A'])
      await redis('DEL', KEY)
      await indicators.write(sides.wire, findings, () => true)
      await fill(indicators, sides, ['A'])
      expect(await hash()).toEqual({ a: '1' })
    })

    it('keeps the fields of others, also binary ones', async () => {
      await insert([['a', '1']])
      const { findings } = await look(indicators, sides, ['A'])
      await redis('EVAL', "return redis.call('HSET', KEYS[1], '\\255\\0', '\\254', 'price', '5')", 1, KEY)
      await indicators.write(sides.wire, findings, () => true)
      expect(await redis('HLEN', KEY)).toBe(3)
      expect(await redis('EVAL', "return redis.call('HGET', KEYS[1], '\\255\\0') == '\\254' and 1 or 0", 1, KEY)).toBe(
        1,
      )
      expect(await lacking(indicators, sides, ['A'])).toEqual([])
    })

    it('reports a value that is no text, and leaves it', async () => {
      await insert([['a', '1']])
      await redis('EVAL', "return redis.call('HSET', KEYS[1], 'a', '\\255\\254')", 1, KEY)
      expect(await fill(indicators, sides, ['A'])).toMatchObject({ fields: 0, superseded: 1 })
      expect(await lacking(indicators, sides, ['A'])).toEqual([{ key: KEY, kind: 'differs', missing: 0, differing: 1 }])
    })
  })
})

import { describe, expect, it } from 'vitest'
import { expiryOf } from '../../src/datasets/rows-expiry.js'
import { LANE, rowsOf } from './rows-sides.js'
import { fill, lacking, look, useSides } from './sides.js'

describe('rows', () => {
  const sides = useSides()
  const { redis, database } = sides
  const create = (columns: string) =>
    database.query('DROP TABLE IF EXISTS things').then(() => database.query(`CREATE TABLE things (${columns})`))

  it('keep every digit, and write every type as JSON does', async () => {
    await create(`id bigint, n numeric, f float8, b bool, d date, t timestamp, z timestamptz, j jsonb, a text[], y bytea,
      u uuid, nothing text, i interval`)
    await database.query(`INSERT INTO things VALUES (9223372036854775807, 12345678901234567890.123, 0.1, true, '2025-06-01',
      '2025-06-01 12:00:00.5', '2025-06-01 12:00:00+02', '{"a": [1.10, null]}', ARRAY['x', 'y"', NULL], '\\x00ff',
      'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', NULL, '1 day')`)
    await fill(rowsOf({ table: 'things', key: 'h:{id}' }), sides, LANE)
    const flat = (await redis('HGETALL', 'h:9223372036854775807')) as string[]
    const held = Object.fromEntries(flat.flatMap((field, i) => (i % 2 === 0 ? [[field, flat[i + 1]]] : [])))
    expect(held).toMatchObject({
      id: '9223372036854775807',
      n: '12345678901234567890.123',
      f: '0.1',
      b: 'true',
      d: '2025-06-01',
      t: '2025-06-01T12:00:00.5',
      j: '{"a": [1.10, null]}',
      a: '["x","y\\"",null]',
      y: '\\x00ff',
      u: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    })
    expect(Date.parse(held['z'] ?? '')).toBe(Date.UTC(2025, 5, 1, 10))
    expect(held).not.toHaveProperty('nothing')
    const json = rowsOf({
      table: 'things',
      key: 'j:{id}',
      type: 'json',
      fields: { n: 'n', a: 'a', nothing: 'nothing' },
    })
    await fill(json, sides, LANE)
    expect(await redis('GET', 'j:9223372036854775807')).toBe(
      '{"n":12345678901234567890.123,"a":["x","y\\"",null],"nothing":null}',
    )
    await redis('SET', 'j:9223372036854775807', '{"n":12345678901234567890.124,"a":["x","y\\"",null],"nothing":null}')
    expect(await lacking(json, sides, LANE)).toMatchObject([{ kind: 'differs' }])
  })

  it('take any text, also in keys', async () => {
    const nasty = ['{braces}', '*?[a-z]\\', '"\'`$1', '日本 🚀', ' ', '\u0001\n\r\t', 'x'.repeat(1_000_000)]
    await create('name text, value text')
    for (const text of nasty) {
      await database.query('INSERT INTO things VALUES ($1, $2)', [text.slice(0, 100), text])
    }
    for (const type of ['string', 'hash', 'json']) {
      const dataset = rowsOf({
        table: 'things',
        key: `${type}:{name}`,
        type,
        ...(type === 'string' && { value: 'value' }),
      })
      expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: nasty.length, superseded: 0 })
      expect(await lacking(dataset, sides, LANE)).toEqual([])
      for (const text of nasty) {
        const key = `${type}:${text.slice(0, 100)}`
        if (type === 'string') expect(await redis('GET', key)).toBe(text)
        else if (type === 'hash') expect(await redis('HGET', key, 'value')).toBe(text)
        else expect(JSON.parse((await redis('GET', key)) as string)).toEqual({ name: text.slice(0, 100), value: text })
      }
    }
  })

  it('take JSON that PostgreSQL has no text for, beside rows with all their digits', async () => {
    await create('id int, j json, n numeric, t text')
    await database.query(`INSERT INTO things VALUES (1, '{"a":"\\u0000"}', 1.50), (2, '"\\u0000"', 1e20), (3, '"x"', 0.10),
      (4, '"\\ud800"', 12345678901234567890.10), (5, '[1.0, null]', NULL), (6, 'null', 1)`)
    await database.query('UPDATE things SET t = $1', ['"\\u0041\\f\n\u0001é"'])
    for (const fields of [undefined, { id: 'id', j: 'j', n: 'n' }]) {
      const hashes = rowsOf({ table: 'things', key: 'h:{id}', ...(fields && { fields }) })
      await redis('FLUSHALL')
      expect(await fill(hashes, sides, LANE)).toMatchObject({ keys: 6 })
      expect(await lacking(hashes, sides, LANE)).toEqual([])
      if (!fields) expect(await redis('HGET', 'h:1', 't')).toBe('"\\u0041\\f\n\u0001é"')
      const held = [1, 2, 3, 4, 5, 6].map((id) => redis('HMGET', `h:${id}`, 'j', 'n'))
      expect(await Promise.all(held)).toEqual([
        ['{"a":"\\u0000"}', '1.50'],
        ['\0', '100000000000000000000'],
        ['x', '0.10'],
        ['\uFFFD', '12345678901234567890.10'],
        ['[1.0, null]', null],
        [null, '1'],
      ])
    }
    const strings = rowsOf({ table: 'things', key: 's:{id}', type: 'string', value: 'j' })
    expect(await fill(strings, sides, LANE)).toMatchObject({ keys: 3 })
    expect(await redis('MGET', 's:1', 's:2', 's:3')).toEqual(['{"a":"\\u0000"}', null, 'x'])
    const json = rowsOf({ table: 'things', key: 'j:{id}', type: 'json' })
    expect(await fill(json, sides, LANE)).toMatchObject({ keys: 6 })
    expect(await redis('GET', 'j:1')).toContain('{"id":1,"j":{"a":"\\u0000"},"n":1.50,')
  })

  it('give parts that are found again, whatever their type and the time zone', async () => {
    await create('a timestamptz, b jsonb, c numeric, d varchar(9), e bytea, f bool, value text')
    await database.query(
      `INSERT INTO things VALUES ('2025-06-01 12:00+00', '{"k": [1]}', 1.50, 'x"', '\\x00ff', true, 'v')`,
    )
    const dataset = rowsOf({ table: 'things', key: '{a}|{b}|{c}|{d}|{e}|{f}', type: 'string', value: 'value' })
    const [part] = await database.query<{ part: string }>(
      `SELECT jsonb_build_array(a, b, c, d, e, f)::text AS part FROM things,
         (SELECT set_config('TimeZone', 'Asia/Tokyo', false)) AS zone`,
    )
    const { wanted } = await dataset.read(sides.db, LANE, { thorough: false, parts: new Set([part?.part ?? '']) })
    expect(wanted).toMatchObject([{ body: 'v' }])
  })

  it('leave out what gives no key, has nothing to hold, or would stand among the marks', async () => {
    await create('id text, value text')
    await database.query(
      `INSERT INTO things VALUES (NULL, 'a'), ('', 'b'), ('c', NULL), ('rekindle:epoch', 'd'), ('e', 'e')`,
    )
    const strings = await look(rowsOf({ table: 'things', key: '{id}', type: 'string', value: 'value' }), sides, LANE)
    expect(strings.findings.map(({ wanted }) => wanted.key)).toEqual(['e'])
    expect([...strings.leftOut]).toEqual([['rows.x', 4]])
    const hashes = await look(rowsOf({ table: 'things', key: 'h:{id}', fields: { value: 'value' } }), sides, LANE)
    expect(hashes.findings.map(({ wanted }) => wanted.key)).toEqual(['h:rekindle:epoch', 'h:e'])
    expect([...hashes.leftOut]).toEqual([['rows.x', 3]])
  })

  it('fill hashes of very many fields', async () => {
    await create('id int')
    const fields = Object.fromEntries(Array.from({ length: 350 }, (_, i) => [`f${i}`, 'id']))
    await database.query('INSERT INTO things VALUES (1)')
    const dataset = rowsOf({ table: 'things', key: 'h:{id}', fields })
    expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: 1, fields: 350 })
    expect(await lacking(dataset, sides, LANE)).toEqual([])
  })

  it('tell by a fingerprint that something changed, in any order of the rows', async () => {
    await create('id int, symbol text, value json')
    const own = rowsOf({ table: 'things', key: 'h:{id}' })
    const bySymbol = rowsOf({ table: 'things', key: 'h:{symbol}:{id}', symbol: 'symbol' })
    const prints = async () => [
      await own.polling?.fingerprints(sides.db, []),
      await bySymbol.polling?.fingerprints(sides.db, []),
    ]
    expect(await prints()).toEqual([[{ symbol: 'rows.x', fingerprint: '0:0' }], []])
    await database.query(`INSERT INTO things VALUES (1, 'A', '1'), (2, 'A', '2'), (3, NULL, '3')`)
    const [all, each] = await prints()
    expect(each).toMatchObject([{ symbol: 'A' }])
    await database.query(`DELETE FROM things; INSERT INTO things VALUES (3, NULL, '3'), (2, 'A', '2'), (1, 'A', '1')`)
    expect(await prints()).toEqual([all, each])
    await database.query("UPDATE things SET value = '4' WHERE id = 3")
    const [other, same] = await prints()
    expect(other).not.toEqual(all)
    expect(same).toEqual(each)
  })

  describe('that expire', () => {
    const columns = ['timestamp', 'timestamptz', 'float8', 'numeric']
    const at = (seconds: number) => `now() + interval '${seconds} seconds'`
    const expression = (type: string, seconds: number) => {
      if (type === 'timestamp') return `(${at(seconds)}) AT TIME ZONE 'UTC'`
      return type === 'timestamptz' ? at(seconds) : `extract(epoch FROM ${at(seconds)})`
    }

    for (const kind of ['hash', 'string', 'json']) {
      const config = {
        table: 'things',
        key: 'k:{id}',
        type: kind,
        expires: 'until',
        ...(kind === 'string' ? { value: 'id' } : { fields: { id: 'id' } }),
      }

      it.each(columns)(`have the moment from a %s: ${kind}`, async (type) => {
        await create(`id int, until ${type}`)
        await database.query(`INSERT INTO things VALUES (1, ${expression(type, 100)}), (2, NULL),
          (3, ${expression(type, -5)}), (4, 'infinity'), (5, '-infinity'), (6, ${expression(type, 0.5)})`)
        const dataset = rowsOf(config)
        const { findings, leftOut } = await look(dataset, sides, LANE)
        expect(findings.map(({ wanted }) => wanted.key)).toEqual(['k:1', 'k:2', 'k:4'])
        expect(leftOut.size).toBe(0)
        expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: 3 })
        const ttl = Number(await redis('PTTL', 'k:1'))
        expect(ttl).toBeGreaterThan(90_000)
        expect(ttl).toBeLessThanOrEqual(100_000)
        expect(await redis('PTTL', 'k:2')).toBe(-1)
        expect(await redis('PTTL', 'k:4')).toBe(-1)
        expect(await lacking(dataset, sides, LANE)).toEqual([])
      })

      it(`are mended where the moment alone is another: ${kind}`, async () => {
        await create('id int, until timestamptz')
        await database.query(`INSERT INTO things VALUES (1, ${at(100)}), (2, NULL), (3, ${at(100)}), (4, ${at(100)})`)
        const dataset = rowsOf(config)
        await fill(dataset, sides, LANE)
        await redis('PERSIST', 'k:1')
        await redis('EXPIRE', 'k:2', 50)
        await redis('EXPIRE', 'k:3', 50)
        await redis('PEXPIRE', 'k:4', 99_000)
        const differs = { kind: 'differs', missing: 0, differing: 1 }
        expect(await lacking(dataset, sides, LANE)).toEqual(['k:1', 'k:2', 'k:3'].map((key) => ({ key, ...differs })))
        const { findings } = await look(dataset, sides, LANE)
        expect(findings[0]?.lack?.picture).toBe((await look(dataset, sides, LANE)).findings[0]?.lack?.picture)
        expect(await dataset.write(sides.wire, findings, () => false)).toMatchObject({ fields: 0 })
        // A worker was there meanwhile.
        await redis('EXPIRE', 'k:3', 20)
        expect(await dataset.write(sides.wire, findings, () => true)).toMatchObject({ fields: 0, superseded: 1 })
        expect(await lacking(dataset, sides, LANE)).toMatchObject([{ key: 'k:3' }])
        expect(Number(await redis('TTL', 'k:1'))).toBeGreaterThan(90)
        expect(await redis('TTL', 'k:2')).toBe(-1)
        await fill(dataset, sides, LANE)
        expect(Number(await redis('TTL', 'k:3'))).toBeGreaterThan(90)
      })
    }

    it('are left out, and named, where it is no moment', async () => {
      await create('id int, until text')
      await database.query(`INSERT INTO things VALUES (1, 'soon'), (2, '2999-01-01')`)
      const dataset = rowsOf({ table: 'things', key: 'k:{id}', expires: 'until' })
      const { wanted, leftOut, defect } = await dataset.read(sides.db, LANE, { thorough: true, parts: undefined })
      expect(wanted).toMatchObject([{ key: 'k:2', expires: Date.UTC(2999, 0, 1) }])
      expect([...leftOut]).toEqual([['rows.x', 1]])
      expect(defect).toMatchObject({ message: expect.stringContaining('"soon" is no moment'), passing: false })
    })

    it('are left as they are, and named, where a number can only count milliseconds', async () => {
      await create('id int, until bigint')
      await database.query('INSERT INTO things VALUES (1, 1900000000000), (2, 1900000000)')
      await redis('HSET', 'k:1', 'id', 'old')
      await redis('EXPIRE', 'k:1', 100)
      const dataset = rowsOf({ table: 'things', key: 'k:{id}', expires: 'until' })
      const { defect } = await dataset.read(sides.db, LANE, { thorough: true, parts: undefined })
      expect(defect).toMatchObject({
        message: 'rows.x: "1900000000000" is no moment at which a key can expire; such rows are left out',
        hint: 'rows.x.expires should name a timestamp, or a number of seconds (not milliseconds) since 1970',
      })
      expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: 1 })
      expect(await redis('HGETALL', 'k:1')).toEqual(['id', 'old'])
      expect(await redis('TTL', 'k:1')).toBeGreaterThan(90)
    })
  })
})

describe('expiryOf', () => {
  it.each<[string | null, number | undefined | 'odd']>([
    [null, undefined],
    ['infinity', undefined],
    ['Infinity', undefined],
    ['-infinity', 0],
    ['1750000000', 1_750_000_000_000],
    ['1750000000.9999', 1_750_000_000_999],
    ['-5', 0],
    ['1e300', undefined],
    ['4102444800', 4_102_444_800_000],
    ['253402300799', 253_402_300_799_000],
    ['1750000000000', 'odd'],
    ['1750000000000.5', 'odd'],
    ['1750000000000000', 'odd'],
    ['1750000000000000000', 'odd'],
    ['9223372036854775807', undefined],
    ['2025-06-01', Date.UTC(2025, 5, 1)],
    ['2025-06-01T01:02:03', Date.UTC(2025, 5, 1, 1, 2, 3)],
    ['2025-06-01T01:02:03.456789', Date.UTC(2025, 5, 1, 1, 2, 3, 456)],
    ['2025-06-01T01:02:03+02:00', Date.UTC(2025, 4, 31, 23, 2, 3)],
    ['2025-06-01T01:02:03-05:30', Date.UTC(2025, 5, 1, 6, 32, 3)],
    ['0044-03-15T00:00:00 BC', 0],
    ['294276-12-31T00:00:00', undefined],
    ['NaN', 'odd'],
    ['true', 'odd'],
    ['', 'odd'],
  ])('%s is %s', (text, moment) => {
    expect(expiryOf(text)).toBe(moment)
  })
})

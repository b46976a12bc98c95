import { beforeEach, describe, expect, it } from 'vitest'
import { rowsSql } from '../../src/datasets/rows-sql.js'
import { openDatabase } from '../../src/postgres/database.js'
import { LANE, rowsOf } from './rows-sides.js'
import { fill, lacking, look, useSides } from './sides.js'

const HASH = { table: 'plans', key: 'sub:{id}' }
const STRING = { table: 'plans', key: 'tok:{id}', type: 'string', value: 'plan' }
const JSON_TEXT = { table: 'plans', key: 'doc:{id}', type: 'json' }

describe('rows', () => {
  const sides = useSides()
  const { redis, database } = sides

  beforeEach(async () => {
    await database.query('DROP TABLE IF EXISTS plans')
    await database.query('CREATE TABLE plans (id int, plan text, left_over numeric, symbol text)')
  })
  const insert = (...rows: string[]) => database.query(`INSERT INTO plans VALUES ${rows.join(', ')}`)
  const hash = async (key: string): Promise<Record<string, string>> => {
    const flat = (await redis('HGETALL', key)) as string[]
    return Object.fromEntries(flat.flatMap((field, i) => (i % 2 === 0 ? [[field, flat[i + 1] as string]] : [])))
  }

  it.each([
    ['hashes', HASH, 'sub', 6],
    ['strings', STRING, 'tok', 2],
    ['JSON', JSON_TEXT, 'doc', 2],
  ])('fill %s, after which nothing lacks and nothing is written', async (_, config, prefix, fields) => {
    const dataset = rowsOf(config)
    await insert("(1, 'free', 1.50, 'A')", "(2, 'paid', NULL, NULL)")
    const values = prefix === 'sub' ? [4, 2] : [1, 1]
    expect(await lacking(dataset, sides, LANE)).toEqual([
      { key: `${prefix}:1`, kind: 'missing', missing: values[0], differing: 0 },
      { key: `${prefix}:2`, kind: 'missing', missing: values[1], differing: 0 },
    ])
    expect(await fill(dataset, sides, LANE)).toEqual({ keys: 2, samples: 0, fields, superseded: 0, leftOut: 0 })
    for (const thorough of [true, false]) expect(await lacking(dataset, sides, LANE, thorough)).toEqual([])
    expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: 0, fields: 0 })
    if (prefix === 'sub') {
      expect(await hash('sub:1')).toEqual({ id: '1', plan: 'free', left_over: '1.50', symbol: 'A' })
      expect(await hash('sub:2')).toEqual({ id: '2', plan: 'paid' })
    } else if (prefix === 'tok') expect(await redis('MGET', 'tok:1', 'tok:2')).toEqual(['free', 'paid'])
    else expect(await redis('GET', 'doc:2')).toBe('{"id":2,"plan":"paid","left_over":null,"symbol":null}')
  })

  it.each([
    ['hash', { p: 'plan', 'o"d\'d': 'left_over' }, { p: 'free', 'o"d\'d': '1.50' }],
    ['json', { p: 'plan', 'o"d\'d': 'left_over' }, '{"p":"free","o\\"d\'d":1.50}'],
  ])('hold the fields that are named: %s', async (type, fields, held) => {
    await insert("(1, 'free', 1.50, 'A')")
    await fill(rowsOf({ ...HASH, type, fields }), sides, LANE)
    expect(type === 'json' ? await redis('GET', 'sub:1') : await hash('sub:1')).toEqual(held)
  })

  it('come from a query as well, whatever it ends with', async () => {
    await insert("(1, 'free', 1, 'A')", "(2, 'paid', 1, 'A')")
    const query = "WITH p AS (SELECT * FROM plans) SELECT id, upper(plan) AS plan FROM p WHERE plan <> 'free' ; "
    await fill(rowsOf({ query, key: 'q:{plan}:{id}' }), sides, LANE)
    await fill(rowsOf({ query: 'SELECT * FROM plans WHERE id = 1 -- only', key: 'one:{id}' }), sides, LANE)
    expect(((await redis('KEYS', '*')) as string[]).sort()).toEqual(['one:1', 'q:PAID:2'])
  })

  it('belong to the symbol that their column names', async () => {
    const dataset = rowsOf({ ...HASH, key: 'sub:{symbol}:{id}', symbol: 'symbol' })
    expect(dataset.lane).toBeUndefined()
    await insert("(1, 'free', 1, 'A')", "(2, 'paid', 1, 'B')", "(3, 'paid', 1, 'C')", "(4, 'paid', 1, NULL)")
    const { findings } = await look(dataset, sides, ['A', 'B'])
    expect(findings.map(({ wanted }) => [wanted.symbol, wanted.key])).toEqual([
      ['A', 'sub:A:1'],
      ['B', 'sub:B:2'],
    ])
  })

  it('are read as the parts that are asked for, and tell which keys are wanted no more', async () => {
    await insert("(1, 'free', 1, 'A')", "(2, 'paid', 1, 'B')")
    const dataset = rowsOf(HASH)
    const read = (symbols: readonly string[], ...parts: string[]) =>
      dataset.read(sides.db, symbols, { thorough: false, parts: new Set(parts) })
    const { wanted, unwanted } = await read(LANE, '[2]', '[7]')
    expect(wanted.map(({ key }) => key)).toEqual(['sub:2'])
    expect(unwanted).toEqual(['sub:7'])
    // What somebody else has announced is no reason to miss anything.
    expect((await read(LANE, 'nonsense')).wanted).toHaveLength(2)
    const bySymbol = rowsOf({ ...HASH, symbol: 'symbol' })
    const moved = await bySymbol.read(sides.db, ['A'], { thorough: false, parts: new Set(['[1]', '[2]']) })
    expect(moved.wanted.map(({ key }) => key)).toEqual(['sub:1'])
    expect(moved.unwanted).toEqual(['sub:2'])
  })

  it('read a few parts of many by their index', async () => {
    await database.query("INSERT INTO plans SELECT n, 'free', n, 'A' FROM generate_series(1, 20000) AS n")
    await database.query('CREATE UNIQUE INDEX ON plans (id)')
    await database.query('ANALYZE plans')
    const sql = rowsSql({ ...HASH, type: 'hash', writers: 'auto' }, true)
    const plan = await sides.db.query<Record<string, string>>(`EXPLAIN ${sql}`, [['[2]', '[19999]']])
    expect(JSON.stringify(plan)).toMatch(/Index Scan using plans_id_idx/)
    const parts = new Set(['[2]', '[19999]', '["2"]', '[null]'])
    const { wanted } = await rowsOf(HASH).read(sides.db, LANE, { thorough: false, parts })
    expect(wanted.map(({ key }) => key)).toEqual(['sub:2', 'sub:19999'])
  })

  describe('that are damaged', () => {
    it.each<[string, object, string, (string | number)[][], string, number, number]>([
      ['a hash that is gone', HASH, 'sub:1', [['DEL', 'sub:1']], 'missing', 4, 0],
      ['a field that is gone', HASH, 'sub:1', [['HDEL', 'sub:1', 'plan']], 'hole', 1, 0],
      ['a field that differs', HASH, 'sub:1', [['HSET', 'sub:1', 'plan', '']], 'differs', 0, 1],
      ['a number written otherwise', HASH, 'sub:1', [['HSET', 'sub:1', 'left_over', '1.5']], 'differs', 0, 1],
      ['a hash that expires', HASH, 'sub:1', [['EXPIRE', 'sub:1', 60]], 'differs', 0, 1],
      ['a string that is gone', STRING, 'tok:1', [['DEL', 'tok:1']], 'missing', 1, 0],
      ['a string that differs', STRING, 'tok:1', [['SET', 'tok:1', 'free ']], 'differs', 0, 1],
      ['a string that is empty', STRING, 'tok:1', [['SET', 'tok:1', '']], 'differs', 0, 1],
      ['a string that expires', STRING, 'tok:1', [['EXPIRE', 'tok:1', 60]], 'differs', 0, 1],
      ['JSON that differs', JSON_TEXT, 'doc:1', [['SET', 'doc:1', '{"id":1}']], 'differs', 0, 1],
      ['what is no JSON', JSON_TEXT, 'doc:1', [['SET', 'doc:1', 'x']], 'differs', 0, 1],
      [
        'a hash in place of a string',
        STRING,
        'tok:1',
        [
          ['DEL', 'tok:1'],
          ['HSET', 'tok:1', 'a', 1],
        ],
        'wrong_type',
        1,
        0,
      ],
      ['a string in place of a hash', HASH, 'sub:1', [['SET', 'sub:1', 'in the way']], 'wrong_type', 4, 0],
    ])('are seen and healed: %s', async (_, config, key, commands, kind, missing, differing) => {
      await insert("(1, 'free', 1.50, 'A')")
      const dataset = rowsOf(config)
      await fill(dataset, sides, LANE)
      for (const command of commands) await redis(...command)
      expect(await lacking(dataset, sides, LANE)).toEqual([{ key, kind, missing, differing }])
      expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: 1, superseded: 0 })
      expect(await lacking(dataset, sides, LANE)).toEqual([])
      expect(await redis('TTL', key)).toBe(-1)
      if (kind === 'wrong_type') expect(await redis('EXISTS', `rekindle:aside:${key}`)).toBe(1)
    })

    it('keep what PostgreSQL does not know', async () => {
      await insert("(1, 'free', 1.50, 'A')")
      const dataset = rowsOf(HASH)
      await redis('HSET', 'sub:1', 'seen_at', 'today', 'plan', 'paid')
      const { findings } = await look(dataset, sides, LANE)
      expect(findings.map(({ orphans }) => orphans)).toEqual([['seen_at']])
      await fill(dataset, sides, LANE)
      expect(await hash('sub:1')).toMatchObject({ seen_at: 'today', plan: 'free' })
      await redis('SET', 'doc:1', '{ "symbol" : "A", "left_over": 15e-1, "plan" : "fr\\u0065e","id":1.0}')
      expect(await lacking(rowsOf(JSON_TEXT), sides, LANE)).toEqual([])
    })
  })

  describe('with a column that has become NULL', () => {
    const FIELDS = { ...HASH, fields: { p: 'plan', n: 'left_over' } }

    it('lose its field, and nothing that no column gives', async () => {
      await insert("(1, 'free', 1.50, 'A')")
      for (const config of [HASH, FIELDS]) {
        await redis('DEL', 'sub:1')
        const dataset = rowsOf(config)
        await database.query("UPDATE plans SET plan = 'free'")
        await fill(dataset, sides, LANE)
        await redis('HSET', 'sub:1', 'seen_at', 'today')
        await redis('EXPIRE', 'sub:1', 1000)
        await redis('PERSIST', 'sub:1')
        await database.query('UPDATE plans SET plan = NULL')
        const [lack] = await lacking(dataset, sides, LANE)
        expect(lack).toEqual({ key: 'sub:1', kind: 'differs', missing: 0, differing: 1 })
        expect(await fill(dataset, sides, LANE)).toMatchObject({ keys: 1, fields: 1, superseded: 0 })
        const { plan, p, ...rest } = await hash('sub:1')
        expect([plan, p]).toEqual([undefined, undefined])
        expect(rest['seen_at']).toBe('today')
        expect(await lacking(dataset, sides, LANE)).toEqual([])
      }
    })

    it('keep it where a worker has written it since the look', async () => {
      await insert("(1, NULL, 1.50, 'A')")
      const dataset = rowsOf(HASH)
      await fill(dataset, sides, LANE)
      await redis('HSET', 'sub:1', 'plan', 'stale')
      const { findings } = await look(dataset, sides, LANE)
      expect(await dataset.write(sides.wire, findings, () => false)).toMatchObject({ fields: 0, superseded: 0 })
      await redis('HSET', 'sub:1', 'plan', 'newest')
      expect(await dataset.write(sides.wire, findings, () => true)).toMatchObject({ fields: 0, superseded: 1 })
      expect(await redis('HGET', 'sub:1', 'plan')).toBe('newest')
    })

    it('never lose the key: its last field stays', async () => {
      await insert("(1, NULL, 1.50, 'A')")
      const dataset = rowsOf(FIELDS)
      await redis('HSET', 'sub:1', 'p', 'stale', 'n', '1.50')
      const { findings } = await look(dataset, sides, LANE)
      await redis('HDEL', 'sub:1', 'n')
      expect(await dataset.write(sides.wire, findings, () => true)).toMatchObject({ fields: 0, superseded: 1 })
      expect(await hash('sub:1')).toEqual({ p: 'stale' })
      // What is missing comes first, so that the rest may go.
      expect(await fill(dataset, sides, LANE)).toMatchObject({ fields: 2, superseded: 0 })
      expect(await hash('sub:1')).toEqual({ n: '1.50' })
      // A row that has nothing to hold wants nothing.
      await database.query('UPDATE plans SET left_over = NULL')
      expect(await look(dataset, sides, LANE)).toMatchObject({ findings: [], leftOut: new Map([['rows.x', 1]]) })
      expect(await hash('sub:1')).toEqual({ n: '1.50' })
    })
  })

  describe('beside a live worker', () => {
    beforeEach(() => insert("(1, 'free', 1.50, 'A')"))

    it('let stand a field that was changed or made since the look', async () => {
      const dataset = rowsOf(HASH)
      await redis('HSET', 'sub:1', 'plan', 'old', 'id', '7')
      const { findings } = await look(dataset, sides, LANE)
      await redis('HSET', 'sub:1', 'plan', 'newest', 'symbol', 'Z')
      expect(await dataset.write(sides.wire, findings, () => true)).toMatchObject({ fields: 2, superseded: 2 })
      expect(await hash('sub:1')).toEqual({ id: '1', plan: 'newest', left_over: '1.50', symbol: 'Z' })
    })

    it.each([
      ['strings', STRING, 'tok:1'],
      ['JSON', JSON_TEXT, 'doc:1'],
    ])('let stand what was changed or made since the look: %s', async (_, config, key) => {
      const dataset = rowsOf(config)
      const missing = await look(dataset, sides, LANE)
      await redis('SET', key, 'newest')
      expect(await dataset.write(sides.wire, missing.findings, () => true)).toMatchObject({ fields: 0, superseded: 1 })
      const differing = await look(dataset, sides, LANE)
      expect(await dataset.write(sides.wire, differing.findings, () => false)).toMatchObject({
        fields: 0,
        superseded: 0,
      })
      await redis('SET', key, 'newer still')
      expect(await dataset.write(sides.wire, differing.findings, () => true)).toMatchObject({
        fields: 0,
        superseded: 1,
      })
      expect(await redis('GET', key)).toBe('newer still')
    })

    it('replace a value that is no text', async () => {
      await redis('EVAL', "return redis.call('SET', KEYS[1], '\\255\\0\\254')", 1, 'tok:1')
      const dataset = rowsOf(STRING)
      expect(await fill(dataset, sides, LANE)).toMatchObject({ fields: 1, superseded: 0 })
      expect(await redis('GET', 'tok:1')).toBe('free')
    })
  })

  describe('of which two give one key', () => {
    it('leave it alone, name it, and fill the others', async () => {
      await insert("(1, 'free', 1, 'A')", "(1, 'paid', 1, 'A')", "(2, 'paid', 1, 'A')")
      const dataset = rowsOf(HASH)
      for (const parts of [undefined, new Set(['[1]', '[2]'])]) {
        const { wanted, defect } = await dataset.read(sides.db, LANE, { thorough: true, parts })
        expect(wanted.map(({ key }) => key)).toEqual(['sub:2'])
        expect(defect).toMatchObject({
          code: 'postgres_schema',
          passing: false,
          message: 'more than one row gives a key of rows.x, sub:1 for one; left alone',
          hint: 'add a column to rows.x.key that tells them apart',
        })
      }
      await database.query("DELETE FROM plans WHERE id = 1 AND plan = 'paid'")
      const { wanted, defect } = await dataset.read(sides.db, LANE, { thorough: true, parts: undefined })
      expect(wanted).toHaveLength(2)
      expect(defect).toBeUndefined()
    })

    it('leave it alone when they have different columns, too, after one full look', async () => {
      await insert("(1, 'x:y', 1, 'z')", "(2, 'x', 1, 'y:z')")
      const dataset = rowsOf({ table: 'plans', key: '{plan}:{symbol}' })
      await dataset.read(sides.db, LANE, { thorough: true, parts: undefined })
      const { wanted } = await dataset.read(sides.db, LANE, { thorough: true, parts: new Set(['["x:y", "z"]']) })
      expect(wanted).toEqual([])
    })

    it('leave it alone when they belong to different symbols, whichever is asked for', async () => {
      await insert("(1, 'free', 1, 'A')", "(1, 'free', 1, 'B')", "(2, 'free', 1, 'A')")
      const dataset = rowsOf({ ...HASH, symbol: 'symbol' })
      for (const symbols of [['A'], ['B'], ['A', 'B']]) {
        for (const parts of [undefined, new Set(['[1]', '[2]'])]) {
          const { wanted, defect } = await dataset.read(sides.db, symbols, { thorough: true, parts })
          expect(wanted.map(({ key }) => key)).toEqual(symbols.includes('A') ? ['sub:2'] : [])
          expect(defect?.message).toMatch(/sub:1 for one/)
        }
      }
    })

    it('hold it if they say the same', async () => {
      await insert("(1, 'free', 1, 'A')", "(1, 'free', 1, 'A')")
      const { wanted, defect } = await look(rowsOf(HASH), sides, LANE).then(({ findings }) => ({
        wanted: findings.length,
        defect: undefined,
      }))
      expect([wanted, defect]).toEqual([1, undefined])
    })
  })

  it('name the configuration where a table, a column or a permission is missing', async () => {
    const problem = (more: object) => look(rowsOf({ ...HASH, ...more }), sides, LANE).catch((error: unknown) => error)
    expect(await problem({ table: 'gone' })).toMatchObject({
      code: 'postgres_schema',
      hint: 'check rows.x.table: gone in the configuration',
    })
    for (const [key, more] of [
      ['rows.x.expires', { expires: 'gone' }],
      ['rows.x.symbol', { symbol: 'gone' }],
      ['rows.x.key', { key: 'sub:{id}:{gone}' }],
      ['rows.x.value', { type: 'string', value: 'gone' }],
      ['rows.x.fields.p', { fields: { o: 'plan', p: 'gone' } }],
    ] as const) {
      const trouble = await problem(more)
      expect(trouble).toMatchObject({
        code: 'postgres_schema',
        message: expect.stringMatching(/gone does not exist/),
        hint: `check ${key}: gone in the configuration`,
      })
    }
    const polled = rowsOf({ ...HASH, symbol: 'gone' }).polling?.fingerprints(sides.db, [])
    await expect(polled).rejects.toMatchObject({ hint: 'check rows.x.symbol: gone in the configuration' })
    const role = `reader_${process.pid}`
    await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
    const refused = openDatabase(Object.assign(new URL(database.url), { username: role, password: 'x' }).href, 'here')
    try {
      const reading = rowsOf(HASH).read(refused, LANE, { thorough: true, parts: undefined })
      await expect(reading).rejects.toMatchObject({
        code: 'postgres_schema',
        message: 'PostgreSQL here: permission denied for table plans',
        hint: 'GRANT SELECT on it to this user (rows.x.table: plans)',
      })
    } finally {
      await refused.close()
      await database.query(`DROP ROLE ${role}`)
    }
    const { table: _, ...rest } = HASH
    const query = (sql: string) => look(rowsOf({ ...rest, query: sql }), sides, LANE).catch((error: unknown) => error)
    expect(await query('SELECT 1 AS other')).toMatchObject({ hint: 'check rows.x.key: id in the configuration' })
    expect(await query('SELECT id FROM gone')).toMatchObject({
      hint: 'check rows.x.query: what it reads in the configuration',
    })
  })
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.js'
import { NewestValues } from '../../src/datasets/newest-values.js'
import type { Database } from '../../src/postgres/database.js'
import { installSql } from '../../src/postgres/triggers.js'
import { seeded } from '../decide/seeded.js'
import { type Listener, listen } from '../postgres/listener.js'
import { useSides } from './sides.js'

const { indicators } = configSchema.parse({})
const SYMBOLS = ['A', 'B']

describe('the newest values', () => {
  const sides = useSides()
  const { database } = sides
  let listener: Listener
  let values: NewestValues
  /** How each read asked: `known` or `whole`. */
  let asked: string[] = []
  const db: Database = {
    query: (sql, parameters, tables) => {
      asked.push(sql.includes('AS known(') ? 'known' : 'whole')
      return sides.db.query(sql, parameters, tables)
    },
  }

  beforeAll(async () => {
    await database.query(installSql(configSchema.parse({ candles: false })))
    listener = await listen(database.url)
  })
  afterAll(() => listener.close())

  /** Runs SQL, and tells the values what the triggers announce of it. */
  async function change(sql: string): Promise<void> {
    for (const heard of await listener.heard(() => database.query(sql)))
      if (heard && 'dataset' in heard && heard.dataset === 'indicators') values.hear(heard.keys)
  }

  async function begin(announced = true): Promise<void> {
    if (!indicators) throw new Error('there are no indicators')
    values = new NewestValues(indicators)
    await change(`INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe) VALUES
      (1, 'x', 'A', 'm1'), (2, 'y', 'A', 'm1'), (3, 'x', 'A', 'm5'), (4, 'x', 'B', 'm1')`)
    values.renew(announced ? async () => true : undefined)
  }

  /** What a read gives, and how it asked. */
  async function read(more: { thorough?: boolean; following?: boolean; parts?: Set<string> } = {}) {
    asked = []
    const rows = await values.read(db, SYMBOLS, { thorough: false, parts: undefined, ...more })
    return { rows: rows.map((row) => [row.instance, row.param, row.value].join(' ')).sort(), asked }
  }

  /** The same by a plain reading of the whole table. */
  async function truth(): Promise<string[]> {
    const rows = await database.query<{ row: string }>(
      `SELECT DISTINCT ON (v.instance_id, param_name) concat_ws(' ', v.instance_id, param_name, value) AS row
       FROM indicator_values_v4 AS v JOIN indicator_instances_v4 AS i ON i.id = v.instance_id AND i.symbol = v.symbol
       WHERE enabled AND i.symbol = ANY ($1) ORDER BY v.instance_id, param_name, open_time DESC`,
      [SYMBOLS],
    )
    return rows.map(({ row }) => row).sort()
  }

  const insert = (param: string, from: string, count: number, instance = 1): string =>
    `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
     SELECT ${instance}, symbol, '${from}'::timestamp + n * interval '1 minute', '${param}', n
     FROM generate_series(1, ${count}) AS n, indicator_instances_v4 WHERE id = ${instance}
     ON CONFLICT (instance_id, symbol, open_time, param_name) DO UPDATE SET value = excluded.value + 500000`

  describe.each([40, 400, 100_000])('behind %i newer rows of another parameter', (count) => {
    it.each<[string, string]>([
      ['an UPDATE of every row', 'UPDATE indicator_values_v4 SET value = value + 1000'],
      ['an UPDATE of the old one', "UPDATE indicator_values_v4 SET value = 77 WHERE param_name = 'b'"],
      ['a newer row of the old one', insert('b', '2025-01-02', 1)],
      ['a parameter that appears', insert('c', '2024-12-31', 1)],
      ['a parameter that appears by an UPDATE', "UPDATE indicator_values_v4 SET param_name = 'c' WHERE value = 17"],
      ['a parameter that disappears', "DELETE FROM indicator_values_v4 WHERE param_name = 'b'"],
      ['the newest of one that has older rows', "DELETE FROM indicator_values_v4 WHERE param_name = 'b' AND value = 2"],
      ['all of the newer ones going', "DELETE FROM indicator_values_v4 WHERE param_name = 'a'"],
      ['both at once', "UPDATE indicator_values_v4 SET param_name = 'c' WHERE param_name = 'b'"],
    ])(
      'sees %s',
      async (_, sql) => {
        await begin()
        await change(insert('b', '2025-01-01', 2))
        await change(insert('a', '2025-01-01 01:00', 1))
        expect((await read()).rows).toEqual(await truth())
        await change(insert('a', '2025-01-03', count))
        expect(await read({ following: true })).toEqual({ rows: await truth(), asked: ['known'] })
        await change(sql)
        expect((await read({ following: true })).rows).toEqual(await truth())
        await change(sql)
        expect((await read()).rows).toEqual(await truth())
        expect(await read()).toEqual({ rows: await truth(), asked: ['known'] })
      },
      60_000,
    )
  })

  it('reads the whole history while nothing is announced, and after that was so', async () => {
    await begin(false)
    await change(insert('a', '2025-01-01', 3))
    for (const _ of [1, 2]) expect(await read()).toEqual({ rows: ['1 a 3'], asked: ['whole'] })
    values.renew(async () => true)
    expect((await read()).asked).toEqual(['whole'])
    expect((await read()).asked).toEqual(['known'])
    values.renew(undefined)
    await database.query(insert('c', '2024-01-01', 1))
    values.renew(async () => true)
    expect(await read()).toEqual({ rows: ['1 a 3', '1 c 1'], asked: ['whole'] })
  })

  it('relies on nothing that is not proven, unless it follows an announcement', async () => {
    await begin()
    await change(insert('a', '2025-01-01', 3))
    await read()
    values.renew(async () => false)
    await read()
    await database.query(insert('c', '2024-01-01', 1))
    expect(await read({ following: true })).toEqual({ rows: ['1 a 3'], asked: ['known'] })
    expect(await read()).toEqual({ rows: ['1 a 3', '1 c 1'], asked: ['known', 'whole'] })
  })

  it('reads again what was announced while it read and waited for proof', async () => {
    await begin()
    await change(insert('a', '2025-01-01', 3))
    let late = (): Promise<unknown> => Promise.resolve()
    values.renew(async () => {
      await late()
      return true
    })
    await read()
    late = () => change(insert('c', '2024-01-01', 1))
    expect(await read()).toEqual({ rows: ['1 a 3', '1 c 1'], asked: ['known', 'whole'] })
    late = () => Promise.resolve(values.renew(async () => true))
    expect((await read()).asked).toEqual(['known', 'whole'])
  })

  it('reads whole what is thorough', async () => {
    await begin()
    await change(insert('a', '2025-01-01', 3))
    await read()
    expect((await read({ thorough: true })).asked).toEqual(['whole'])
    expect((await read()).asked).toEqual(['known'])
  })

  it('reads whole where times are no timestamps, or infinite', async () => {
    await begin()
    await change(insert('a', '2025-01-01', 3))
    await change("UPDATE indicator_values_v4 SET open_time = 'infinity' WHERE value = 1")
    await change('DELETE FROM indicator_instances_v4 WHERE id > 1')
    for (const _ of [1, 2]) expect(await read()).toEqual({ rows: ['1 a 1'], asked: ['whole'] })
  })

  it('gives what a plain reading gives, whatever is done', async () => {
    const { below, pick } = seeded(20_261_128)
    await begin()
    const time = () => `'2025-01-01'::timestamp + ${below(40)} * interval '1 minute'`
    const param = () => `'${pick(['a', 'b', 'c', 'd'])}'`
    const where = () =>
      pick([
        `param_name = ${param()}`,
        `open_time >= ${time()}`,
        `open_time < ${time()}`,
        `instance_id = ${pick([1, 2, 3, 4])} AND param_name = ${param()}`,
      ])
    const acts: (() => string)[] = [
      () =>
        `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
         SELECT id, '${pick(['A', 'A', 'B'])}', ${time()}, ${param()}, ${below(1000)}
         FROM indicator_instances_v4 WHERE id <> ${pick([1, 2, 3, 4])}
         ON CONFLICT (instance_id, symbol, open_time, param_name) DO UPDATE SET value = excluded.value`,
      () => `UPDATE indicator_values_v4 SET value = ${below(1000)} WHERE ${where()}`,
      () => `DELETE FROM indicator_values_v4 WHERE ${where()} AND (value::int + ${below(2)}) % 2 = 0`,
      () =>
        `UPDATE indicator_values_v4 AS v SET param_name = ${param()} WHERE id = (SELECT max(id) FROM indicator_values_v4)
         AND NOT EXISTS (SELECT FROM indicator_values_v4 AS o WHERE o.instance_id = v.instance_id AND o.open_time = v.open_time
           AND o.symbol = v.symbol AND o.id <> v.id)`,
      () => `UPDATE indicator_instances_v4 SET timeframe = '${pick(['m1', 'm5'])}' WHERE id = ${pick([1, 2, 3])}`,
      () => `UPDATE indicator_instances_v4 SET symbol = '${pick(SYMBOLS)}' WHERE id = ${pick([2, 4])}`,
      () => `UPDATE indicator_instances_v4 SET enabled = NOT enabled WHERE id = ${pick([3, 4])}`,
    ]
    const ways: string[] = []
    for (let i = 0; i < 400; i++) {
      const sql = pick([...acts, acts[0], acts[0], acts[1]] as (() => string)[])()
      await change(sql)
      if (i % 97 === 96) await change('TRUNCATE indicator_values_v4')
      const following = below(2) === 0
      const found = await read({ following })
      expect(found.rows, `${i}: ${sql}`).toEqual(await truth())
      ways.push(...found.asked)
    }
    // Otherwise this would prove nothing.
    expect(ways.filter((way) => way === 'known').length).toBeGreaterThan(200)
  }, 60_000)
})

import { beforeEach, describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.js'
import type { Dataset } from '../../src/datasets/dataset.js'
import { datasetsOf } from '../../src/datasets/index.js'
import { fill, useSides } from './sides.js'

describe('a key that two datasets want', () => {
  const sides = useSides()
  const { redis, database } = sides

  beforeEach(async () => {
    await database.query('DROP TABLE IF EXISTS things, others')
    await database.query('CREATE TABLE things (id text, n int)')
    await database.query('CREATE TABLE others (id text, n int)')
  })
  const pair = (first: string, second: string): [Dataset, Dataset] => {
    const rows = {
      first: { table: 'things', key: first },
      second: { table: 'others', key: second, type: 'string', value: 'n' },
    }
    return datasetsOf(configSchema.parse({ candles: false, indicators: false, rows })) as [Dataset, Dataset]
  }
  const insert = (table: string, ...ids: string[]) =>
    database.query(`INSERT INTO ${table} SELECT id, 1 FROM unnest($1::text[]) AS id`, [ids])
  const heal = (dataset: Dataset) => fill(dataset, sides, [dataset.name])
  const readAll = (dataset: Dataset) => dataset.read(sides.db, [dataset.name], { thorough: true, parts: undefined })
  const asides = () => redis('KEYS', 'rekindle:aside:*')

  it('belongs to the one whose template gives it from plain values, and is never moved aside', async () => {
    await insert('things', '1', '2')
    await insert('others', 'sub:user:1', 'sub:user:9', 'settings', 'a:b')
    for (const isTurned of [false, true]) {
      await redis('FLUSHALL')
      const datasets = isTurned ? pair('sub:user:{id}', '{id}').reverse() : pair('sub:user:{id}', '{id}')
      for (const dataset of [...datasets, ...datasets, ...datasets]) await heal(dataset as Dataset)
      expect([...((await redis('KEYS', '*')) as string[])].sort()).toEqual([
        'a:b',
        'settings',
        'sub:user:1',
        'sub:user:2',
      ])
      expect(await redis('TYPE', 'sub:user:1')).toBe('hash')
    }
  })

  it('is named by the defect of the other, which goes with the row', async () => {
    await insert('things', '1')
    await insert('others', 'sub:user:1', 'settings')
    const [first, second] = pair('sub:user:{id}', '{id}')
    expect((await readAll(first)).defect).toBeUndefined()
    const { defect, unwanted } = await readAll(second)
    expect(unwanted).toEqual(['sub:user:1'])
    expect(defect).toMatchObject({
      code: 'postgres_schema',
      message: 'the key sub:user:1 belongs to rows.first, whose template gives it as well; left alone',
      passing: false,
    })
    const read = (...parts: string[]) =>
      second.read(sides.db, [second.name], { thorough: false, parts: new Set(parts) })
    expect(await read('["settings"]')).toMatchObject({ wanted: [{ key: 'settings' }], defect })
    expect(await read('["sub:user:1"]')).toMatchObject({ wanted: [], unwanted: ['sub:user:1'], defect })
    await database.query("DELETE FROM others WHERE id = 'sub:user:1'")
    expect((await readAll(second)).defect).toBeUndefined()
  })

  it('from values with colons on both sides is the first one’s that wants it', async () => {
    await insert('things', '1:2:3', 'x')
    await insert('others', '2:3', '7:8')
    const [first, second] = pair('k:{id}', 'k:1:{id}')
    for (const dataset of [second, first, second, first, second]) await heal(dataset)
    expect(await redis('TYPE', 'k:1:2:3')).toBe('hash')
    expect(await redis('TYPE', 'k:1:7:8')).toBe('string')
    expect(await asides()).toEqual(['rekindle:aside:k:1:2:3'])
    expect((await readAll(second)).defect?.message).toMatch(/^the key k:1:2:3 belongs to rows\.first/)
    await database.query("DELETE FROM things WHERE id = '1:2:3'")
    await heal(first)
    const { defect, wanted } = await readAll(second)
    expect([defect, wanted.length]).toEqual([undefined, 2])
  })
})

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { configSchema } from '../../src/config/schema.js'
import { parseAnnouncement } from '../../src/decide/announcement.js'
import { installSql } from '../../src/postgres/triggers.js'
import { useDatabase } from '../support/servers.js'
import { type Listener, listen } from './listener.js'

describe('what the triggers say was written of indicators', () => {
  const database = useDatabase()
  let listener: Listener
  const run = (sql: string) => database.query(sql)
  /** `BTCUSDT m1 2026-01-01T00:00:00 1,2`, a line a key. */
  const written = async (sql: string): Promise<string[]> => {
    const found = (await listener.payloads(() => run(sql))).map(parseAnnouncement)
    return found.flatMap((each) => {
      if (!each || !('keys' in each) || each.keys === 'all') return [String(each && 'keys' in each && each.keys)]
      return each.keys.map(({ symbol, part, written }) => {
        const what = written ? `${written.since} ${written.ids?.toSorted().join() ?? 'any'}` : String(written)
        return [symbol, part, what].join(' ')
      })
    })
  }

  beforeAll(async () => {
    await createSchema({ query: async (sql) => ({ rows: await run(sql), rowCount: null }) })
    await run(installSql(configSchema.parse({})))
    listener = await listen(database.url)
  })
  afterAll(() => listener.close())
  beforeEach(async () => {
    await run('TRUNCATE indicator_instances_v4, indicator_values_v4')
    await run(`INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe) VALUES
      (1, 'ema', 'A', 'm1'), (2, 'rsi', 'A', 'm1'), (3, 'ema', 'A', 'm5'), (4, 'ema', 'B', 'm1')`)
    await run(`INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
      SELECT id, symbol, '2026-01-01'::timestamp + n * interval '1 hour', 'x', n
      FROM indicator_instances_v4, generate_series(0, 3) AS n`)
  })

  it('names the earliest time and the instances of an INSERT', async () => {
    const insert = `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name) VALUES
      (1, 'A', '2026-02-01 00:00:00.25', 'a'), (2, 'A', '2026-01-31', 'a'), (1, 'A', '2026-02-02', 'b'), (3, 'A', '2025-01-01', 'a')`
    expect(await written(insert)).toEqual(['A m1 2026-01-31T00:00:00 1,2', 'A m5 2025-01-01T00:00:00 3'])
  })

  it('names what an UPDATE wrote, and of what it took away only that it is gone', async () => {
    const move = `UPDATE indicator_values_v4 SET instance_id = 3, open_time = '2026-03-01' WHERE instance_id = 4 AND value = 2`
    expect(await written(move)).toEqual(['B m1 null', 'B m5 2026-03-01T00:00:00 3'])
    expect(await written("UPDATE indicator_values_v4 SET value = 9 WHERE symbol = 'B'")).toEqual([
      'B m1 2026-01-01T00:00:00 4',
      'B m5 2026-03-01T00:00:00 3',
    ])
  })

  it('says of a DELETE that nothing was written', async () => {
    expect(await written("DELETE FROM indicator_values_v4 WHERE symbol = 'A'")).toEqual(['A m1 null', 'A m5 null'])
  })

  it('says nothing of it where any row may have been written', async () => {
    expect(await written("UPDATE indicator_instances_v4 SET enabled = false WHERE symbol = 'B'")).toEqual([
      'B m1 undefined',
    ])
    await run('ALTER TABLE indicator_instances_v4 RENAME timeframe TO frame')
    expect(await written('UPDATE indicator_values_v4 SET value = 5')).toEqual(['A  undefined', 'B  undefined'])
    await run('ALTER TABLE indicator_instances_v4 RENAME frame TO timeframe')
    expect(await written('TRUNCATE indicator_values_v4')).toEqual(['all'])
  })

  it('names no instances where there are too many', async () => {
    await run(
      "INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe) SELECT 1000 + n, 'x', 'C', 'm1' FROM generate_series(1, 100) AS n",
    )
    const insert = `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name)
      SELECT id, symbol, '2026-01-05', 'x' FROM indicator_instances_v4 WHERE symbol = 'C'`
    expect(await written(insert)).toEqual(['C m1 2026-01-05T00:00:00 any'])
  })

  it('is the same under settings of the writer, and for whatever type the time has', async () => {
    await run("ALTER TABLE indicator_values_v4 ALTER open_time TYPE timestamptz USING open_time AT TIME ZONE 'UTC'")
    const insert = `SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'SQL, DMY';
      INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name) VALUES (1, 'A', '2026-02-01 12:00+00', 'a');
      RESET TimeZone; RESET DateStyle`
    expect(await written(insert)).toEqual(['A m1 2026-02-01T12:00:00+00:00 1'])
    await run('ALTER TABLE indicator_values_v4 ALTER open_time TYPE bigint USING extract(epoch FROM open_time)')
    const number =
      "INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name) VALUES (1, 'A', 7, 'a')"
    expect(await written(number)).toEqual(['A m1 7 1'])
    await run('ALTER TABLE indicator_values_v4 ALTER open_time TYPE timestamp USING to_timestamp(open_time)')
  })
})

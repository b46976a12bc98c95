import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { configSchema } from '../../src/config/schema.js'
import { installedTriggers } from '../../src/postgres/trigger-catalog.js'
import { dropTriggers, installTriggers } from '../../src/postgres/trigger-changes.js'
import { installSql } from '../../src/postgres/triggers.js'
import { functionName, watchedTables } from '../../src/postgres/watched-tables.js'
import { useDatabase } from '../support/servers.js'
import { type Listener, listen } from './listener.js'

const ROWS = {
  plans: { table: 'plans', key: 'sub:{user_id}' },
  odd: { table: 'Odd Table', key: 'odd:{Part "1"}:{at}', symbol: 'Sym' },
  asked: { query: 'SELECT 1 AS id', key: 'asked:{id}' },
  seen: { table: 'view_of_plans', key: 'seen:{user_id}' },
}
const config = configSchema.parse({ candles: false, indicators: false, rows: ROWS, symbols: { query: "SELECT 'A'" } })

describe('the triggers of rows', () => {
  const database = useDatabase()
  let listener: Listener
  const run = (sql: string) => database.query(sql)
  const announced = (sql: string) => listener.announced(() => run(sql))
  const query = async <Row>(sql: string, values: readonly unknown[]): Promise<Row[]> =>
    (await database.query(sql, [...values])) as Row[]
  const plans = (...parts: string[]) => ({
    dataset: 'rows.plans',
    keys: parts.map((part) => ({ symbol: 'rows.plans', part })),
  })

  beforeAll(async () => {
    await run(`CREATE TABLE plans (user_id int PRIMARY KEY, plan text);
      CREATE TABLE "Odd Table" ("Part ""1""" text, at timestamptz, "Sym" text, j json);
      CREATE VIEW view_of_plans AS SELECT * FROM plans`)
    const { left } = await installTriggersOnce()
    expect(left).toEqual({
      'symbols.query': 'names no table after its first FROM; the symbols are left to polling',
      'rows.asked.query': 'is a query; its changes are left to polling',
      'rows.seen.table': 'view_of_plans is no ordinary table; its changes are left to polling',
    })
    listener = await listen(database.url)
  })
  afterAll(() => listener.close())
  beforeEach(() => run('TRUNCATE plans, "Odd Table"'))

  /** Each statement over a connection of the pool: to BEGIN and COMMIT there would be no transaction. */
  async function installTriggersOnce() {
    const steps: string[] = []
    const installed = await installTriggers(
      config,
      {},
      async <Row>(sql: string, values: readonly unknown[]) => {
        if (/^(BEGIN|COMMIT|ROLLBACK|SET LOCAL)/.test(sql)) return []
        steps.push(sql)
        return query<Row>(sql, values)
      },
      'here',
    )
    return { ...installed, steps }
  }

  it('announce the parts of each statement', async () => {
    expect(await announced("INSERT INTO plans VALUES (1, 'a'), (2, 'b')")).toEqual([plans('[1]', '[2]')])
    expect(await announced("UPDATE plans SET plan = 'c' WHERE user_id = 2")).toEqual([plans('[2]')])
    expect(await announced('DELETE FROM plans WHERE user_id = 1')).toEqual([plans('[1]')])
    expect(await announced('DELETE FROM plans WHERE user_id = 1')).toEqual([])
    expect(await announced('TRUNCATE plans')).toEqual([{ dataset: 'rows.plans', keys: 'all' }])
  })

  it('announce where a row was and where it is now', async () => {
    await run("INSERT INTO plans VALUES (1, 'a')")
    expect(await announced('UPDATE plans SET user_id = 7')).toEqual([plans('[1]', '[7]')])
  })

  it('announce the symbol of each row, whatever its columns are called and hold', async () => {
    const at = `'2025-06-01 12:00+00'`
    expect(
      await announced(`INSERT INTO "Odd Table" VALUES ('"x"', ${at}, 'A', '{}'), ('y', ${at}, NULL, '{}')`),
    ).toEqual([
      {
        dataset: 'rows.odd',
        keys: [{ symbol: 'A', part: expect.stringMatching(/^\["\\"x\\"", "2025-06-01T\S+"\]$/) }],
      },
    ])
    const moved = await announced(`UPDATE "Odd Table" SET "Sym" = 'B' WHERE "Sym" = 'A'`)
    expect(moved).toMatchObject([{ keys: [{ symbol: 'A' }, { symbol: 'B' }] }])
  })

  it('say everything where there are too many, or one is too long', async () => {
    expect(await announced("INSERT INTO plans SELECT n, 'x' FROM generate_series(1, 50000) AS n")).toEqual([
      { dataset: 'rows.plans', keys: 'all' },
    ])
    const long = `INSERT INTO "Odd Table" VALUES (repeat('x', 9000), now(), 'A', '{}')`
    expect(await announced(long)).toEqual([{ dataset: 'rows.odd', keys: 'all' }])
  })

  it('are found as they are, and no others for them', async () => {
    const { announced: found, missing } = await installedTriggers(config, query)
    expect([...found].sort()).toEqual(['rows.odd', 'rows.plans'])
    expect(missing).toEqual([])
    const other = configSchema.parse({
      candles: false,
      indicators: false,
      rows: { plans: { ...ROWS.plans, key: 's:{plan}' } },
    })
    expect(await installedTriggers(other, query)).toEqual({ announced: new Set(), missing: ['rows.plans'] })
    // To install again what is there changes nothing but the functions.
    const { steps } = await installTriggersOnce()
    expect(steps.filter((step) => /^(CREATE|DROP) TRIGGER/.test(step))).toEqual([])
  })

  it('name the configuration where a column is missing', async () => {
    const wrong = configSchema.parse({
      candles: false,
      indicators: false,
      rows: { plans: { ...ROWS.plans, key: 's:{gone}' } },
    })
    await expect(installTriggers(wrong, {}, query, 'here')).rejects.toMatchObject({
      message: 'PostgreSQL here: column gone of table plans does not exist',
      hint: 'correct rows.plans.key ({gone}) in the configuration, or create it',
    })
  })

  it('have functions of their own, however the names run together', () => {
    const rows = { a: { table: 'b_c', key: 'x:{i}' }, a_b: { table: 'c', key: 'y:{i}' } }
    const names = watchedTables(configSchema.parse({ candles: false, indicators: false, rows })).map(functionName)
    expect(names).toEqual(['rekindle_rows_a$b_c', 'rekindle_rows_a_b$c'])
  })

  it('are removed, and printed', async () => {
    await dropTriggers(config, query, 'here')
    expect(await announced("INSERT INTO plans VALUES (1, 'a')")).toEqual([])
    const { seen: _, ...tables } = ROWS
    await run(
      installSql(configSchema.parse({ candles: false, indicators: false, rows: tables, symbols: config.symbols })),
    )
    expect(await announced('DELETE FROM plans')).toEqual([plans('[1]')])
  })
})

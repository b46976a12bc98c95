import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Trouble } from '../../src/errors.js'
import { type OpenDatabase, openDatabase } from '../../src/postgres/database.js'
import { until, useDatabase } from '../support/servers.js'

const TABLES = { 'candles.timeframes.m1': 'ohlcv4_m1' }

describe('an error of PostgreSQL', () => {
  const database = useDatabase(async () => undefined)
  let db: OpenDatabase

  beforeAll(async () => {
    await database.query(`
      CREATE FUNCTION fail(state text) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no such luck' USING ERRCODE = state; END $$;
      CREATE DOMAIN filled AS text NOT NULL`)
    db = openDatabase(database.url, 'here')
  })
  afterAll(() => db.close())

  async function troubleOf(sql: string, values: unknown[] = []): Promise<Trouble> {
    const error = await db.query(sql, values, TABLES).then(
      () => new Error('it was answered'),
      (error: unknown) => error,
    )
    if (!(error instanceof Trouble)) throw error
    return error
  }

  it.each([
    ['P0001', 'raised by a function of the user'],
    ['08001', 'of another server, as dblink raises it'],
    ['28P01', 'of another login, as dblink raises it'],
    ['53300', 'of another server that is full'],
    ['57P01', 'of another server that is shut down'],
    ['57P03', 'of another server that starts'],
    ['40001', 'of a standby that must go on'],
    ['XX000', 'of its own'],
  ])('%s is of the query, named with its key, while the session stands: %s', async (state) => {
    const { code, message, hint } = await troubleOf('SELECT fail($1)', [state])
    expect([code, message]).toEqual(['postgres_query', 'PostgreSQL here: no such luck'])
    expect(hint).toMatch(/ \(candles\.timeframes\.m1: ohlcv4_m1\)$/)
    expect(await db.query('SELECT 1 AS one', [])).toEqual([{ one: 1 }])
  })

  it.each([
    ['a division by zero', 'SELECT 1 / $1::int', [0], 'postgres_query'],
    ['text in place of a number', 'SELECT $1::text::int', ['x'], 'postgres_schema'],
    ['a domain that forbids NULL', 'SELECT $1::text::filled', [null], 'postgres_query'],
    ['a write', 'CREATE TABLE never ()', [], 'postgres_query'],
    ['a table that is missing', 'SELECT FROM nowhere', [], 'postgres_schema'],
  ])('%s is of the query', async (_, sql, values, code) => {
    const trouble = await troubleOf(sql, values)
    expect(trouble).toMatchObject({ code, passing: false })
    expect(trouble.hint).toContain('candles.timeframes.m1: ohlcv4_m1')
  })

  /** Does something to the session in which the query is under way. */
  async function during(act: 'pg_cancel_backend' | 'pg_terminate_backend'): Promise<Trouble> {
    const asked = troubleOf('SELECT pg_sleep(30)')
    const admin = new Client({ connectionString: database.url })
    await admin.connect()
    const others = `FROM pg_stat_activity WHERE datname = current_database() AND query = 'SELECT pg_sleep(30)'
      AND state = 'active' AND wait_event = 'PgSleep'`
    await until(async () => (await admin.query(`SELECT ${act}(pid) ${others}`)).rowCount)
    await admin.end()
    return asked
  }

  it('a statement that is cancelled is of the query', async () => {
    const { code, hint } = await during('pg_cancel_backend')
    expect(code).toBe('postgres_query')
    expect(hint).toMatch(/longer than 60 s, or somebody cancelled it.*\(candles\.timeframes\.m1: ohlcv4_m1\)$/)
  })

  it('a session that is ended is PostgreSQL being away', async () => {
    expect(await during('pg_terminate_backend')).toMatchObject({ code: 'postgres_unreachable', passing: true })
  })
})

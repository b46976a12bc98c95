import { Client } from 'pg'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import type { Config } from '../../src/config/schema.js'
import { type OpenDatabase, openDatabase } from '../../src/postgres/database.js'
import { SMALL, testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres } from '../support/servers.js'
import { type Reader, ROWS, readWal, TABLES } from './wal-reader.js'

const MARKET = 'tickers, ohlcv4_m1, ohlcv4_m5, ohlcv4_m15, indicator_instances_v4, indicator_values_v4'

describeOwnServers('the WAL, read by pgoutput', () => {
  const postgres = usePostgres({ settings: { wal_level: 'logical' } })
  let url: string
  let config: Config
  let db: OpenDatabase
  let client: Client
  let reader: Reader | undefined

  beforeAll(async () => {
    url = await postgres.createDatabase('app')
    await createMarket(url, SMALL)
    await runSql(url, TABLES)
    config = testConfig('redis://127.0.0.1', url, { more: { rows: ROWS } })
  })
  beforeEach(async () => {
    db = openDatabase(url, 'here')
    client = new Client({ connectionString: url })
    await client.connect()
  })
  afterEach(async () => {
    reader?.close()
    await client.query('DROP PUBLICATION IF EXISTS ours')
    await client.end()
    await db.close()
  })

  async function read(): Promise<Reader> {
    const opened = readWal({ config, url, server: 'here', db })
    reader = opened
    await until(() => opened.isListening() || opened.errors[0], { timeout: 20_000 })
    return opened
  }

  it('tells the same, of the tables of a publication alone', async () => {
    await client.query(`CREATE PUBLICATION ours FOR TABLE ${MARKET}, plans, quotas`)
    const { keys, decoding, changes } = await read()
    expect(decoding()).toMatchObject({ plugin: { name: 'pgoutput' }, publication: 'ours' })
    await client.query(`INSERT INTO other VALUES (1, 'x')`)
    await client.query(`UPDATE ohlcv4_m1 SET close = close + 1 WHERE symbol = 'BTCUSDT'`)
    expect(await keys('candles.m1')).toEqual([['BTCUSDT', undefined]])
    await client.query(
      `INSERT INTO indicator_values_v4 (id, instance_id, symbol, open_time, param_name, value)
       SELECT 1000000, id, symbol, now() + '1h', 'x', 1 FROM indicator_instances_v4 WHERE symbol = 'ETHUSDT' LIMIT 1`,
    )
    const [put] = await keys('indicators')
    expect(put).toEqual(['ETHUSDT', expect.stringMatching(/^m\d+$/)])
    await client.query('DELETE FROM indicator_values_v4 WHERE id = 1000000')
    expect(await keys('indicators', (found) => found.length === 2)).toEqual([put, put])
    await client.query('UPDATE tickers SET status = status')
    expect(await keys('symbols')).toEqual(['all'])
    await client.query(
      `BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO quotas_1 VALUES ('A', 1, 1); COMMIT`,
    )
    expect(await keys('rows.quotas')).toEqual([['A', '["A","1"]']])
    await client.query(`UPDATE quotas SET symbol = 'C' WHERE symbol = 'A'`)
    expect((await keys('rows.quotas', (found) => found.length === 3)).slice(1)).toEqual([
      ['A', '["A","1"]'],
      ['C', '["C","1"]'],
    ])
    await client.query(`INSERT INTO plans VALUES (1, 'x')`)
    await client.query('TRUNCATE plans')
    expect(await keys('rows.plans', (found) => found.length === 2)).toEqual([['rows.plans', '["1"]'], 'all'])
    // The publication tells of partitions that come later.
    await client.query(`CREATE TABLE quotas_2 PARTITION OF quotas FOR VALUES FROM (10) TO (20)`)
    await client.query(`INSERT INTO quotas VALUES ('D', 11, 1)`)
    expect((await keys('rows.quotas', (found) => found.length > 3))[3]).toBe('all')
    expect(changes.map(({ dataset }) => dataset)).not.toContain('other')
  })

  it('is given up as soon as its publication leaves something out', async () => {
    await client.query('CREATE PUBLICATION ours FOR ALL TABLES')
    const { decoding, errors } = await read()
    expect(decoding()).toMatchObject({ publication: 'ours' })
    // PostgreSQL 18 says nothing of a publication that is gone.
    await client.query('DROP PUBLICATION ours')
    await until(() => errors.length === 1, { timeout: 20_000 })
    expect(errors).toMatchObject([{ code: 'postgres_wal', message: expect.stringContaining('ours'), passing: true }])
    const next = await read()
    expect(next.decoding()).toMatchObject({ plugin: { name: 'test_decoding' } })
  })

  it.each([
    ['leaves a table out', `FOR TABLE ${MARKET}, plans`],
    ['leaves rows out', `FOR TABLE ${MARKET}, quotas, plans WHERE (user_id > 0)`],
    ['leaves a column out', `FOR TABLE ${MARKET.replace('ohlcv4_m1,', 'ohlcv4_m1 (open_time),')}, quotas, plans`],
    ['leaves deletions out', `FOR ALL TABLES WITH (publish = 'insert, update, truncate')`],
    ['names the root for its partitions', 'FOR ALL TABLES WITH (publish_via_partition_root)'],
  ])('is not used where the publication %s', async (_, tables) => {
    await client.query(`CREATE PUBLICATION ours ${tables}`)
    const { decoding } = await read()
    expect(decoding()).toMatchObject({ plugin: { name: 'test_decoding' } })
  })
})

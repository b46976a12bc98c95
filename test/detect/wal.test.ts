import { Client } from 'pg'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { startProxy } from '../../lab/proxy.js'
import type { Config } from '../../src/config/schema.js'
import type { WalOptions } from '../../src/detect/wal.js'
import { byTestDecoding } from '../../src/detect/wal-decoding.js'
import { type OpenDatabase, openDatabase } from '../../src/postgres/database.js'
import { SMALL, testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres } from '../support/servers.js'
import { type Reader, ROWS, readWal, TABLES } from './wal-reader.js'

describeOwnServers('the WAL, read by test_decoding', () => {
  const postgres = usePostgres({ settings: { wal_level: 'logical', max_replication_slots: '3' } })
  let url: string
  let config: Config
  let db: OpenDatabase
  let client: Client
  const readers: Reader[] = []

  beforeAll(async () => {
    url = await postgres.createDatabase('app')
    await createMarket(url, SMALL)
    await runSql(url, TABLES)
    config = testConfig('redis://127.0.0.1', url, {
      more: {
        rows: {
          ...ROWS,
          loose: { table: 'loose', key: 'loose:{user_id}' },
        },
      },
    })
  })
  afterEach(async () => {
    for (const reader of readers.splice(0)) reader.close()
    await client?.end()
    await db?.close()
  })

  async function read(more: Partial<WalOptions> = {}, isWaitedFor = true): Promise<Reader> {
    db = openDatabase(url, 'here')
    client = new Client({ connectionString: url })
    await client.connect()
    const reader = readWal({ config, url, server: 'here', db, ...more })
    readers.push(reader)
    if (isWaitedFor) await until(() => reader.isListening() || reader.errors[0], { timeout: 20_000 })
    return reader
  }

  it('tells each kind of dataset what was written, within milliseconds', async () => {
    const reader = await read()
    const at = performance.now()
    await client.query(`UPDATE ohlcv4_m1 SET close = close + 1 WHERE symbol = 'BTCUSDT'`)
    expect(await reader.keys('candles.m1')).toEqual([['BTCUSDT', undefined]])
    expect(performance.now() - at).toBeLessThan(3_000)
    const [value] = (
      await client.query<{ symbol: string; timeframe: string }>(
        `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
         SELECT id, symbol, now(), 'x', 1 FROM indicator_instances_v4 LIMIT 1
         RETURNING symbol, (SELECT timeframe FROM indicator_instances_v4 AS i WHERE i.id = instance_id)`,
      )
    ).rows
    expect(await reader.keys('indicators')).toEqual([[value?.symbol, value?.timeframe]])
    await client.query(`UPDATE tickers SET status = status`)
    expect(await reader.keys('symbols')).toEqual(['all'])
    await client.query(`INSERT INTO plans VALUES (7, 'paid')`)
    expect(await reader.keys('rows.plans')).toEqual([['rows.plans', '["7"]']])
    expect(reader.errors).toEqual([])
    expect(reader.changes.map(({ dataset }) => dataset)).toEqual(['candles.m1', 'indicators', 'symbols', 'rows.plans'])
  })

  it('hears sessions whose role is replica, partitions, and the place that a row was moved from', async () => {
    const reader = await read()
    await client.query(
      `BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO quotas_1 VALUES ('A', 1, 1), ('B', 2, 1); COMMIT`,
    )
    expect(await reader.keys('rows.quotas')).toEqual([
      ['A', '["A","1"]'],
      ['B', '["B","2"]'],
    ])
    await client.query(`UPDATE quotas SET symbol = 'C' WHERE symbol = 'A'`)
    expect((await reader.keys('rows.quotas', (keys) => keys.length === 4)).slice(2)).toEqual([
      ['A', '["A","1"]'],
      ['C', '["C","1"]'],
    ])
    // A new partition is not known by its name.
    await client.query(`CREATE TABLE quotas_2 PARTITION OF quotas FOR VALUES FROM (10) TO (20)`)
    await client.query(`INSERT INTO quotas VALUES ('D', 11, 1)`)
    expect((await reader.keys('rows.quotas', (keys) => keys.length > 4))[4]).toBe('all')
    await client.query(`INSERT INTO quotas VALUES ('E', 12, 1)`)
    await reader.keys('rows.quotas', (keys) => JSON.stringify(keys).includes('["E",'))
  })

  it('tells all of a dataset where a deleted row does not say which it was, and the very row where it was seen', async () => {
    await runSql(url, `INSERT INTO loose VALUES (1, 'a'), (2, 'b')`)
    const reader = await read()
    await client.query('DELETE FROM loose WHERE user_id = 1')
    expect(await reader.keys('rows.loose')).toEqual(['all'])
    await client.query(
      `INSERT INTO indicator_values_v4 (id, instance_id, symbol, open_time, param_name, value)
       SELECT 1000000, id, symbol, now() + '1h', 'x', 1 FROM indicator_instances_v4 WHERE symbol = 'ETHUSDT' LIMIT 1`,
    )
    const [put] = await reader.keys('indicators')
    await client.query('DELETE FROM indicator_values_v4 WHERE id = 1000000')
    expect(await reader.keys('indicators', (keys) => keys.length === 2)).toEqual([put, put])
    await client.query('DELETE FROM indicator_values_v4 WHERE id = (SELECT min(id) FROM indicator_values_v4)')
    expect(await reader.keys('indicators', (keys) => keys.length === 3)).toEqual([put, put, 'all'])
    await client.query('TRUNCATE plans')
    expect(await reader.keys('rows.plans')).toEqual(['all'])
  })

  it('looks everywhere, a while later, where a row may have moved from a place that nobody saw', async () => {
    const reader = await read()
    await client.query(`UPDATE indicator_values_v4 SET value = 3 WHERE id = (SELECT max(id) FROM indicator_values_v4)`)
    const [put] = await reader.keys('indicators')
    expect(put).not.toBe('all')
    await until(async () => (await reader.keys('indicators')).includes('all'), { timeout: 20_000 })
    // By now it is known where the row is.
    await client.query(`UPDATE indicator_values_v4 SET value = 4 WHERE id = (SELECT max(id) FROM indicator_values_v4)`)
    expect(await reader.keys('indicators', (keys) => keys.length === 3)).toEqual([put, 'all', put])
  })

  it('tells nothing of what was rolled back or concerns nobody, and each key of a transaction once', async () => {
    const reader = await read()
    await client.query(`BEGIN; INSERT INTO plans VALUES (8, 'x'); ROLLBACK`)
    await client.query(`INSERT INTO other SELECT n, repeat('x', 3000) FROM generate_series(1, 500) AS n`)
    await client.query(`BEGIN; INSERT INTO plans VALUES (9, 'x'); UPDATE plans SET plan = 'y'; COMMIT`)
    expect(await reader.keys('rows.plans')).toEqual([['rows.plans', '["9"]']])
    expect(reader.changes).toHaveLength(1)
  })

  it('leaves the database in peace where others write all the time', async () => {
    const reader = await read()
    let asked = 0
    const { query } = db
    db.query = (sql, ...rest) => {
      if (/pg_visible_in_snapshot/.test(sql)) asked++
      return query(sql, ...rest)
    }
    // It is looked up a second later at the latest, and then known to be of no interest.
    await client.query(`INSERT INTO other VALUES (100000, 'x')`)
    await client.query(`INSERT INTO plans VALUES (50000, 'x')`)
    await reader.keys('rows.plans')
    const since = performance.now()
    await until(() => performance.now() - since > 1_500)
    const before = asked
    const at = performance.now()
    for (let i = 1; i <= 300; i++) await client.query(`INSERT INTO other VALUES (${100_000 + i}, 'x')`)
    await client.query(`INSERT INTO plans VALUES (50001, 'x')`)
    await reader.keys('rows.plans', (keys) => keys.length === 2)
    expect(asked - before).toBeLessThan(10 + (performance.now() - at) / 100)
  })

  it('says everything instead of ten thousand keys', async () => {
    const reader = await read()
    await client.query(`INSERT INTO plans SELECT n, 'x' FROM generate_series(10000, 20000) AS n`)
    expect(await reader.keys('rows.plans')).toEqual(['all'])
  })

  it('waits until a commit is visible: with synchronous replication that is later than in the WAL', async () => {
    const admin = new Client({ connectionString: postgres.url })
    await admin.connect()
    try {
      await admin.query(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`)
      await admin.query('SELECT pg_reload_conf()')
      await until(
        async () =>
          (await admin.query('SHOW synchronous_standby_names')).rows[0]?.synchronous_standby_names === 'nobody',
      )
      const reader = await read()
      await client.query('SET synchronous_commit = on')
      const hangs = client.query(`INSERT INTO plans VALUES (30000, 'x')`)
      await until(
        async () => (await admin.query(`SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep'`)).rowCount === 1,
      )
      // Others are told meanwhile.
      const second = new Client({ connectionString: url })
      await second.connect()
      await second.query(`SET synchronous_commit = local`)
      await second.query(`INSERT INTO plans VALUES (30001, 'x')`)
      expect(await reader.keys('rows.plans')).toEqual([['rows.plans', '["30001"]']])
      expect((await second.query('SELECT FROM plans WHERE user_id = 30000')).rowCount).toBe(0)
      await second.end()
      await admin.query(`ALTER SYSTEM RESET synchronous_standby_names`)
      await admin.query('SELECT pg_reload_conf()')
      await hangs
      expect(await reader.keys('rows.plans', (keys) => keys.length === 2)).toEqual([
        ['rows.plans', '["30001"]'],
        ['rows.plans', '["30000"]'],
      ])
    } finally {
      await admin.query(`ALTER SYSTEM RESET synchronous_standby_names`)
      await admin.query('SELECT pg_reload_conf()')
      await admin.end()
    }
  })

  const slots = async (): Promise<{ slot_name: string; confirmed: string; restart: string }[]> =>
    (
      await client.query(
        `SELECT slot_name, confirmed_flush_lsn::text AS confirmed, restart_lsn::text AS restart FROM pg_replication_slots`,
      )
    ).rows

  it('leaves no slot when it is closed, and none while it is opened', async () => {
    const reader = await read()
    expect((await slots()).map(({ slot_name }) => slot_name)).toEqual([reader.slot()])
    reader.close()
    await until(async () => (await slots()).length === 0)
    await client.end()
    await db.close()
    const early = await read({}, false)
    early.close()
    await until(async () => (await slots()).length === 0)
    const walsenders = "SELECT FROM pg_stat_activity WHERE backend_type = 'walsender'"
    await until(async () => (await client.query(walsenders)).rowCount === 0)
  })

  it('confirms what it has read, so that the server keeps no WAL for it', async () => {
    await read({ beat: 200 })
    const before = (await slots())[0]
    await client.query(`INSERT INTO other SELECT n, repeat('x', 1000) FROM generate_series(1000, 3000) AS n`)
    const { rows } = await client.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    await until(
      async () => {
        const [now] = await slots()
        const { rows: told } = await client.query<{ caught: boolean }>('SELECT $1::pg_lsn >= $2::pg_lsn AS caught', [
          now?.confirmed,
          rows[0]?.lsn,
        ])
        return told[0]?.caught
      },
      { timeout: 20_000 },
    )
    // A checkpoint's snapshot of what is running lets go of the rest.
    await until(
      async () => {
        await runSql(postgres.url, 'CHECKPOINT')
        return (await slots())[0]?.restart !== before?.restart
      },
      { timeout: 20_000 },
    )
  })

  it('errs when its server process is ended, and leaves no slot', async () => {
    const reader = await read()
    await client.query(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots`)
    await until(() => reader.errors.length === 1)
    expect(await slots()).toEqual([])
  })

  it('errs when the connection goes silent', async () => {
    const proxy = await startProxy(postgres.port)
    try {
      const reader = await read({ url: proxy.url(url), beat: 100, limit: 500 })
      expect(reader.isListening()).toBe(true)
      proxy.freeze()
      await until(() => reader.errors.length === 1)
      expect(reader.errors[0]?.message).toMatch(/nothing has come/)
    } finally {
      await proxy.stop()
    }
  })

  it('says why the slot cannot be had: all are in use, no right, no such plugin, a transaction that lasts', async () => {
    await runSql(postgres.url, `SELECT pg_create_physical_replication_slot('s' || n) FROM generate_series(1, 3) AS n`)
    const full = await read()
    expect(full.errors).toMatchObject([
      { code: 'postgres_wal', hint: expect.stringContaining('max_replication_slots') },
    ])
    await runSql(postgres.url, `SELECT pg_drop_replication_slot('s' || n) FROM generate_series(1, 3) AS n`)
    await client.end()
    await db.close()

    await runSql(url, `CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain`)
    const poor = await read({ url: url.replace('postgres:rekindle@', 'plain:plain@') })
    expect(poor.errors).toMatchObject([{ code: 'postgres_wal', hint: expect.stringContaining('REPLICATION') }])
    await client.end()
    await db.close()

    const decoding = byTestDecoding()
    const without = { ...decoding, plugin: { ...decoding.plugin, name: 'no_such' as 'pgoutput' } }
    const plain = await read({ decoding: without })
    expect(plain.errors).toMatchObject([{ code: 'postgres_wal', hint: expect.stringContaining('test_decoding') }])
    await client.end()
    await db.close()

    const writer = new Client({ connectionString: url })
    await writer.connect()
    await writer.query(`BEGIN; INSERT INTO plans VALUES (40000, 'x')`)
    const waiting = await read({ limit: 500 })
    expect(waiting.errors).toMatchObject([
      { code: 'postgres_wal', passing: false, hint: expect.stringContaining('transaction') },
    ])
    expect(await slots()).toEqual([])
    await until(
      async () => (await client.query("SELECT FROM pg_stat_activity WHERE backend_type = 'walsender'")).rowCount === 0,
    )
    await writer.query('ROLLBACK')
    await writer.end()
  })
})

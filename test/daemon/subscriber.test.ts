import { afterEach, beforeAll, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { installSql } from '../../src/postgres/triggers.js'
import {
  anyLayout,
  queryable,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  untilWhole,
} from '../support/daemon.js'
import { agrees, change, sourceOf, untilEqual } from '../support/found-by.js'
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres, useRedis } from '../support/servers.js'

describeOwnServers('a subscriber of logical replication', () => {
  const redis = useRedis()
  const publisher = usePostgres({ settings: { wal_level: 'logical' } })
  const subscriber = usePostgres()
  const database = queryable(() => subscriber.url)
  let daemon: RunningDaemon

  beforeAll(async () => {
    await Promise.all([publisher, subscriber].map(({ url }) => createMarket(url, SMALL)))
    await runSql(publisher.url, 'CREATE PUBLICATION market FOR ALL TABLES')
    const source = `host=127.0.0.1 port=${publisher.port} user=postgres password=rekindle dbname=postgres`
    await runSql(
      subscriber.url,
      `CREATE SUBSCRIPTION market CONNECTION '${source}' PUBLICATION market WITH (copy_data = false)`,
    )
    await runSql(subscriber.url, installSql(testConfig(redis.url, subscriber.url)))
  })
  afterEach(() => daemon.stop())

  it('is polled, whatever triggers it has', async () => {
    daemon = startDaemon(testConfig(redis.url, subscriber.url, { layout: anyLayout(), poll: '300ms' }))
    await daemon.next('watching')
    await untilWhole(redis.url, database, anyLayout())
    const why = 'it is filled by a subscription of logical replication, which fires no triggers of statements'
    for (const table of ['ohlcv4_m1', 'ohlcv4_m15', 'indicator_values_v4']) {
      const said = sourceOf(daemon, DATASETS[table] ?? '')
      expect(said).toMatchObject({ found_by: 'poll', why })
      await runSql(publisher.url, change(table))
      await untilSame(publisher.url, subscriber.url, table)
      await untilEqual(redis.url, database, said.within_ms)
    }
    await runSql(publisher.url, "UPDATE tickers SET status = 'enabled' WHERE symbol = 'LUNAUSDT'")
    await untilSame(publisher.url, subscriber.url, 'tickers')
    await untilEqual(redis.url, database, sourceOf(daemon, 'symbols').within_ms)
    expect(daemon.all('degraded')).toEqual([])
    await agrees(daemon)
  })
})

const DATASETS: Readonly<Record<string, string>> = {
  ohlcv4_m1: 'candles.m1',
  ohlcv4_m15: 'candles.m15',
  indicator_values_v4: 'indicators',
}

/** Waits until a table holds the same in two databases, but for when its rows were written. */
async function untilSame(url: string, other: string, table: string): Promise<void> {
  const print = async (from: string): Promise<unknown> => {
    const row = `to_jsonb(t) - '{created_at,inserted_at,updated_at}'::text[]`
    const sql = `SELECT sum(hashtext((${row})::text)::bigint) AS print FROM ${table} AS t`
    return (await queryable(() => from).query(sql))[0]?.['print']
  }
  await until(async () => (await print(url)) === (await print(other)), { timeout: 20_000 })
}

import { afterEach, beforeEach, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { installSql } from '../../src/postgres/triggers.js'
import {
  anyLayout,
  type Queryable,
  queryable,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  untilWhole,
} from '../support/daemon.js'
import { agrees, change, sourceOf, untilEqual } from '../support/found-by.js'
import { describeOwnServers } from '../support/processes.js'
import { usePostgres, useRedis } from '../support/servers.js'

/** A poll that comes to nobody's aid, and one that must. */
const [NEVER, OFTEN] = ['10m', '300ms']
/** The catalog is read again so often, in ms. */
const RECHECK = 10_000

describeOwnServers('changes that no trigger on the table tells of', () => {
  const redis = useRedis()
  const postgres = usePostgres()
  let url: string
  let database: Queryable
  let daemon: RunningDaemon | undefined

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    url = await postgres.createDatabase()
    database = queryable(() => url)
    await createMarket(url, SMALL)
  })
  afterEach(async () => {
    daemon?.stop()
    daemon = undefined
    await postgres.dropDatabase(url)
  })

  const config = (poll: string) => testConfig(redis.url, url, { layout: anyLayout(), poll })
  async function start(poll: string): Promise<RunningDaemon> {
    daemon = startDaemon(config(poll))
    await daemon.next('watching')
    await untilWhole(redis.url, database, anyLayout())
    return daemon
  }
  const install = (options = {}) => runSql(url, installSql(config(NEVER), options))
  const arrives = (within: number) => untilEqual(redis.url, database, within)

  it('since its session is a replica: triggers that fire always do', async () => {
    await install()
    const running = await start(NEVER)
    expect(sourceOf(running, 'candles.m1')).toMatchObject({ found_by: 'triggers', within_ms: 10 })
    for (const table of ['ohlcv4_m1', 'indicator_values_v4']) {
      await runSql(url, `BEGIN; SET LOCAL session_replication_role = replica; ${change(table)}; COMMIT`)
      await arrives(10)
    }
    await agrees(running)
  })

  it('since its session is a replica, and the triggers are not the owner’s: polled', async () => {
    await install()
    await runSql(url, 'ALTER TABLE ohlcv4_m1 ENABLE TRIGGER USER')
    const running = await start(OFTEN)
    const said = sourceOf(running, 'candles.m1')
    expect(said).toMatchObject({ found_by: 'poll', why: expect.stringMatching(/session_replication_role is replica/) })
    await runSql(url, `BEGIN; SET LOCAL session_replication_role = replica; ${change('ohlcv4_m1')}; COMMIT`)
    await arrives(said.within_ms)
    expect(running.all('degraded').map(({ what }) => what)).toEqual(['triggers'])
    await agrees(running)
  })

  it('since it names a partition', async () => {
    await runSql(url, PARTITIONED)
    await install()
    const running = await start(NEVER)
    expect(sourceOf(running, 'candles.m5')).toMatchObject({ found_by: 'triggers' })
    await runSql(url, change('m5_late'))
    await arrives(10)
    await runSql(url, change('ohlcv4_m5'))
    await arrives(10)
    await agrees(running)
  })

  it('since a partition is attached or detached: the catalog is read again, and what has no triggers is polled', async () => {
    await runSql(url, PARTITIONED)
    await install()
    const running = await start(OFTEN)
    await runSql(
      url,
      `CREATE TABLE m5_later (LIKE kept_m5 INCLUDING DEFAULTS);
       INSERT INTO m5_later SELECT symbol, open_time + interval '1 day', open, high, low, close, volume FROM kept_m5;
       ALTER TABLE ohlcv4_m5 ATTACH PARTITION m5_later FOR VALUES FROM ('2025-06-03') TO ('2025-06-04')`,
    )
    await arrives(RECHECK)
    await running.next('change_sources', ({ tables }) => tables.some(({ found_by }) => found_by === 'poll'))
    const said = sourceOf(running, 'candles.m5')
    expect(said).toMatchObject({ found_by: 'poll', why: 'public.m5_later, a part of it, has no triggers of ours' })
    await runSql(url, change('m5_later'))
    await arrives(said.within_ms)
    await agrees(running)
    await runSql(url, 'ALTER TABLE ohlcv4_m5 DETACH PARTITION m5_later; UPDATE m5_early SET close = close + 1')
    await arrives(RECHECK)
    await running.next('change_sources', ({ tables }) => tables.every(({ found_by }) => found_by === 'triggers'))
    await agrees(running)
  })

  it('since another table has taken its name', async () => {
    await install()
    const running = await start(OFTEN)
    await runSql(
      url,
      `CREATE TABLE next_m15 (LIKE ohlcv4_m15 INCLUDING ALL); INSERT INTO next_m15 SELECT * FROM ohlcv4_m15;
       ${change('next_m15')};
       BEGIN; ALTER TABLE ohlcv4_m15 RENAME TO last_m15; ALTER TABLE next_m15 RENAME TO ohlcv4_m15; COMMIT`,
    )
    await arrives(RECHECK)
    await running.next('change_sources', ({ tables }) => tables.some(({ found_by }) => found_by === 'poll'))
    const said = sourceOf(running, 'candles.m15')
    expect(said).toMatchObject({ found_by: 'poll', why: 'it has no triggers of ours' })
    await runSql(url, change('ohlcv4_m15'))
    await arrives(said.within_ms)
    await agrees(running)
  })

  it('since its triggers are off, until they are on again', async () => {
    await install()
    const running = await start(OFTEN)
    await runSql(url, `ALTER TABLE indicator_values_v4 DISABLE TRIGGER USER; ${change('indicator_values_v4')}`)
    await arrives(RECHECK)
    await running.next('change_sources', ({ tables }) => tables.some(({ found_by }) => found_by === 'poll'))
    const said = sourceOf(running, 'indicators')
    expect(running.all('degraded')).toMatchObject([{ what: 'triggers', hint: 'run: rekindle triggers --apply' }])
    await runSql(url, change('indicator_values_v4'))
    await arrives(said.within_ms)
    await agrees(running)
    // Off and on again between two looks: nothing is off, and something was missed.
    await install()
    await running.next('change_sources', ({ tables }) => tables.every(({ found_by }) => found_by === 'triggers'))
    await runSql(
      url,
      `ALTER TABLE indicator_values_v4 DISABLE TRIGGER rekindle_values_indicator_values_v4_update;
       ${change('indicator_values_v4')};
       ALTER TABLE indicator_values_v4 ENABLE ALWAYS TRIGGER rekindle_values_indicator_values_v4_update`,
    )
    await arrives(RECHECK)
    await agrees(running)
  })

  it('since its trigger functions are of another version: they are named, and it is polled beside what they tell', async () => {
    await install()
    await runSql(
      url,
      `DO $$ BEGIN EXECUTE regexp_replace(
         pg_get_functiondef('rekindle_candles_m1_ohlcv4_m1'::regproc), '-- rekindle \\w+', '-- rekindle of old');
       END $$`,
    )
    const running = await start(OFTEN)
    const said = sourceOf(running, 'candles.m1')
    expect(said).toMatchObject({
      found_by: 'poll',
      why: 'it has triggers of another version of Rekindle, or for other columns',
      mend: 'run: rekindle triggers --apply',
    })
    expect(running.all('degraded')).toMatchObject([
      { what: 'triggers', reason: expect.stringContaining('ohlcv4_m1: ') },
    ])
    await runSql(url, change('ohlcv4_m1'))
    await arrives(said.within_ms)
    await agrees(running)
    await install()
    await running.next('recovered', ({ what }) => what === 'triggers')
    await running.next('change_sources', ({ tables }) => tables.every(({ found_by }) => found_by === 'triggers'))
  })

  it('since candles were left out: that is no reason to warn', async () => {
    await install({ candles: false })
    const running = await start(OFTEN)
    const said = sourceOf(running, 'candles.m1')
    expect(said).toMatchObject({ found_by: 'poll', mend: 'run: rekindle triggers --apply' })
    expect(sourceOf(running, 'indicators')).toMatchObject({ found_by: 'triggers' })
    for (const timeframe of ['m1', 'm5', 'm15']) {
      await runSql(url, change(`ohlcv4_${timeframe}`))
      await arrives(said.within_ms)
    }
    expect(running.all('degraded')).toEqual([])
    await agrees(running)
  })
})

/** Five-minute candles in a partitioned table, of two partitions by day. */
const PARTITIONED = `
  ALTER TABLE ohlcv4_m5 RENAME TO kept_m5;
  CREATE TABLE ohlcv4_m5 (LIKE kept_m5 INCLUDING DEFAULTS, PRIMARY KEY (symbol, open_time)) PARTITION BY RANGE (open_time);
  CREATE TABLE m5_early PARTITION OF ohlcv4_m5 FOR VALUES FROM ('2025-01-01') TO ('2025-06-02 10:00');
  CREATE TABLE m5_late PARTITION OF ohlcv4_m5 FOR VALUES FROM ('2025-06-02 10:00') TO ('2025-06-03');
  INSERT INTO ohlcv4_m5 SELECT * FROM kept_m5`

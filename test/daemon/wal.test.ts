import { Redis } from 'ioredis'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import { startPostgres } from '../../lab/postgres.js'
import { insertCandle, setIndicator } from '../../lab/worker.js'
import type { Config } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { startRekindle, writeConfig } from '../commands/rekindle.js'
import { seeded } from '../decide/seeded.js'
import {
  anyLayout,
  type ConfigOptions,
  type Queryable,
  queryable,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  untilWhole,
} from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres, useRedis } from '../support/servers.js'

const ROWS = {
  plans: { table: 'plans', key: 'plan:{user_id}', type: 'hash', fields: { plan: 'plan' } },
  quotas: { table: 'quotas', key: 'quota:{symbol}:{day}', symbol: 'symbol', type: 'string', value: 'quota' },
}
const TABLES = `
  CREATE TABLE plans (user_id int PRIMARY KEY, plan text);
  CREATE TABLE quotas (symbol text, day int, quota int, PRIMARY KEY (symbol, day)) PARTITION BY RANGE (day);
  CREATE TABLE quotas_1 PARTITION OF quotas FOR VALUES FROM (0) TO (10)`
/** Polling keeps a slow machine busy for a part of its time only. */
const PATIENTLY = { timeout: 60_000 }
async function connected(to: string): Promise<Client> {
  const client = new Client({ connectionString: to })
  await client.connect()
  return client
}

const NEXT = { symbol: 'BTCUSDT', timeframe: 'm1', open: 1, high: 9, low: 1, close: 5, volume: 7 } as const

describeOwnServers('a daemon that reads the WAL', () => {
  const postgres = usePostgres({ settings: { wal_level: 'logical', max_replication_slots: '3' } })
  const redis = useRedis()
  const layout = anyLayout()
  let client: Redis
  let url: string
  let database: Queryable
  let daemon: RunningDaemon | undefined

  beforeAll(async () => {
    client = new Redis(redis.url)
    url = await postgres.createDatabase('app')
    await createMarket(url, SMALL)
    await runSql(url, TABLES)
    database = queryable(() => url)
  })
  afterAll(() => client.disconnect())
  afterEach(() => daemon?.stop())

  function configOf(source: Config['sync']['source'], { more, ...rest }: ConfigOptions = {}, at = url): Config {
    const sync = { source, settle: '400ms' }
    return testConfig(redis.url, at, { layout, poll: '10s', ...rest, more: { rows: ROWS, sync, ...more } })
  }

  async function start(config: Config): Promise<RunningDaemon> {
    daemon = startDaemon(config)
    await daemon.next('watching')
    return daemon
  }

  const slots = () =>
    database.query<{ slot_name: string; active_pid: number }>(
      "SELECT slot_name, active_pid FROM pg_replication_slots WHERE slot_name LIKE 'rekindle%'",
    )

  /** Lets go of the slots that a test has taken. */
  const dropSlots = () =>
    runSql(
      postgres.url,
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name IN ('s1', 's2', 's3')`,
    )

  /** Everything that has been written to PostgreSQL stands in Redis. */
  async function whole(): Promise<void> {
    await untilWhole(redis.url, database, layout)
    const plans = await database.query<{ user_id: number; plan: string }>('SELECT * FROM plans')
    for (const { user_id, plan } of plans)
      await until(async () => (await client.hget(`plan:${user_id}`, 'plan')) === plan)
    const quotas = await database.query<{ symbol: string; day: number; quota: number }>('SELECT * FROM quotas')
    for (const { symbol, day, quota } of quotas) {
      await until(async () => (await client.get(`quota:${symbol}:${day}`)) === String(quota))
    }
  }

  it('follows what is inserted, updated, deleted and truncated in milliseconds, without a trigger', async () => {
    const running = await start(configOf('wal'))
    expect(running.events.some(({ event }) => event === 'wal_opened')).toBe(true)
    running.passOver()
    const took: number[] = []
    const follow = async (act: () => Promise<unknown>, isThere: () => Promise<boolean>): Promise<void> => {
      await act()
      const at = performance.now()
      await until(isThere)
      took.push(performance.now() - at)
    }
    const field = (param: string) => client.hget('indicator:BTCUSDT:m1', param)
    for (let i = 1; i <= 5; i++) {
      await follow(
        () => setIndicator(database, { symbol: 'BTCUSDT', timeframe: 'm1', param: 'rsi_14', value: i }),
        async () => (await field('rsi_14')) === String(i),
      )
      const openTime = new Date(Date.UTC(2025, 5, 3, 12, i))
      const read = async () =>
        layout === 'sortedset'
          ? (await client.zrangebyscore('ohlcv:BTCUSDT:m1', openTime.getTime(), openTime.getTime())).length === 1
          : ((await client.call('TS.RANGE', 'ohlcv:BTCUSDT:m1', openTime.getTime(), openTime.getTime())) as unknown[])
              .length === 1
      await follow(() => insertCandle(database, { ...NEXT, openTime }), read)
      await follow(
        () => database.query(`INSERT INTO plans VALUES (${i}, 'paid')`),
        async () => (await client.hget(`plan:${i}`, 'plan')) === 'paid',
      )
    }
    // A value that is gone makes an older one the newest.
    await database.query(
      `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
       SELECT instance_id, symbol, open_time + '1m', param_name, 77 FROM indicator_values_v4
       WHERE symbol = 'BTCUSDT' AND param_name = 'rsi_14' AND value = 5`,
    )
    await until(async () => (await field('rsi_14')) === '77')
    await follow(
      () => database.query('DELETE FROM indicator_values_v4 WHERE value = 77'),
      async () => (await field('rsi_14')) === '5',
    )
    await follow(
      () => database.query("UPDATE tickers SET status = 'enabled' WHERE symbol = 'LUNAUSDT'"),
      async () => (await client.hexists('rekindle:ready', 'LUNAUSDT')) === 1,
    )
    await database.query('TRUNCATE plans')
    await running.next('wal_slot')
    // What nothing wants any more may go.
    await client.del('plan:1')
    // An insert and a read of its own connection are in these, and the machine's other work.
    took.sort((a, b) => a - b)
    expect(took[Math.floor(took.length / 2)]).toBeLessThan(200)
    await whole()
    expect(running.all('drift')).toEqual([])
    expect([...running.all('degraded'), ...running.all('data_loss'), ...running.all('gap')]).toEqual([])
  })

  it('hears replica sessions, partitions, what a partition is attached with, and a subscription', {
    timeout: 60_000,
  }, async () => {
    await start(configOf('wal'))
    await database.query(
      `BEGIN; SET LOCAL session_replication_role = replica; INSERT INTO quotas_1 VALUES ('BTCUSDT', 1, 10); COMMIT`,
    )
    await until(async () => (await client.get('quota:BTCUSDT:1')) === '10')
    await database.query('UPDATE quotas SET quota = 11')
    await until(async () => (await client.get('quota:BTCUSDT:1')) === '11')
    await database.query(
      `CREATE TABLE quotas_2 (LIKE quotas INCLUDING ALL); INSERT INTO quotas_2 VALUES ('ETHUSDT', 12, 5);
       ALTER TABLE quotas ATTACH PARTITION quotas_2 FOR VALUES FROM (10) TO (20)`,
    )
    await until(async () => (await client.get('quota:ETHUSDT:12')) === '5', { timeout: 20_000 })
    await database.query("INSERT INTO quotas VALUES ('ETHUSDT', 13, 6)")
    await until(async () => (await client.get('quota:ETHUSDT:13')) === '6')

    const publisher = await startPostgres({ settings: { wal_level: 'logical' } })
    try {
      await runSql(publisher.url, 'CREATE TABLE plans (user_id int PRIMARY KEY, plan text)')
      await runSql(publisher.url, 'CREATE PUBLICATION all_plans FOR TABLE plans')
      await runSql(url, `CREATE SUBSCRIPTION of_plans CONNECTION '${publisher.url}' PUBLICATION all_plans`)
      await runSql(publisher.url, "INSERT INTO plans VALUES (100, 'sent')")
      await until(async () => (await client.hget('plan:100', 'plan')) === 'sent', { timeout: 20_000 })
      await runSql(publisher.url, "UPDATE plans SET plan = 'again'")
      await until(async () => (await client.hget('plan:100', 'plan')) === 'again')
    } finally {
      await runSql(url, 'DROP SUBSCRIPTION of_plans')
      await publisher.stop()
    }
    await whole()
  })

  it('takes a transaction of ten thousand rows at once', async () => {
    await start(configOf('wal'))
    await database.query("INSERT INTO plans SELECT n, 'x' FROM generate_series(1000, 11000) AS n")
    await until(async () => (await client.exists('plan:1000', 'plan:11000')) === 2, { timeout: 20_000 })
    await database.query('TRUNCATE plans')
    await database.query("INSERT INTO plans VALUES (1, 'paid')")
    await until(async () => (await client.hget('plan:1', 'plan')) === 'paid')
  })

  it('does not let the first look wait for a slot that a long transaction holds up', async () => {
    const writer = await connected(url)
    try {
      await writer.query("BEGIN; INSERT INTO plans VALUES (70, 'late')")
      await client.flushall()
      const running = await start(configOf('wal'))
      expect(running.events.some(({ event }) => event === 'wal_opened')).toBe(false)
      await writer.query('COMMIT')
      await until(() => running.events.some(({ event }) => event === 'wal_opened'), { timeout: 20_000 })
      await until(async () => (await client.hget('plan:70', 'plan')) === 'late')
    } finally {
      await writer.end()
    }
  })

  it('opens another slot when its own is lost, and catches up with what was written meanwhile', async () => {
    const running = await start(configOf('wal'))
    const [slot] = await slots()
    running.passOver()
    await database.query(
      `SELECT pg_terminate_backend(${slot?.active_pid}); INSERT INTO plans VALUES (50, 'meanwhile'); UPDATE tickers SET status = status`,
    )
    await until(async () => (await client.hget('plan:50', 'plan')) === 'meanwhile')
    await running.next('gap')
    const [next] = await slots()
    expect(next?.slot_name).not.toBe(slot?.slot_name)
    await database.query("UPDATE plans SET plan = 'after' WHERE user_id = 50")
    await until(async () => (await client.hget('plan:50', 'plan')) === 'after')
    expect(running.all('wal_opened')).toHaveLength(1)
    expect(running.all('degraded')).toEqual([])
  })

  it('stays equal while rows are written, moved and removed from many sides, and the slot is lost once', {
    timeout: 120_000,
  }, async () => {
    // Nothing but the WAL, and the catch-up after the loss, can tell.
    const running = await start(configOf('wal', { poll: '10m' }))
    // In the first settling time nobody knows who has written what differs.
    const since = performance.now()
    await until(() => performance.now() - since > 1_000)
    await database.query('DELETE FROM plans')
    // A parameter without any row would be left alone in Redis: each has an old one.
    await database.query(
      `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
       SELECT id, symbol, '2000-01-01'::timestamp + id * interval '1s', 'p' || n, id
       FROM indicator_instances_v4, generate_series(0, 3) AS n`,
    )
    const { below, fraction, pick } = seeded(11)
    const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
    const acts: (() => string)[] = [
      () => `UPDATE indicator_values_v4 SET value = ${fraction()} WHERE id % 97 = ${below(97)}`,
      // A row of another instance: the place that it leaves has an older one.
      () => `UPDATE indicator_values_v4 AS v SET instance_id = i.id, symbol = i.symbol, open_time = clock_timestamp(), value = ${fraction()}
             FROM indicator_instances_v4 AS i WHERE i.id = (SELECT id FROM indicator_instances_v4 ORDER BY random() LIMIT 1)
             AND v.id = (SELECT id FROM indicator_values_v4 WHERE param_name LIKE 'p%' AND open_time > '2020-01-01'
               ORDER BY open_time DESC LIMIT 1)`,
      () => `DELETE FROM indicator_values_v4
             WHERE id = (SELECT max(id) FROM indicator_values_v4 WHERE param_name LIKE 'p%' AND open_time > '2020-01-01')`,
      () => `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
             SELECT id, symbol, clock_timestamp(), 'p' || ${below(4)}, ${fraction()} FROM indicator_instances_v4
             WHERE symbol = '${pick(symbols)}'`,
      () => `UPDATE ohlcv4_m1 SET close = ${below(1_000)} WHERE symbol = '${pick(symbols)}'`,
      () => `INSERT INTO quotas VALUES ('${pick(symbols)}', ${below(10)}, ${below(100)})
             ON CONFLICT (symbol, day) DO UPDATE SET quota = EXCLUDED.quota`,
      () => `INSERT INTO plans VALUES (${below(30)}, 'p${below(100)}')
             ON CONFLICT (user_id) DO UPDATE SET plan = EXCLUDED.plan`,
      () => `BEGIN; UPDATE ohlcv4_m5 SET close = 1; ROLLBACK`,
    ]
    const writers = await Promise.all([1, 2, 3].map(() => connected(url)))
    try {
      await Promise.all(
        writers.map(async (writer, nth) => {
          for (let i = 0; i < 150; i++) {
            if (nth === 0 && i === 75) {
              await writer.query('SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active')
            }
            // Two may meet on the same rows.
            await writer.query(pick(acts)()).catch((error: { code?: string }) => {
              if (error.code !== '40P01' && error.code !== '23505') throw error
            })
          }
        }),
      )
    } finally {
      await Promise.all(writers.map((writer) => writer.end()))
    }
    await running.next('gap')
    await until(
      () =>
        whole().then(
          () => true,
          () => false,
        ),
      { timeout: 40_000 },
    ).catch(whole)
    // What stands in Redis of rows that were removed in tests before this one is nobody's known value.
    const drifted = running.all('drift').filter(({ dataset }) => !dataset.startsWith('rows.'))
    expect(drifted).toEqual([])
  })

  it('polls where no slot is to be had, says so once, and goes on with the WAL when one is', {
    timeout: 120_000,
  }, async () => {
    await runSql(postgres.url, `SELECT pg_create_physical_replication_slot('s' || n) FROM generate_series(1, 3) AS n`)
    onTestFinished(dropSlots)
    const running = startDaemon(configOf('wal', { poll: '300ms' }))
    daemon = running
    const degraded = await running.next('degraded', ({ what }) => what === 'wal')
    expect(degraded).toMatchObject({ code: 'postgres_wal', hint: expect.stringContaining('max_replication_slots') })
    await running.next('watching')
    await database.query("INSERT INTO plans VALUES (50, 'x') ON CONFLICT DO NOTHING")
    await database.query("UPDATE plans SET plan = 'polled'")
    await until(async () => (await client.hget('plan:50', 'plan')) === 'polled', PATIENTLY)
    expect(running.events.filter(({ event }) => event === 'degraded')).toHaveLength(1)
    await dropSlots()
    await running.next('wal_opened', undefined, 90_000)
    await database.query("UPDATE plans SET plan = 'read'")
    await until(async () => (await client.hget('plan:50', 'plan')) === 'read')
    await running.next('recovered', ({ what }) => what === 'wal')
  })

  describe('by choice', () => {
    it('auto: reads the WAL where there is no trigger, and the triggers as soon as there are', {
      timeout: 60_000,
    }, async () => {
      const running = await start(configOf('auto'))
      expect(running.events.some(({ event }) => event === 'wal_opened')).toBe(true)
      running.passOver()
      await database.query(installSql(configOf('auto')))
      await running.next('wal_closed', undefined, 30_000)
      expect(await slots()).toEqual([])
      await database.query("UPDATE plans SET plan = 'heard'")
      await until(async () => (await client.hget('plan:50', 'plan')) === 'heard')
      expect(running.all('degraded')).toEqual([])
      daemon?.stop()
      // With triggers, nobody asks for a slot.
      const other = await start(configOf('auto'))
      expect(other.events.some(({ event }) => event === 'wal_opened')).toBe(false)
    })

    it('wal without the right: listens to the triggers, and says once how to grant it', async () => {
      await runSql(
        url,
        "CREATE ROLE plain LOGIN PASSWORD 'plain'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain",
      )
      const running = await start(configOf('wal', {}, url.replace('postgres:rekindle@', 'plain:plain@')))
      expect(running.events.filter(({ event }) => event === 'degraded')).toMatchObject([
        { what: 'wal', code: 'postgres_wal', hint: expect.stringContaining('ALTER ROLE plain REPLICATION') },
      ])
      await database.query("UPDATE plans SET plan = 'by trigger'")
      await until(async () => (await client.hget('plan:50', 'plan')) === 'by trigger')
    })

    it('auto with all slots in use: polls, says nothing, and reads the WAL when there is one', {
      timeout: 90_000,
    }, async () => {
      const bare = await postgres.createDatabase('full')
      await createMarket(bare, SMALL)
      await runSql(bare, TABLES)
      await runSql(postgres.url, `SELECT pg_create_physical_replication_slot('s' || n) FROM generate_series(1, 3) AS n`)
      onTestFinished(dropSlots)
      const running = await start(configOf('auto', { poll: '300ms' }, bare))
      await dropSlots()
      await running.next('wal_opened', undefined, 40_000)
      expect(running.events.flatMap((event) => (event.event === 'degraded' ? event.what : []))).not.toContain('wal')
    })

    it('auto without the right: polls, and says nothing of the WAL', { timeout: 90_000 }, async () => {
      const bare = await postgres.createDatabase('bare')
      await createMarket(bare, SMALL)
      await runSql(bare, `${TABLES}; GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain`)
      const running = await start(
        configOf('auto', { poll: '300ms' }, bare.replace('postgres:rekindle@', 'plain:plain@')),
      )
      const degraded = running.events.filter((event) => event.event === 'degraded')
      expect(degraded.map(({ what }) => what)).not.toContain('wal')
      await runSql(bare, "INSERT INTO plans VALUES (60, 'polled')")
      await until(async () => (await client.hget('plan:60', 'plan')) === 'polled', PATIENTLY)
    })
  })

  it('leaves no slot when it is killed', async () => {
    const file = writeConfig({
      candles: { layout, last: 40 },
      rows: ROWS,
      sync: { source: 'wal' },
      http: { listen: false },
    })
    const env = { REDIS_URL: redis.url, DATABASE_URL: url, REKINDLE_CONFIG: file }
    const running = startRekindle(['watch'], env)
    const isReading = async () => (await slots()).length === 1
    await until(isReading, { timeout: 20_000 }).catch((error: Error) => {
      running.kill('SIGKILL')
      throw new Error(`${error.message}\n${running.stdout}${running.stderr}`)
    })
    running.kill('SIGKILL')
    await running.ended
    await until(async () => (await slots()).length === 0)
  })

  it('leaves no slot when it is stopped, and lets PostgreSQL stop', async () => {
    const running = await start(configOf('wal'))
    await until(async () => (await slots()).length === 1)
    const at = performance.now()
    await postgres.restart()
    expect(performance.now() - at).toBeLessThan(20_000)
    await until(async () => (await slots()).length === 1, { timeout: 30_000 })
    await database.query("UPDATE plans SET plan = 'restarted'")
    await until(async () => (await client.hget('plan:50', 'plan')) === 'restarted', { timeout: 20_000 })
    running.stop()
    await until(async () => (await slots()).length === 0)
  })
})

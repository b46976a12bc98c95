import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { createMarket } from '../../lab/market.js'
import type { RunningPostgres } from '../../lab/postgres.js'
import { setIndicator } from '../../lab/worker.js'
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
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres, useRedis } from '../support/servers.js'

describeOwnServers('a daemon that reads the WAL of a standby', () => {
  const postgres = usePostgres({ settings: { wal_level: 'logical', hot_standby_feedback: 'on' } })
  const redis = useRedis()
  const layout = anyLayout()
  let client: Redis
  let standby: RunningPostgres | undefined
  let primary: Queryable
  let url: string
  let daemon: RunningDaemon | undefined

  beforeAll(async () => {
    client = new Redis(redis.url)
    const first = await postgres.createDatabase('app')
    await createMarket(first, SMALL)
    primary = queryable(() => first)
    standby = await postgres.copy('standby')
    url = first.replace(`:${postgres.port}/`, `:${standby.port}/`)
  })
  afterEach(() => daemon?.stop())
  afterAll(async () => {
    client.disconnect()
    await standby?.stop()
  })

  const follow = async (database: Queryable, value: number): Promise<void> => {
    await setIndicator(database, { symbol: 'BTCUSDT', timeframe: 'm1', param: 'rsi_14', value })
    await until(async () => (await client.hget('indicator:BTCUSDT:m1', 'rsi_14')) === String(value))
  }

  it('hears what the primary writes, polls as long as that is idle, and goes on after a promotion', {
    timeout: 120_000,
  }, async () => {
    const running = startDaemon(testConfig(redis.url, url, { layout, poll: '10s' }))
    daemon = running
    // As long as nothing is written that a slot could begin at, there is none; the first look does not wait for it.
    await running.next('watching')
    await runSql(postgres.url, 'SELECT pg_log_standby_snapshot()')
    await until(() => running.events.some(({ event }) => event === 'wal_opened'))
    expect(running.events.filter(({ event }) => event === 'degraded')).toEqual([])
    const at = performance.now()
    await follow(primary, 41)
    expect(performance.now() - at).toBeLessThan(5_000)
    await untilWhole(redis.url, primary, layout)
    await runSql(standby?.url ?? '', 'SELECT pg_promote()')
    const promoted = queryable(() => url)
    await follow(promoted, 42)
    await follow(promoted, 43)
    await untilWhole(redis.url, promoted, layout)
  })
})

import { afterEach, beforeAll, expect, it } from 'vitest'
import { type RunningPgBouncer, startPgBouncer } from '../../lab/pgbouncer.js'
import type { Config } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { rekindle, writeConfig } from '../commands/rekindle.js'
import { useApp } from '../support/app.js'
import { anyLayout, type RunningDaemon, startDaemon, testConfig, untilWhole } from '../support/daemon.js'
import { describePgBouncer } from '../support/pgbouncer.js'

describePgBouncer('a daemon behind PgBouncer with its defaults', () => {
  const app = useApp()
  const { postgres, redis, database } = app
  const layout = anyLayout()
  let pooler: RunningPgBouncer | undefined
  let daemon: RunningDaemon | undefined

  beforeAll(() => database.query(installSql(testConfig(redis.url, app.url))))
  afterEach(async () => {
    daemon?.stop()
    await pooler?.stop()
  })

  async function pooled(mode: string, more: object = {}): Promise<Config> {
    pooler = await startPgBouncer(postgres.port, { pool_mode: mode })
    return testConfig(redis.url, '', { layout, more: { postgres: { url: pooler.url(app.url), ...more } } })
  }

  const update = (value: number): Promise<unknown> =>
    database.query(
      `UPDATE indicator_values_v4 SET value = ${value}, updated_at = clock_timestamp() WHERE symbol = 'BTCUSDT'`,
    )

  it('in transaction mode: says that LISTEN is deaf, polls, heals; verify finds nothing', async () => {
    const config = await pooled('transaction')
    daemon = startDaemon(config)
    expect(await daemon.next('degraded', ({ what }) => what === 'listener')).toMatchObject({
      code: 'postgres_pooler',
      hint: expect.stringContaining('postgres.listen_url'),
    })
    await daemon.next('watching')
    await update(11)
    await daemon.next('sync', ({ symbol }) => symbol === 'BTCUSDT')
    await redis.cli('FLUSHALL')
    await daemon.next('healed')
    await untilWhole(redis.url, database, layout)
    expect(daemon.events.filter(({ event }) => event === 'postgres_down')).toEqual([])
    // Said once, not at each attempt.
    expect(daemon.events.filter((event) => event.event === 'degraded' && event.what === 'listener')).toHaveLength(1)
    const file = writeConfig({ candles: { layout, last: config.candles?.last } })
    const env = { REDIS_URL: redis.url, DATABASE_URL: config.postgres.url, REKINDLE_CONFIG: file }
    expect(await rekindle(['verify'], env)).toMatchObject({ status: 0, stderr: '' })
  })

  it('with postgres.listen_url, hears at once what the pool would not tell', async () => {
    daemon = startDaemon(await pooled('transaction', { listen_url: app.url }))
    await daemon.next('watching')
    await update(12)
    const { latency_ms } = await daemon.next('sync', ({ symbol }) => symbol === 'BTCUSDT')
    expect(latency_ms).toBeLessThan(10_000)
    expect(daemon.all('degraded')).toEqual([])
  })

  it('in session mode, hears through the pooler', async () => {
    daemon = startDaemon(await pooled('session'))
    await daemon.next('watching')
    await update(13)
    await daemon.next('sync', ({ symbol }) => symbol === 'BTCUSDT')
    expect(daemon.all('degraded')).toEqual([])
  })

  it('a listen_url that leads to another database is told from one that hears', async () => {
    const other = await postgres.createDatabase('other')
    daemon = startDaemon(await pooled('transaction', { listen_url: other }))
    await daemon.next('degraded', ({ what, code }) => what === 'listener' && code === 'postgres_pooler')
    await daemon.next('watching')
    await update(14)
    await daemon.next('sync', ({ symbol }) => symbol === 'BTCUSDT')
  })
})

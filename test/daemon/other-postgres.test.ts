import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { createMarket } from '../../lab/market.js'
import { type RunningPostgres, startPostgres } from '../../lab/postgres.js'
import { installSql } from '../../src/postgres/triggers.js'
import {
  anyLayout,
  expectWhole,
  type Queryable,
  queryable,
  type RunningDaemon,
  SMALL,
  startDaemon,
  testConfig,
  untilWhole,
} from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { type Relay, startRelay } from '../support/relay.js'
import { until, usePostgres, useRedis } from '../support/servers.js'

describeOwnServers('another PostgreSQL behind the same address', () => {
  const postgres = usePostgres()
  const redis = useRedis()
  const layout = anyLayout()
  let url: string
  let relay: Relay
  let other: RunningPostgres
  let daemon: RunningDaemon
  const at = (server: RunningPostgres): Queryable =>
    queryable(() => url.replace(`:${postgres.port}/`, `:${server.port}/`))
  const config = (address: string) => testConfig(redis.url, address, { layout, poll: '100ms', scrub: '1s' })

  beforeAll(async () => {
    url = await postgres.createDatabase('app')
    await createMarket(url, SMALL)
    await at(postgres).query(installSql(config(url)))
  })
  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    relay = await startRelay(postgres.port)
  })
  afterEach(async () => {
    daemon.stop()
    await relay.stop()
    await other.stop()
  })

  it('that has gone back in time is told before anything of it is written, and followed', async () => {
    other = await postgres.copy('own')
    await at(postgres).query('UPDATE indicator_values_v4 SET value = value + 1')
    daemon = startDaemon(config(relay.url(url)))
    await daemon.next('watching')
    await expectWhole(redis.url, at(postgres), layout)
    daemon.passOver()
    relay.pointAt(other.port)
    const told = await daemon.next('postgres_changed')
    expect(told).toMatchObject({ change: 'rewound', system: told.previous_system })
    expect(told.behind_bytes).toBeGreaterThan(0)
    await untilWhole(redis.url, at(other), layout)
    const changed = daemon.events.indexOf(told)
    const written = daemon.events.findIndex(({ event }, i) => i > changed - 20 && /^(drift|sync)$/.test(event))
    expect(written).toBeGreaterThan(changed)
    expect(daemon.all('data_loss')).toEqual([])
    relay.pointAt(postgres.port)
    await untilWhole(redis.url, at(postgres), layout)
  })

  it('that is another server is told', async () => {
    other = await startPostgres()
    const its = await other.createDatabase('app')
    await createMarket(its, { ...SMALL, seed: 7 })
    daemon = startDaemon(config(relay.url(url)))
    await daemon.next('watching')
    daemon.passOver()
    relay.pointAt(other.port)
    const told = await daemon.next('postgres_changed')
    expect(told.change).toBe('system')
    expect(told.system).not.toBe(told.previous_system)
    await untilWhole(
      redis.url,
      queryable(() => its),
      layout,
    )
    expect(daemon.all('data_loss')).toEqual([])
  })

  it('that is a standby is polled, and heard of as soon as it is promoted', async () => {
    other = await postgres.copy('standby')
    daemon = startDaemon(config(url.replace(`:${postgres.port}/`, `:${other.port}/`)))
    await daemon.next('watching')
    const deaf = await until(() => daemon.all('degraded').find(({ code }) => code === 'postgres_standby'))
    expect(deaf.hint).toMatch(/this is a standby: changes are found by polling/)
    expect(daemon.all('postgres_down')).toEqual([])
    await at(postgres).query('UPDATE indicator_values_v4 SET value = value + 1, updated_at = now()')
    await untilWhole(redis.url, at(postgres), layout)
    daemon.passOver()
    await at(other).query('SELECT pg_promote()')
    await daemon.next('recovered', ({ what }) => what === 'listener')
    const told = await daemon.next('postgres_changed')
    expect(told).toMatchObject({ change: 'promoted', timeline: told.previous_timeline + 1, behind_bytes: 0 })
    daemon.passOver()
    await at(other).query('UPDATE indicator_values_v4 SET value = value + 1')
    await daemon.next('sync')
    await untilWhole(redis.url, at(other), layout)
  })
})

import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { installSql } from '../../src/postgres/triggers.js'
import { oneIncident, type RunningDaemon, startDaemon, testConfig } from '../support/daemon.js'
import { until, useDatabase, useRedis } from '../support/servers.js'

const SECOND = 1_000
const HOUR = 3_600 * SECOND

const ROWS = {
  plans: { table: 'plans', key: 'plan:{id}', expires: 'until' },
  tokens: { table: 'tokens', key: 'token:{id}', expires: 'until', type: 'string', value: 'value' },
}

/**
 * The clock of the machine that Rekindle runs on, for all that this process asks it; Redis and PostgreSQL go by the real one. What it
 * shows when the process begins is what `performance.timeOrigin` tells.
 */
const real = { now: Date.now, origin: performance.timeOrigin }
let shift = 0
const setClock = (by: number): void => {
  shift = by
}

describe('with our clock off', () => {
  const redis = useRedis()
  const database = useDatabase()
  let client: Redis
  let daemon: RunningDaemon | undefined

  const start = async (): Promise<RunningDaemon> => {
    const config = testConfig(redis.url, database.url, {
      poll: '200ms',
      scrub: '500ms',
      more: { candles: false, indicators: false, rows: ROWS },
    })
    await database.query(installSql(config))
    const started = startDaemon(config)
    daemon = started
    await started.next('watching')
    started.passOver()
    return started
  }

  beforeAll(async () => {
    await database.query('CREATE TABLE plans (id int PRIMARY KEY, plan text, until timestamptz)')
    await database.query('CREATE TABLE tokens (id int PRIMARY KEY, value text, until timestamptz)')
    client = new Redis(redis.url)
  })
  afterAll(() => client.disconnect())
  beforeEach(async () => {
    vi.spyOn(Date, 'now').mockImplementation(() => real.now() + shift)
    vi.spyOn(performance, 'timeOrigin', 'get').mockImplementation(() => real.origin + shift)
    await client.flushall()
    await database.query('TRUNCATE plans, tokens')
    for (const table of ['plans', 'tokens']) {
      await database.query(`INSERT INTO ${table} VALUES
        (1, 'for ever', NULL), (2, 'half an hour', now() + interval '30 min'), (3, 'over', now() - interval '30 min')`)
    }
  })
  afterEach(() => {
    daemon?.stop()
    vi.restoreAllMocks()
    setClock(0)
  })

  /** The four keys that must stand do, each until its moment, and the two that are over do not. */
  async function expectAll(): Promise<void> {
    for (const name of ['plan', 'token']) {
      expect(await client.pttl(`${name}:1`)).toBe(-1)
      const left = await client.pttl(`${name}:2`)
      expect(left).toBeGreaterThan(25 * 60 * SECOND)
      expect(left).toBeLessThanOrEqual(30 * 60 * SECOND)
      expect(await client.exists(`${name}:3`)).toBe(0)
    }
    expect(await client.exists('rekindle:epoch')).toBe(1)
  }

  /** Keys that expire in a moment come, and go by themselves. */
  async function liveOut(guard: RunningDaemon): Promise<void> {
    for (const table of ['plans', 'tokens'])
      await database.query(`INSERT INTO ${table} VALUES (9, 'soon over', now() + interval '3 s')`)
    await until(async () => (await client.exists('plan:9', 'token:9')) === 2)
    await until(async () => (await client.exists('plan:9', 'token:9')) === 0)
    // What was scrubbed and polled since then has found nothing wrong.
    const polled = guard.events.length
    await until(async () => (await client.exists('rekindle:epoch')) === 1)
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect(guard.events.slice(polled).filter(({ event }) => event === 'suspicion')).toEqual([])
    await database.query('DELETE FROM plans WHERE id = 9')
    await database.query('DELETE FROM tokens WHERE id = 9')
    expect(guard.all('data_loss')).toEqual([])
    expect(guard.all('drift')).toEqual([])
    expect(guard.all('degraded')).toEqual([])
    await expectAll()
  }

  /** What is lost is lost, and comes back until when it was to be there. */
  async function loseAndHeal(guard: RunningDaemon): Promise<void> {
    guard.passOver()
    await client.del('plan:2')
    const { loss, healed } = await oneIncident(guard, 'deletion')
    expect(loss).toMatchObject({ keys_lost: 1 })
    expect(healed).toMatchObject({ keys_lost: 1, keys_back: 1, keys_expired: 0 })
    await expectAll()
    guard.passOver()
    await client.flushall()
    const flushed = await oneIncident(guard, 'flush')
    expect(flushed.healed).toMatchObject({ keys_lost: 4, keys_back: 4, keys_expired: 0 })
    expect(flushed.healed.time_to_heal_ms).toBeLessThan(20_000)
    await expectAll()
  }

  it.each([
    ['an hour ahead', HOUR],
    ['five seconds ahead', 5 * SECOND],
    ['five seconds behind', -5 * SECOND],
    ['an hour behind', -HOUR],
  ])('%s, nothing is lost, left out, stuck or immortal', async (_, by) => {
    setClock(by)
    const guard = await start()
    await expectAll()
    await liveOut(guard)
    await loseAndHeal(guard)
  })

  it.each([
    ['forward by an hour', HOUR],
    ['back by an hour', -HOUR],
  ])('set %s while it runs, everything goes on', async (_, by) => {
    const guard = await start()
    await liveOut(guard)
    setClock(by)
    await liveOut(guard)
    await loseAndHeal(guard)
    // What people are told is told by the clock as it is now.
    guard.passOver()
    await client.del('plan:1')
    const { last_seen_whole_at } = await guard.next('data_loss')
    expect(Math.abs(Date.parse(last_seen_whole_at ?? '') - Date.now())).toBeLessThan(20_000)
  })
})

import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { type ConfigOptions, oneIncident, type RunningDaemon, startDaemon, testConfig } from '../support/daemon.js'
import { until, useDatabase, useRedis } from '../support/servers.js'

/** No tickers, no candles, no indicators: rows alone. */
const SCHEMA = `
  CREATE TABLE plans (user_id int PRIMARY KEY, plan text, quota numeric, valid_until timestamptz);
  CREATE TABLE tokens (name text, value text);
  CREATE TABLE positions (symbol text, id int, size numeric, PRIMARY KEY (symbol, id));
  CREATE TABLE tickers (symbol text, status text)`

const PLANS = { table: 'plans', key: 'sub:user:{user_id}', expires: 'valid_until' }
const TOKENS = { query: 'SELECT * FROM tokens', key: 'token:{name}', type: 'string', value: 'value' }
const POSITIONS = { table: 'positions', key: 'pos:{symbol}:{id}', type: 'json', symbol: 'symbol' }

describe('rows', () => {
  const redis = useRedis()
  const database = useDatabase(async () => undefined)
  let client: Redis
  let daemon: RunningDaemon

  const config = (rows: object, options: ConfigOptions = {}): Config =>
    testConfig(redis.url, database.url, {
      poll: '200ms',
      ...options,
      more: { candles: false, indicators: false, rows, ...options.more },
    })
  const start = async (rows: object, options: ConfigOptions = {}) => {
    await database.query(installSql(config(rows, options)))
    daemon = startDaemon(config(rows, options))
    const watching = await daemon.next('watching')
    daemon.passOver()
    return watching
  }

  beforeAll(async () => {
    await database.query(SCHEMA)
    client = new Redis(redis.url)
  })
  afterAll(() => client.disconnect())
  beforeEach(async () => {
    await client.flushall()
    await database.query('TRUNCATE plans, tokens, positions, tickers')
    await database.query(`INSERT INTO plans VALUES (1, 'free', 1.50, NULL), (2, 'paid', 10, now() + interval '1 day')`)
    await database.query(`INSERT INTO tokens VALUES ('a', 'x'), ('b', 'y')`)
    await database.query(`INSERT INTO positions VALUES ('A', 1, 0.10), ('B', 1, 7)`)
    await database.query(`INSERT INTO tickers VALUES ('A', 'enabled'), ('B', 'enabled')`)
  })
  afterEach(() => daemon.stop())

  /** Everything that the three datasets hold. */
  async function expectAll(): Promise<void> {
    expect(await client.hgetall('sub:user:1')).toEqual({ user_id: '1', plan: 'free', quota: '1.50' })
    expect(await client.hgetall('sub:user:2')).toMatchObject({ user_id: '2', plan: 'paid', quota: '10' })
    expect(await client.ttl('sub:user:1')).toBe(-1)
    expect(await client.ttl('sub:user:2')).toBeGreaterThan(86_000)
    expect(await client.mget('token:a', 'token:b')).toEqual(['x', 'y'])
    expect(await client.get('pos:A:1')).toBe('{"symbol":"A","id":1,"size":0.10}')
    expect((await client.hkeys('rekindle:ready')).sort()).toEqual(['A', 'B', 'rows.plans', 'rows.tokens'])
    expect(await client.exists('rekindle:epoch')).toBe(1)
  }
  const all = { plans: PLANS, tokens: TOKENS, positions: POSITIONS }

  it('are restored at the start, and after a flush, beside symbols', async () => {
    expect(await start(all)).toMatchObject({ symbols: 4, keys: 6 })
    await expectAll()
    await client.flushall()
    const { loss, healed } = await oneIncident(daemon, 'flush')
    expect(loss).toMatchObject({ keys_lost: 6, symbols_lost: 4 })
    expect(healed).toMatchObject({ keys: 6, symbols: 4 })
    await expectAll()
    expect(daemon.all('drift')).toEqual([])
  })

  it('need no list of symbols if they stand for themselves', async () => {
    await database.query('ALTER TABLE tickers RENAME TO elsewhere')
    try {
      expect(await start({ plans: PLANS, tokens: TOKENS })).toMatchObject({ symbols: 2, keys: 4 })
      expect((await client.hkeys('rekindle:ready')).sort()).toEqual(['rows.plans', 'rows.tokens'])
      expect(daemon.events.filter(({ event }) => event === 'degraded')).toEqual([])
    } finally {
      await database.query('ALTER TABLE elsewhere RENAME TO tickers')
    }
  })

  it.each([
    ['a hash', 'sub:user:1'],
    ['a string', 'token:b'],
    ['JSON', 'pos:A:1'],
  ])('are brought back one by one: %s', async (_, key) => {
    await start(all, { poll: '10s' })
    await client.del(key)
    const { loss, healed } = await oneIncident(daemon, 'deletion')
    expect(loss).toMatchObject({ keys_lost: 1, symbols_lost: 1 })
    expect(healed).toMatchObject({ keys: 1 })
    await expectAll()
  })

  it('are all compared after the listener was deaf', async () => {
    await start({ plans: PLANS }, { poll: '10s' })
    await client.hset('sub:user:2', 'plan', 'drifted')
    await database.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'rekindle' AND datname = current_database()`)
    await database.query("UPDATE plans SET plan = 'unheard' WHERE user_id = 1")
    await daemon.next('gap')
    await until(async () => (await client.hget('sub:user:1', 'plan')) === 'unheard')
    await until(async () => (await client.hget('sub:user:2', 'plan')) === 'paid')
    daemon.passOver()
    await database.query("UPDATE plans SET plan = 'heard' WHERE user_id = 1")
    expect(await daemon.next('sync')).toMatchObject({ fields: 1 })
  })

  it('are put right where another type stands in the way', async () => {
    await start(all, { poll: '10s' })
    await client.set('sub:user:1', 'in the way')
    await oneIncident(daemon, 'corruption')
    await expectAll()
    expect(await client.get('rekindle:aside:sub:user:1')).toBe('in the way')
  })

  it('that are strings may be written by a worker without any alarm, and drift until the scrub', async () => {
    await start(all, { poll: '10s', scrub: '1s' })
    await client.set('token:a', 'from a worker')
    const drift = await daemon.next('drift')
    expect(drift).toMatchObject({ dataset: 'rows.tokens', keys: ['token:a'] })
    await until(async () => (await client.get('token:a')) === 'x')
    expect(daemon.all('data_loss')).toEqual([])
    expect(daemon.all('suspicion')).toEqual([])
  })

  it('follow what is inserted, updated, moved, deleted and truncated', async () => {
    // So that nothing has to stand still before it is replaced.
    const following = Object.entries(all).map(([name, rows]) => [name, { ...rows, writers: 'postgres' }])
    await start(Object.fromEntries(following))
    await database.query("INSERT INTO plans VALUES (3, 'new', 1, NULL)")
    expect(await daemon.next('sync')).toMatchObject({
      symbol: 'rows.plans',
      dataset: 'rows.plans',
      samples: 0,
      fields: 3,
    })
    expect(await client.hgetall('sub:user:3')).toEqual({ user_id: '3', plan: 'new', quota: '1' })
    await database.query("UPDATE plans SET plan = 'paid', valid_until = now() + interval '1 hour' WHERE user_id = 3")
    await until(
      async () => (await client.hget('sub:user:3', 'plan')) === 'paid' && (await client.ttl('sub:user:3')) > 0,
    )
    await database.query("UPDATE positions SET symbol = 'B', id = 2 WHERE symbol = 'A'")
    await daemon.next('sync', ({ dataset }) => dataset === 'rows.positions')
    expect(await client.exists('pos:B:2')).toBe(1)
    await database.query('UPDATE plans SET user_id = 4 WHERE user_id = 3')
    await daemon.next('sync')
    expect(await client.exists('sub:user:4')).toBe(1)
    // What nothing wants any more is left alone, and not missed.
    expect(await client.exists('sub:user:3', 'pos:A:1')).toBe(2)
    await client.del('sub:user:3', 'pos:A:1')
    await database.query('DELETE FROM plans WHERE user_id = 4')
    await database.query("INSERT INTO plans VALUES (5, 'last', 1, NULL)")
    await daemon.next('sync')
    await client.del('sub:user:4')
    await database.query('TRUNCATE plans')
    await database.query("INSERT INTO plans VALUES (6, 'again', 1, NULL)")
    await daemon.next('sync')
    expect(await client.exists('sub:user:1', 'sub:user:6')).toBe(2)
    await client.del('sub:user:1')
    await client.flushall()
    const loss = await daemon.next('data_loss')
    expect(loss).toMatchObject({ cause: 'flush' })
    await daemon.next('healed')
    expect((await client.keys('sub:*')).sort()).toEqual(['sub:user:6'])
    expect(daemon.all('data_loss')).toHaveLength(1)
    expect(daemon.all('drift')).toEqual([])
  })

  it('that a notification names are the only ones that are read', async () => {
    // So that nothing has to stand still before it is replaced.
    await start({ plans: { ...PLANS, writers: 'postgres' } }, { poll: '10s' })
    await client.hset('sub:user:2', 'plan', 'drifted')
    await database.query("UPDATE plans SET plan = 'other' WHERE user_id = 1")
    await daemon.next('sync')
    expect(await client.hget('sub:user:1', 'plan')).toBe('other')
    expect(await client.hget('sub:user:2', 'plan')).toBe('drifted')
  })

  it('of a query, or without triggers, are polled', async () => {
    await start({ tokens: TOKENS })
    expect(daemon.events.filter(({ event }) => event === 'degraded')).toEqual([])
    await database.query("UPDATE tokens SET value = 'z' WHERE name = 'a'")
    expect(await daemon.next('sync')).toMatchObject({ dataset: 'rows.tokens', fields: 1 })
    expect(await client.get('token:a')).toBe('z')
    await database.query("INSERT INTO tokens VALUES ('c', 'new')")
    await until(async () => (await client.get('token:c')) === 'new')
    await database.query("DELETE FROM tokens WHERE name = 'c'")
    daemon.stop()
    await database.query('DROP TABLE IF EXISTS bare')
    await database.query('CREATE TABLE bare AS SELECT 1 AS id, 2 AS n')
    daemon = startDaemon(config({ bare: { table: 'bare', key: 'bare:{id}' } }))
    await daemon.next('watching')
    expect(daemon.all('degraded')).toMatchObject([{ what: 'triggers' }])
    await database.query('UPDATE bare SET n = 3')
    await until(async () => (await client.hget('bare:1', 'n')) === '3')
    expect(daemon.all('data_loss')).toHaveLength(1)
  })

  it('that are removed with their keys are not missed, though nobody has told us yet', async () => {
    await start({ tokens: TOKENS }, { poll: '10s' })
    await database.query("DELETE FROM tokens WHERE name = 'b'")
    await client.del('token:b')
    // The look at it must be over before anything else goes.
    await daemon.next('suspicion')
    await daemon.next('surveyed')
    await client.rename('token:a', 'elsewhere')
    const { loss } = await oneIncident(daemon, 'deletion')
    expect(loss.evidence['key_events']).toEqual({ rename_from: 1 })
    expect(await client.mget('token:a', 'token:b')).toEqual(['x', null])
    expect(daemon.all('data_loss')).toHaveLength(1)
  })

  it('expire without an alarm, and are not brought back', async () => {
    await database.query("INSERT INTO plans VALUES (9, 'trial', 1, now() + interval '2500 milliseconds')")
    await start({ plans: PLANS }, { poll: '50ms', scrub: '500ms' })
    expect(await client.exists('sub:user:9')).toBe(1)
    await until(async () => !(await client.exists('sub:user:9')))
    await database.query("UPDATE plans SET plan = 'other' WHERE user_id = 1")
    await until(async () => (await client.hget('sub:user:1', 'plan')) === 'other')
    await client.flushall()
    await oneIncident(daemon, 'flush')
    expect(await client.exists('sub:user:9')).toBe(0)
    expect(daemon.all('drift')).toEqual([])
  })

  it('that two rows give one key leave that alone, say so once, and restore the rest', async () => {
    await database.query("INSERT INTO tokens VALUES ('b', 'other')")
    daemon = startDaemon(config({ tokens: TOKENS }, { scrub: '300ms' }))
    await daemon.next('watching')
    expect(await client.mget('token:a', 'token:b')).toEqual(['x', null])
    expect(daemon.all('degraded')).toMatchObject([
      {
        what: 'rows.tokens in part',
        reason: expect.stringContaining('token:b for one'),
        hint: expect.stringContaining('rows.tokens.key'),
      },
    ])
    await database.query("INSERT INTO tokens VALUES ('c', 'z')")
    await until(() => client.exists('token:c'))
    expect(daemon.all('degraded')).toHaveLength(1)
    await database.query("DELETE FROM tokens WHERE value = 'other'")
    expect(await daemon.next('recovered')).toMatchObject({ what: 'rows.tokens in part' })
    await until(() => client.exists('token:b'))
  })

  it('whose table is missing are told of, and the others heal', async () => {
    daemon = startDaemon(config({ ...all, gone: { table: 'gone', key: 'gone:{id}' } }))
    expect(await daemon.next('degraded', ({ what }) => what === 'rows.gone')).toMatchObject({
      hint: expect.stringContaining('check rows.gone.table: gone'),
    })
    await until(async () => (await client.hlen('rekindle:ready')) === 4)
    expect(await client.exists('rekindle:epoch')).toBe(0)
    await client.del('sub:user:1')
    await until(() => client.exists('sub:user:1'))
    expect((await client.hkeys('rekindle:ready')).includes('rows.gone')).toBe(false)
  })
})

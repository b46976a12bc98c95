import { readFileSync } from 'node:fs'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { rekindle, writeConfig } from '../commands/rekindle.js'
import { anyLayout, LAST, type RunningDaemon, startDaemon, testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { usePostgres, useRedis } from '../support/servers.js'

const sql = (name: string): string =>
  readFileSync(new URL(`../../deploy/postgres/${name}.sql`, import.meta.url), 'utf8')

/** What the daemon names without this grant, and what it hints at. */
const GRANTS: readonly [grant: string, revoke: string, what: string, said: RegExp][] = [
  [
    'CONNECT',
    'REVOKE CONNECT ON DATABASE app FROM rekindle, PUBLIC',
    'postgres_down',
    /permission denied for database/,
  ],
  [
    'USAGE',
    'REVOKE USAGE ON SCHEMA public FROM rekindle, PUBLIC',
    'symbols',
    /"tickers" does not exist|for schema public/,
  ],
  ['tickers', 'REVOKE SELECT ON tickers FROM rekindle', 'symbols', /GRANT SELECT on it to this user/],
  ...['m1', 'm5', 'm15'].map((timeframe): (typeof GRANTS)[number] => [
    `ohlcv4_${timeframe}`,
    `REVOKE SELECT ON ohlcv4_${timeframe} FROM rekindle`,
    `candles.${timeframe}`,
    /GRANT SELECT on it to this user/,
  ]),
  ...['indicator_instances_v4', 'indicator_values_v4'].map((table): (typeof GRANTS)[number] => [
    table,
    `REVOKE SELECT ON ${table} FROM rekindle`,
    'indicators',
    /GRANT SELECT on it to this user/,
  ]),
]

describeOwnServers('with the rights of deploy/postgres/grants.sql', () => {
  const postgres = usePostgres()
  const redis = useRedis()
  let owner: Client
  let url: string
  let daemon: RunningDaemon | undefined

  beforeAll(async () => {
    owner = new Client({ connectionString: await postgres.createDatabase('app') })
    await owner.connect()
    for (const name of ['schema', 'sample']) await owner.query(sql(name))
    url = `postgres://rekindle:secret@127.0.0.1:${postgres.port}/app`
  })
  afterAll(() => owner.end())
  beforeEach(async () => {
    await owner.query(sql('grants'))
    await owner.query("GRANT USAGE ON SCHEMA public TO PUBLIC; ALTER ROLE rekindle PASSWORD 'secret'")
  })
  afterEach(() => daemon?.stop())

  const envOf = (databaseUrl: string): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: databaseUrl,
    REKINDLE_CONFIG: writeConfig({ candles: { layout: anyLayout(), last: LAST } }),
  })

  it('everything works, and only the owner installs the triggers', async () => {
    const asOwner = postgres.url.replace(/postgres$/, 'app')
    const refused = await rekindle(['triggers', '--apply'], envOf(url))
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/^rekindle: PostgreSQL .*; .+\n$/) })
    expect(await rekindle(['triggers', '--apply'], envOf(asOwner))).toMatchObject({ status: 0, stderr: '' })
    for (const command of ['restore', 'verify', 'wait']) {
      expect(await rekindle([command], envOf(url)), command).toMatchObject({ status: 0, stderr: '' })
    }
    daemon = startDaemon(testConfig(redis.url, url, { layout: anyLayout() }))
    await daemon.next('watching')
    await owner.query("UPDATE indicator_values_v4 SET value = 7, updated_at = now() WHERE symbol = 'BTCUSDT'")
    await daemon.next('sync', ({ symbol }) => symbol === 'BTCUSDT')
    expect(daemon.all('degraded')).toEqual([])
  })

  it('the role cannot write', async () => {
    const client = new Client({ connectionString: url })
    await client.connect()
    await expect(client.query('CREATE TABLE mine (id int)')).rejects.toThrow(/read-only/)
    await client.query('SET default_transaction_read_only = off')
    await expect(client.query("DELETE FROM tickers WHERE symbol = 'BTCUSDT'")).rejects.toThrow(/permission denied/)
    await client.end()
  })

  it.each(GRANTS)('without %s says what cannot be read', async (_, revoke, what, said) => {
    await owner.query(revoke)
    daemon = startDaemon(testConfig(redis.url, url, { layout: anyLayout() }))
    const told =
      what === 'postgres_down'
        ? await daemon.next('postgres_down')
        : await daemon.next('degraded', (event) => event.what === what)
    expect(`${told.reason}: ${told.hint}`).toMatch(said)
  })
})

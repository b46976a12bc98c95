import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { levelOf, sentence } from '../../src/report/sentences.js'
import { makeMessage } from '../../src/report/webhook-message.js'
import {
  anyLayout,
  type EventOf,
  keysOf,
  type RunningDaemon,
  startDaemon,
  testConfig,
  untilWhole,
  useMarket,
} from '../support/daemon.js'
import { useDatabase, useRedis } from '../support/servers.js'

const layout = anyLayout()
let daemon: RunningDaemon

afterEach(() => daemon.stop())

/** What a person is told in the log, and what Slack shows. */
function told(healed: EventOf<'healed'>): string {
  const text = sentence(healed)
  const sent = JSON.parse(makeMessage(healed, '1', 0).body) as { level: string; text: string }
  expect(sent.level).toBe(levelOf(healed))
  expect(sent.text).toContain(text)
  return text
}

describe('keys that were lost and that PostgreSQL no longer wants', () => {
  const redis = useRedis()
  const { database } = useMarket({ triggers: false })
  const tables = useDatabase((url) => Promise.resolve(url))

  beforeEach(() => redis.cli('FLUSHALL'))

  async function whole(): Promise<void> {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout, poll: '10s' }))
    await daemon.next('watching')
    daemon.passOver()
  }

  it('are those of rows that were deleted', async () => {
    await tables.query('CREATE TABLE plans (id int PRIMARY KEY, plan text)')
    await tables.query("INSERT INTO plans SELECT n, 'pro' FROM generate_series(1, 20) AS n")
    const rows = { user_plans: { table: 'plans', key: 'plan:{id}' } }
    const more = { candles: false, indicators: false, rows }
    daemon = startDaemon(testConfig(redis.url, tables.url, { poll: '10s', more }))
    await daemon.next('watching')
    daemon.passOver()
    await tables.query('DELETE FROM plans WHERE id <= 5')
    await redis.cli('FLUSHALL')
    const healed = await daemon.next('healed')
    expect(healed).toMatchObject({
      keys_lost: 20,
      keys_back: 15,
      keys_unwanted: 5,
      keys_expired: 0,
      unwanted: { 'rows.user_plans': 5 },
    })
    expect(healed.unwanted_keys).toContain('plan:3')
    expect(levelOf(healed)).toBe('warn')
    expect(told(healed)).toMatch(
      /^15 of 20 lost keys came back after \d+ ms; PostgreSQL no longer wants 5 \(5 of rows.user_plans\), plan:\d for one$/,
    )
    // What is gone for good is not missed again.
    await redis.cli('FLUSHALL')
    const again = await daemon.next('healed')
    expect(again).toMatchObject({ keys_lost: 15, keys_back: 15, keys_unwanted: 0 })
    expect(levelOf(again)).toBe('info')
    expect(told(again)).toMatch(/^Redis is whole again/)
  })

  it('are those of rows that are no longer valid, which only expired, and those are no news', async () => {
    await tables.query('CREATE TABLE tokens (id int PRIMARY KEY, until timestamptz)')
    await tables.query("INSERT INTO tokens SELECT n, now() + interval '1 hour' FROM generate_series(1, 5) AS n")
    await tables.query("INSERT INTO tokens VALUES (6, now() + interval '6 s')")
    const rows = { tokens: { table: 'tokens', key: 'token:{id}', expires: 'until' } }
    const more = { candles: false, indicators: false, rows }
    daemon = startDaemon(testConfig(redis.url, tables.url, { poll: '10s', more }))
    await daemon.next('watching')
    await tables.query('ALTER TABLE tokens RENAME TO hidden')
    await redis.cli('FLUSHALL')
    await daemon.next('data_loss')
    await new Promise((resolve) => setTimeout(resolve, 6_000))
    await tables.query('ALTER TABLE hidden RENAME TO tokens')
    const healed = await daemon.next('healed')
    expect(healed).toMatchObject({ keys_lost: 6, keys_back: 5, keys_expired: 1, keys_unwanted: 0 })
    expect(levelOf(healed)).toBe('info')
  })

  it('are those of a symbol that is disabled while Redis is healed', async () => {
    await whole()
    await database.query("UPDATE tickers SET status = 'disabled' WHERE symbol = 'ETHUSDT'")
    try {
      // The list of symbols is polled; until then they are wanted, and their rows are there.
      await database.query('ALTER TABLE ohlcv4_m15 RENAME TO hidden')
      await redis.cli('FLUSHALL')
      await daemon.next('data_loss')
      await daemon.next('symbols', ({ removed }) => removed.includes('ETHUSDT'), 60_000)
      await database.query('ALTER TABLE hidden RENAME TO ohlcv4_m15')
      const healed = await daemon.next('healed')
      const lost = keysOf('ETHUSDT', layout).filter((key) => key.startsWith('ohlcv:ETHUSDT:m15'))
      expect(healed).toMatchObject({ keys_unwanted: lost.length, unwanted: { 'candles.m15': lost.length } })
      expect(levelOf(healed)).toBe('warn')
      await untilWhole(redis.url, database, layout)
    } finally {
      await database.query("UPDATE tickers SET status = 'enabled' WHERE symbol = 'ETHUSDT'")
    }
  }, 90_000)

  it('are told of before anything is lost, too, where a table is emptied', async () => {
    await whole()
    await database.query('CREATE TABLE spare AS SELECT * FROM ohlcv4_m5')
    await database.query('TRUNCATE ohlcv4_m5')
    try {
      const columns = layout === 'timeseries' ? 5 : 1
      const said = await daemon.next('unwanted', () => true, 60_000)
      expect(said).toMatchObject({ dataset: 'candles.m5', keys_unwanted: 3 * columns, keys_left: 0 })
      expect(said.unwanted_keys[0]).toMatch(/^ohlcv:\w+:m5/)
      expect(levelOf(said)).toBe('warn')
      expect(daemon.all('data_loss')).toEqual([])
    } finally {
      await database.query('INSERT INTO ohlcv4_m5 SELECT * FROM spare')
    }
    await untilWhole(redis.url, database, layout)
  }, 90_000)

  it('are those of a table that is empty, and that is said by its name', async () => {
    await whole()
    await database.query('CREATE TABLE kept AS SELECT * FROM ohlcv4_m5')
    await database.query('TRUNCATE ohlcv4_m5')
    try {
      await redis.cli('FLUSHALL')
      const healed = await daemon.next('healed')
      const columns = layout === 'timeseries' ? 5 : 1
      expect(healed).toMatchObject({ keys_unwanted: 3 * columns, unwanted: { 'candles.m5': 3 * columns } })
      expect(levelOf(healed)).toBe('warn')
      expect(told(healed)).toContain(`PostgreSQL no longer wants ${3 * columns} (${3 * columns} of candles.m5)`)
    } finally {
      await database.query('INSERT INTO ohlcv4_m5 SELECT * FROM kept')
    }
  })
})

import { beforeEach, describe, expect, it } from 'vitest'
import { useDatabase, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

const PLANS = { table: 'plans', key: 'sub:{id}' }
const PRICES = { table: 'prices', key: 'price:{symbol}', symbol: 'symbol', type: 'string', value: 'price' }

describe('with rows', () => {
  const redis = useRedis()
  const database = useDatabase()
  const env = (rows: object): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: false, indicators: false, rows }),
  })
  const ready = async () => [...((await redis.cli('HKEYS', 'rekindle:ready')) as string[])].sort()

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    await database.query('DROP TABLE IF EXISTS plans, prices, tickers')
    await database.query(`CREATE TABLE plans AS SELECT n AS id, 'free' AS plan FROM generate_series(1, 3) AS n`)
    await database.query(`CREATE TABLE prices AS SELECT 'A' AS symbol, 1.50 AS price`)
    await database.query(`CREATE TABLE tickers AS SELECT 'A' AS symbol, 'enabled' AS status`)
  })

  it('restore, wait and verify know the rows that stand for themselves beside the symbols', async () => {
    const rows = { plans: PLANS, prices: PRICES }
    const waiting = rekindle(['wait', '--symbol', 'rows.plans', '--timeout', '20s'], env(rows))
    const some = await rekindle(['restore', '--symbol', 'rows.plans'], env(rows))
    expect(some).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Restored 3 keys \(6 fields\) in .+: the symbol is whole\.\n$/),
    })
    expect(await waiting).toMatchObject({ status: 0 })
    expect(await ready()).toEqual(['rows.plans'])
    expect(await rekindle(['wait', '--timeout', '200ms'], env(rows))).toMatchObject({ status: 1 })
    const { status, answer } = await rekindleJson(['restore'], env(rows))
    expect(status).toBe(0)
    expect(answer).toMatchObject({ symbols: 2, symbols_whole: 2, keys_written: 1, keys_whole: 3, fields: 1 })
    expect(await ready()).toEqual(['A', 'rows.plans'])
    expect(await rekindle(['wait'], env(rows))).toMatchObject({ status: 0 })
    expect(await redis.cli('GET', 'price:A')).toBe('1.50')
    const wrong = await rekindle(['restore', '-s', 'rows.plan'], env(rows))
    expect(wrong).toMatchObject({
      status: 2,
      stderr: 'rekindle: --symbol: "rows.plan" is not enabled; did you mean rows.plans?\n',
    })
  })

  it('alone, no list of symbols is read', async () => {
    await database.query('DROP TABLE tickers')
    expect(await rekindle(['restore'], env({ plans: PLANS }))).toMatchObject({ status: 0, stderr: '' })
    expect(await rekindle(['wait'], env({ plans: PLANS }))).toMatchObject({ status: 0 })
    const triggers = await rekindle(['triggers', '--apply'], env({ plans: PLANS }))
    expect(triggers).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^rows\.plans: changes of public\.plans are announced on channel rekindle\n/),
    })
    const verified = await rekindle(['verify'], env({ plans: PLANS }))
    expect(verified.stdout).toMatch(/^3 keys of 1 symbol hold what PostgreSQL holds/)
  })

  it('no enabled symbol is an error for those that have symbols', async () => {
    await database.query('DELETE FROM tickers')
    const { status, stderr } = await rekindle(['restore', '--timeout', '1s'], env({ prices: PRICES }))
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: symbols\.query returns no rows/)
  })

  it('one line names the one key that is wrong, and nothing is said to hold', async () => {
    const rows = { plans: { ...PLANS, fields: { p: 'plan', n: 'nope' } } }
    for (const command of ['verify', 'restore']) {
      const { status, stdout, stderr } = await rekindle([command], env(rows))
      expect([status, stdout]).toEqual([1, ''])
      expect(stderr).toMatch(
        /^rekindle: rows\.plans: .* does not exist; check rows\.plans\.fields\.n: nope in the .*\n$/,
      )
    }
    const gone = await rekindle(['verify'], env({ plans: { ...PLANS, table: 'gone' } }))
    expect(gone).toMatchObject({ status: 1, stdout: '' })
    expect(gone.stderr).toMatch(/check rows\.plans\.table: gone in the configuration\n$/)
  })

  it('verify names what differs, and repairs it', async () => {
    await rekindle(['restore'], env({ plans: PLANS }))
    await redis.cli('HSET', 'sub:2', 'plan', 'paid', 'seen', 'today')
    await redis.cli('EXPIRE', 'sub:3', 100)
    await redis.cli('DEL', 'sub:1')
    const { status, answer } = await rekindleJson(['verify'], env({ plans: PLANS }))
    expect(status).toBe(1)
    expect(answer).toMatchObject({
      keys: 3,
      lacks: [
        { symbol: 'rows.plans', dataset: 'rows.plans', key: 'sub:1', kind: 'missing', missing: 2, differing: 0 },
        { key: 'sub:2', kind: 'differs', missing: 0, differing: 1 },
        { key: 'sub:3', kind: 'differs', missing: 0, differing: 1 },
      ],
      orphans: [{ key: 'sub:2', values: 1 }],
    })
    const repaired = await rekindle(['verify', '--repair'], env({ plans: PLANS }))
    expect(repaired).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^Repaired 3 keys\. 3 keys of 1 symbol hold/),
    })
    expect(await redis.cli('TTL', 'sub:3')).toBe(-1)
  })

  it('verify counts the keys of rows that are gone, and leaves them alone', async () => {
    await rekindle(['restore'], env({ plans: PLANS }))
    await database.query('DELETE FROM plans WHERE id > 1')
    await redis.cli('SET', 'sub:1:else', 'not one of them')
    const { status, stdout } = await rekindle(['verify'], env({ plans: PLANS }))
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^1 key of 1 symbol holds .*\n2 keys of rows\.plans belong to no row, sub:[23] for one; left alone\.\n$/,
    )
    expect((await rekindleJson(['verify', '--repair'], env({ plans: PLANS }))).answer).toMatchObject({
      ok: true,
      strays: [{ dataset: 'rows.plans', keys: 2 }],
    })
    expect(await redis.cli('EXISTS', 'sub:2', 'sub:3')).toBe(2)
  })

  it('verify says so where it may not look for the keys of rows that are gone', async () => {
    await rekindle(['restore'], env({ plans: PLANS }))
    await redis.cli('ACL', 'SETUSER', 'blind', 'on', '>secret', '~*', '&*', '+@all', '-scan')
    const blind = { ...env({ plans: PLANS }), REDIS_URL: redis.url.replace('//', '//blind:secret@') }
    const { status, stdout, stderr } = await rekindle(['verify'], blind)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(
      /\nKeys that belong to no row were not looked for: rows\.plans: .*NOPERM.*'scan'.*ACL SETUSER/,
    )
    expect((await rekindleJson(['verify'], blind)).answer).toMatchObject({
      ok: true,
      strays_unknown: [{ dataset: 'rows.plans', code: 'redis_refused' }],
    })
  })

  it('one that cannot be read is named in one line, and the others are restored', async () => {
    const rows = {
      gone: { table: 'gone', key: 'gone:{id}' },
      plans: PLANS,
      no: { table: 'prices', key: 'no:{nothing}' },
    }
    const { status, stderr } = await rekindle(['restore'], env(rows))
    expect(status).toBe(1)
    expect(stderr.trim().split('\n').sort()).toEqual([
      expect.stringMatching(
        /^rekindle: rows\.gone: PostgreSQL \S+: relation "gone" does not exist; check rows\.gone\.table: gone in/,
      ),
      expect.stringMatching(
        /^rekindle: rows\.no: PostgreSQL \S+: column .*nothing does not exist; check rows\.no\.key: nothing in/,
      ),
    ])
    expect(await ready()).toEqual(['rows.plans'])
  })

  it('two rows that give one key are named, and the others restored', async () => {
    await database.query("INSERT INTO plans VALUES (3, 'other')")
    for (const command of ['restore', 'verify']) {
      const { status, stderr } = await rekindle([command], env({ plans: PLANS }))
      expect(status).toBe(1)
      expect(stderr).toBe(
        'rekindle: rows.plans: more than one row gives a key of rows.plans, sub:3 for one; left alone; add a column to rows.plans.key that tells them apart\n',
      )
    }
    expect(await redis.cli('EXISTS', 'sub:1', 'sub:2', 'sub:3')).toBe(2)
  })
})

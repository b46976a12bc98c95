import { describe, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { anyLayout, keysOf, LAST, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, writeConfig } from './rekindle.js'

const NOWHERE = { REDIS_URL: 'redis://:hush@127.0.0.1:1/0', DATABASE_URL: 'postgres://me:hush@127.0.0.1:1/nowhere' }
const BOTH = ['restore', 'verify'] as const

describe('trouble with a server', () => {
  const redis = useRedis()
  const { database } = useMarket()
  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: { layout: anyLayout(), last: LAST } }),
    ...more,
  })
  const databaseWith = (change: Partial<URL>): string => Object.assign(new URL(database.url), change).href

  it.each(BOTH)('%s waits for servers that are away, but no longer than it may', async (command) => {
    const { REDIS_URL, DATABASE_URL } = NOWHERE
    const args = [command, '--timeout', '400ms']
    const postgres = await rekindle(args, env({ DATABASE_URL }))
    expect(postgres).toMatchObject({ status: 1, stdout: '' })
    expect(postgres.stderr).toMatch(
      /^rekindle: PostgreSQL 127\.0\.0\.1:1\/nowhere: .*ECONNREFUSED.*, after waiting 400 ms; is it running, .*\n$/,
    )
    const away = await rekindleJson(args, env({ REDIS_URL }))
    expect(away.status).toBe(1)
    expect(away.answer).toMatchObject({ ok: false, code: 'redis_unreachable' })
    expect(away.stderr).toMatch(/^rekindle: Redis 127\.0\.0\.1:1\/0: .*ECONNREFUSED.*, after waiting 400 ms; .*\n$/)
    expect(postgres.stderr + away.stderr + away.stdout).not.toContain('hush')
  })

  it.each(BOTH)('%s blames Redis, not PostgreSQL, where TLS is asked of a plain port', async (command) => {
    const { status, stderr } = await rekindle(
      [command, '--timeout', '1500ms'],
      env({ REDIS_URL: redis.url.replace('redis:', 'rediss:') }),
    )
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis \S+: .*, after waiting 1\.5 s; is it rediss:\/\/ by mistake\?.*\n$/)
  })

  it.each(BOTH)('%s fails at once where waiting does not help', async (command) => {
    const password = await rekindle([command], env({ DATABASE_URL: databaseWith({ password: 'hush-hush' }) }))
    expect(password.stderr).toMatch(
      /^rekindle: PostgreSQL \S+: password authentication failed .*; check the user and the password in postgres\.url/,
    )
    const unknown = await rekindle([command], env({ DATABASE_URL: databaseWith({ pathname: '/nowhere' }) }))
    expect(unknown.stderr).toMatch(/^rekindle: PostgreSQL \S+\/nowhere: database "nowhere" does not exist; check/)
    const { answer } = await rekindleJson(
      [command],
      env({ REKINDLE_CONFIG: writeConfig({ symbols: { query: 'SELECT 1 WHERE false' } }, 'none.yaml') }),
    )
    expect(answer).toEqual({
      ok: false,
      code: 'no_symbols',
      error: 'symbols.query returns no rows',
      hint: 'enable a symbol, or correct symbols.query in the configuration',
    })
    for (const { status, stdout, stderr, took } of [password, unknown]) {
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).not.toContain('hush')
      expect(took).toBeLessThan(10_000)
    }
  })

  it('goes on without a table that is missing, and names the key that chose it', async () => {
    await redis.cli('FLUSHALL')
    const timeframes = { m1: 'ohlcv4_m1', m5: 'gone', m15: 'ohlcv4_m15' }
    const REKINDLE_CONFIG = writeConfig({ candles: { layout: anyLayout(), last: LAST, timeframes } }, 'gone.yaml')
    const line = /^rekindle: candles\.m5: PostgreSQL \S+: relation "gone" .*; check candles\.timeframes\.m5: gone .*\n$/
    const restored = await rekindle(['restore'], env({ REKINDLE_CONFIG }))
    expect(restored.status).toBe(1)
    expect(restored.stdout).toMatch(/^Restored \d+ keys .*: 0 of 3 symbols are whole\.\n$/)
    expect(restored.stderr).toMatch(line)
    const there = keysOf('BTCUSDT', anyLayout()).filter((key) => !/^ohlcv:BTCUSDT:m5/.test(key))
    expect(await redis.cli('EXISTS', ...there)).toBe(there.length)
    expect(await redis.cli('EXISTS', 'rekindle:epoch', 'rekindle:ready')).toBe(0)

    const verified = await rekindle(['verify'], env({ REKINDLE_CONFIG }))
    expect(verified.status).toBe(1)
    expect(verified.stdout).toMatch(/^Of what could be compared, \d+ keys of 3 symbols hold what PostgreSQL holds/)
    expect(verified.stderr).toMatch(line)
    const { answer } = await rekindleJson(['verify'], env({ REKINDLE_CONFIG }))
    const trouble = { code: 'postgres_schema', error: expect.stringContaining('"gone"'), hint: expect.any(String) }
    expect(answer).toMatchObject({ ok: false, code: 'postgres_schema', keys_lacking: 0 })
    expect(answer['unseen']).toEqual([{ dataset: 'candles.m5', ...trouble }])
    const again = await rekindleJson(['restore'], env({ REKINDLE_CONFIG }))
    expect(again.answer).toMatchObject({ ok: false, code: 'postgres_schema', symbols_whole: 0, keys_written: 0 })
    expect(again.answer['failed']).toEqual([{ dataset: 'candles.m5', ...trouble }])
  })

  it('goes on without a query that meets something which may pass, but does not', async () => {
    await database.query(`CREATE FUNCTION locked() RETURNS int LANGUAGE plpgsql AS
      $$ BEGIN RAISE EXCEPTION 'they wait for each other' USING ERRCODE = '40P01'; END $$`)
    await redis.cli('FLUSHALL')
    await rekindle(['restore'], env())
    const rows = { held: { query: 'SELECT locked() AS id', key: 'held:{id}' } }
    const REKINDLE_CONFIG = writeConfig({ candles: { layout: anyLayout(), last: LAST }, rows }, 'locked.yaml')
    const { status, stdout, stderr } = await rekindle(['verify'], env({ REKINDLE_CONFIG }))
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Of what could be compared, \d+ keys of \d symbols hold what PostgreSQL holds/)
    expect(stderr).toMatch(/^rekindle: rows\.held: PostgreSQL \S+: they wait for each other; .*rows\.held\.query/)
  })
})

describeOwnServers('trouble with Redis', () => {
  const { database } = useMarket()
  const env = (REDIS_URL: string, layout = anyLayout()): Record<string, string> => ({
    REDIS_URL,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: { layout, last: LAST } }),
  })

  it('fails at once with a wrong password', async () => {
    const redis = await startRedis({ password: 'right' })
    for (const command of BOTH) {
      const { status, stdout, stderr, took } = await rekindle([command], env(redis.url.replace('right', 'hush-hush')))
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
      expect(stderr).toMatch(/^rekindle: Redis \S+: WRONGPASS .*; check the user and the password in redis\.url .*\n$/)
      expect(stderr).not.toContain('hush')
      expect(took).toBeLessThan(10_000)
    }
    expect((await rekindle(['restore'], env(redis.url))).status).toBe(0)
    await redis.stop()
  })

  it('restores indicators where candles need a module that is not there', async () => {
    const redis = await startRedis({ modules: false, args: [] })
    if (!redis.hasTimeSeries) {
      const restored = await rekindle(['restore'], env(redis.url, 'timeseries'))
      expect(restored.status).toBe(1)
      expect(restored.stdout).toMatch(/^Restored 9 keys \(\d+ fields\) in .*: 0 of 3 symbols are whole\.\n$/)
      expect(restored.stderr).toMatch(
        /^rekindle: candles\.m1, candles\.m5, candles\.m15: Redis .*; load RedisTimeSeries .*candles\.layout: sortedset\n$/,
      )
      const { status, answer } = await rekindleJson(['verify'], env(redis.url, 'timeseries'))
      expect(status).toBe(1)
      expect(answer).toMatchObject({ code: 'redis_no_module', keys: 9, keys_lacking: 0 })
      expect(answer['unseen']).toHaveLength(3)
    }
    await redis.stop()
  })

  it('waits for a replica to be promoted', async () => {
    const primary = await startRedis()
    const replica = await startRedis({ args: ['--replicaof', primary.host, String(primary.port)] })
    const { status, stderr } = await rekindle(['restore', '--timeout', '400ms'], env(replica.url))
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis \S+: READONLY .*, after waiting 400 ms; .*promote this replica\n$/)
    expect(await primary.cli('DBSIZE')).toBe(0)
    await replica.stop()
    await primary.stop()
  })

  it('gives up on a Redis that evicts what was just written', async () => {
    const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-random'] })
    const used = async () => Number(/used_memory:(\d+)/.exec(String(await redis.cli('INFO', 'memory')))?.[1])
    const empty = await used()
    await rekindle(['restore'], env(redis.url))
    const room = Math.round(((await used()) - empty) * 0.7)
    await redis.cli('FLUSHALL')
    await redis.cli('CONFIG', 'SET', 'maxmemory', empty + room)
    const { status, answer } = await rekindleJson(['restore', '--timeout', '1s'], env(redis.url))
    expect(status).toBe(1)
    // The second where the buffers of the connections alone take all the memory for a moment.
    expect(['not_whole', 'redis_full']).toContain(answer['code'])
    expect(answer['hint']).toContain('maxmemory')
    await redis.stop()
  })

  it('gives up on a Redis that is full', async () => {
    const redis = await startRedis({ args: ['--maxmemory', '1mb', '--maxmemory-policy', 'noeviction'] })
    const { status, answer } = await rekindleJson(['restore', '--timeout', '1s'], env(redis.url))
    expect(status).toBe(1)
    expect(answer).toMatchObject({ ok: false, code: 'redis_full', hint: expect.stringContaining('maxmemory') })
    await redis.stop()
  })
})

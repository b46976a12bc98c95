import { beforeEach, describe, expect, it } from 'vitest'
import { anyLayout, expectWhole, keysOf, LAST, useMarket } from '../support/daemon.js'
import { describeLayouts, type Layout, until, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, startRekindle, writeConfig } from './rekindle.js'

const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']

function useServers(layout: () => Layout) {
  const redis = useRedis()
  const { database } = useMarket()
  const env = (): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: { layout: layout(), last: LAST } }),
  })
  return { redis, database, env }
}

describeLayouts('rekindle verify', (layout) => {
  const { redis, database, env } = useServers(() => layout)
  const total = symbols.flatMap((symbol) => keysOf(symbol, layout)).length

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    await rekindle(['restore'], env())
  })

  /** Writes another close into the newest candle. */
  async function changeCandle(key: string): Promise<void> {
    if (layout === 'timeseries') {
      const [time] = (await redis.cli('TS.GET', key)) as [number]
      await redis.cli('TS.ADD', key, time, '1', 'ON_DUPLICATE', 'LAST')
      return
    }
    const [member = ''] = (await redis.cli('ZRANGE', key, -1, -1)) as string[]
    const candle = JSON.parse(member) as { t: number; c: number }
    await redis.cli('ZREM', key, member)
    await redis.cli('ZADD', key, candle.t, JSON.stringify({ ...candle, c: 1 }))
  }

  it('is content with a whole Redis, and writes nothing', async () => {
    await redis.cli('DEL', 'rekindle:epoch', 'rekindle:ready')
    const { status, stdout, stderr } = await rekindle(['verify'], env())
    expect(stdout).toMatch(/^\d+ keys of 3 symbols hold what PostgreSQL holds \(compared in .+\)\.\n$/)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(await redis.cli('EXISTS', 'rekindle:epoch', 'rekindle:ready')).toBe(0)
    const { answer } = await rekindleJson(['verify'], env())
    expect(answer).toEqual({
      ok: true,
      symbols: 3,
      keys: total,
      keys_lacking: 0,
      lacks: [],
      orphans: [],
      left_out: 0,
      took_ms: expect.any(Number),
    })
  })

  it('counts what PostgreSQL does not know, and leaves it alone', async () => {
    await redis.cli('HSET', 'indicator:SOLUSDT:m15', 'ghost_field', '1')
    const key = 'ohlcv:BTCUSDT:m5'
    if (layout === 'timeseries') {
      const [time] = (await redis.cli('TS.GET', key)) as [number]
      await redis.cli('TS.ADD', key, time - 1, '1')
    } else {
      const [member = ''] = (await redis.cli('ZRANGE', key, -1, -1)) as string[]
      const t = (JSON.parse(member) as { t: number }).t - 1
      await redis.cli('ZADD', key, t, JSON.stringify({ t, o: 1, h: 1, l: 1, c: 1, v: 1 }))
    }
    const { status, answer } = await rekindleJson(['verify'], env())
    expect(status).toBe(0)
    expect(answer).toMatchObject({ ok: true, keys_lacking: 0 })
    expect(answer['orphans']).toEqual([
      { symbol: 'BTCUSDT', dataset: 'candles.m5', key, values: 1 },
      { symbol: 'SOLUSDT', dataset: 'indicators', key: 'indicator:SOLUSDT:m15', values: 1 },
    ])
    const { stdout } = await rekindle(['verify', '--repair'], env())
    expect(stdout.split('\n')[1]).toBe(
      '2 values in 2 keys are not known to PostgreSQL, ohlcv:BTCUSDT:m5 for one; they are left alone.',
    )
    expect(await redis.cli('HGET', 'indicator:SOLUSDT:m15', 'ghost_field')).toBe('1')
  })

  it('names every key that differs, mends them, and is content', async () => {
    await redis.cli('DEL', 'ohlcv:BTCUSDT:m5')
    await changeCandle('ohlcv:ETHUSDT:m1')
    const [field = ''] = (await redis.cli('HKEYS', 'indicator:SOLUSDT:m15')) as string[]
    await redis.cli('HDEL', 'indicator:SOLUSDT:m15', field)
    await redis.cli('SET', 'indicator:BTCUSDT:m1', 'not a hash')
    const found = [
      { symbol: 'BTCUSDT', dataset: 'candles.m5', key: 'ohlcv:BTCUSDT:m5', kind: 'missing', missing: LAST },
      { symbol: 'BTCUSDT', dataset: 'indicators', key: 'indicator:BTCUSDT:m1', kind: 'wrong_type' },
      { symbol: 'ETHUSDT', dataset: 'candles.m1', key: 'ohlcv:ETHUSDT:m1', kind: 'differs', missing: 0, differing: 1 },
      { symbol: 'SOLUSDT', dataset: 'indicators', key: 'indicator:SOLUSDT:m15', kind: 'hole', missing: 1 },
    ]
    const before = await rekindleJson(['verify'], env())
    expect(before.status).toBe(1)
    expect(before.answer).toMatchObject({ ok: false, keys: total, keys_lacking: 4 })
    const lacks = before.answer['lacks'] as { key: string }[]
    expect(lacks).toHaveLength(found.length)
    for (const lack of found) expect(lacks).toContainEqual(expect.objectContaining(lack))
    expect(lacks.every((lack) => !('picture' in lack))).toBe(true)

    const { status, stdout } = await rekindle(['verify', '--repair'], env())
    expect(stdout).toMatch(/^Repaired 4 keys\. \d+ keys of 3 symbols hold what PostgreSQL holds/)
    expect(status).toBe(0)
    await expectWhole(redis.url, database, layout)
    expect(await redis.cli('GET', 'rekindle:aside:indicator:BTCUSDT:m1')).toBe('not a hash')
  })
})

describe('rekindle verify for a person', () => {
  const { redis, env } = useServers(anyLayout)

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    await rekindle(['restore'], env())
  })

  it('lists for a person what it tells a machine', async () => {
    await redis.cli('DEL', 'ohlcv:BTCUSDT:m5', 'indicator:ETHUSDT:m1')
    await redis.cli('HSET', 'indicator:SOLUSDT:m1', 'ghost', 1)
    const { status, stdout, stderr } = await rekindle(['verify'], env())
    expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(4)
    expect(lines[3]).toBe(
      '1 value in 1 key is not known to PostgreSQL, indicator:SOLUSDT:m1 for one; it is left alone.',
    )
    expect(lines[0]).toMatch(/^ohlcv:BTCUSDT:m5 +missing +40 missing$/)
    expect(lines[1]).toMatch(/^indicator:ETHUSDT:m1 +missing +\d+ missing$/)
    expect(lines[2]).toMatch(
      /^2 keys of 2 symbols differ from PostgreSQL \(\d+ keys of 3 symbols compared\): rekindle verify --repair mends them\.$/,
    )
  })

  it('tells which right a repair lacks, and blames nobody else', async () => {
    await redis.cli('ACL', 'SETUSER', 'mender', 'on', '>secret', '~*', '&*', '+@all', '-hget')
    const [field = ''] = (await redis.cli('HKEYS', 'indicator:BTCUSDT:m1')) as string[]
    await redis.cli('HSET', 'indicator:BTCUSDT:m1', field, 1)
    const limited = { ...env(), REDIS_URL: redis.url.replace('//', '//mender:secret@') }
    const { status, stdout, stderr } = await rekindle(['verify', '--repair'], limited)
    expect(status).toBe(1)
    expect(stdout).toContain('\nRepaired 0 keys. 1 key of 1 symbol differs from PostgreSQL')
    expect(stdout).toContain('not all could be repaired.')
    expect(stdout).not.toContain('something writes')
    expect(stderr).toMatch(/^rekindle: indicators: .*can't run this command.*; grant this command/)
    const { answer } = await rekindleJson(['verify', '--repair'], limited)
    expect(answer).toMatchObject({ ok: false, keys_lacking: 1, repaired: 0, failed: [{ dataset: 'indicators' }] })
  })

  it('does not count its own rest before the second look as waiting', async () => {
    const [field = ''] = (await redis.cli('HKEYS', 'indicator:SOLUSDT:m5')) as string[]
    await redis.cli('HSET', 'indicator:SOLUSDT:m5', field, 1)
    const { status, answer } = await rekindleJson(['verify', '--timeout', '1500ms'], env())
    expect(status).toBe(1)
    expect(answer).toMatchObject({ ok: false, keys_lacking: 1 })
    expect(answer).not.toHaveProperty('code')
  })

  it('does not call the write of a live worker a difference', async () => {
    const [field = ''] = (await redis.cli('HKEYS', 'indicator:SOLUSDT:m5')) as string[]
    const value = await redis.cli('HGET', 'indicator:SOLUSDT:m5', field)
    await redis.cli('HSET', 'indicator:SOLUSDT:m5', field, 1)
    const running = startRekindle(['verify', '--repair'], env())
    // It has looked, and rests before it looks again.
    await until(async () => / name=rekindle-bulk .* idle=[1-9]/.test(String(await redis.cli('CLIENT', 'LIST'))))
    await redis.cli('HSET', 'indicator:SOLUSDT:m5', field, String(value))
    const { status, stdout } = await running.ended
    expect(stdout).toMatch(/^\d+ keys of 3 symbols hold what PostgreSQL holds/)
    expect(status).toBe(0)
  })
})

describe('rekindle verify of very much', () => {
  const { redis, database, env } = useServers(anyLayout)

  it('lists the first fifty, and survives a reader that has enough', async () => {
    await database.query(
      `INSERT INTO indicator_instances_v4 (indicator, symbol, timeframe)
       SELECT 'rsi', 'BTCUSDT', 'x' || nth FROM generate_series(1, 60) AS nth`,
    )
    await database.query(
      `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
       SELECT id, symbol, '2025-06-01', 'rsi', 50 FROM indicator_instances_v4 WHERE timeframe LIKE 'x%'`,
    )
    const { status, stdout } = await rekindle(['verify'], env())
    expect(status).toBe(1)
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(52)
    expect(lines[50]).toMatch(/^… and \d+ more$/)
    const { answer } = await rekindleJson(['verify'], env())
    expect((answer['lacks'] as unknown[]).length).toBe(answer['keys_lacking'])
    expect(answer['keys_lacking']).toBeGreaterThan(60)
    const running = startRekindle(['verify'], env())
    running.hangUp()
    expect(await running.ended).toMatchObject({ status: 1, stderr: '' })
    expect(await redis.cli('DBSIZE')).toBe(0)
  })
})

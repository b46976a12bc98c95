import { beforeEach, expect, it } from 'vitest'
import { expectWhole, keysOf, LAST, useMarket } from '../support/daemon.js'
import { describeLayouts, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, startRekindle, writeConfig } from './rekindle.js'

const WRITES = /^cmdstat_(zadd|zrem|hset|ts\.(create|alter|add|madd|del)|del|set|rename\w*):/gm

describeLayouts('rekindle restore', (layout) => {
  const redis = useRedis()
  const { database } = useMarket()
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
  const keys = symbols.flatMap((symbol) => keysOf(symbol, layout))
  const samples = symbols.length * 3 * LAST * (layout === 'timeseries' ? 5 : 1)
  const env = (): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: { layout, last: LAST } }),
  })

  beforeEach(() => redis.cli('FLUSHALL'))

  it('fills an empty Redis, and says what it wrote', async () => {
    const { status, stdout, stderr } = await rekindle(['restore'], env())
    expect(stdout).toMatch(/^Restored [\d,]+ keys \([\d,]+ samples, [\d,]+ fields\) in .+: 3 symbols are whole\.\n$/)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    await expectWhole(redis.url, database, layout)
  })

  it('writes nothing into a whole Redis, and says so', async () => {
    await rekindle(['restore'], env())
    const epoch = await redis.cli('GET', 'rekindle:epoch')
    await redis.cli('CONFIG', 'RESETSTAT')
    const { status, stdout, stderr } = await rekindle(['restore'], env())
    expect(stdout).toBe(`Nothing had to be written: 3 symbols are whole. ${keys.length} keys stood whole already.\n`)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    // Nothing but the marks of readiness, which say what they said before.
    const writes = new Set(String(await redis.cli('INFO', 'commandstats')).match(WRITES))
    expect(writes).toEqual(new Set(['cmdstat_hset:', 'cmdstat_set:']))
    expect(await redis.cli('GET', 'rekindle:epoch')).toBe(epoch)
  })

  it('writes only what is missing, and answers a machine', async () => {
    const first = await rekindleJson(['restore'], env())
    expect(first.answer).toEqual({
      ok: true,
      symbols: 3,
      symbols_whole: 3,
      keys_written: keys.length,
      keys_whole: 0,
      samples,
      fields: expect.any(Number),
      left_out: 0,
      superseded: 0,
      took_ms: expect.any(Number),
    })
    await redis.cli('DEL', 'ohlcv:BTCUSDT:m5', 'indicator:ETHUSDT:m1')
    const { status, answer } = await rekindleJson(['restore'], env())
    expect(status).toBe(0)
    expect(answer).toMatchObject({ keys_written: 2, keys_whole: keys.length - 2, samples: LAST })
    await expectWhole(redis.url, database, layout)
  })

  it('restores the named symbols only, and marks them ready', async () => {
    const { status, stdout } = await rekindle(['restore', '--symbol', 'ETHUSDT', '-s', 'BTCUSDT'], env())
    expect(status).toBe(0)
    expect(stdout).toContain(': 2 symbols are whole.')
    expect(await redis.cli('EXISTS', ...keysOf('SOLUSDT', layout))).toBe(0)
    expect([...((await redis.cli('HKEYS', 'rekindle:ready')) as string[])].sort()).toEqual(['BTCUSDT', 'ETHUSDT'])
    expect(await redis.cli('EXISTS', 'rekindle:epoch')).toBe(0)
  })

  it('names the nearest symbol to one that is not enabled', async () => {
    const { status, stdout, stderr } = await rekindle(['restore', '-s', 'BTCUSD'], env())
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toBe('rekindle: --symbol: "BTCUSD" is not enabled; did you mean BTCUSDT?\n')
    expect(await redis.cli('DBSIZE')).toBe(0)
  })

  it('counts what Redis cannot hold', async () => {
    const newest = "(SELECT max(open_time) FROM ohlcv4_m1) AND symbol = 'SOLUSDT'"
    const before = await database.query(`SELECT close FROM ohlcv4_m1 WHERE open_time = ${newest}`)
    await database.query(`UPDATE ohlcv4_m1 SET close = 'NaN' WHERE open_time = ${newest}`)
    const { status, stdout } = await rekindle(['restore'], env())
    expect(status).toBe(0)
    expect(stdout).toContain(' 1 value left out that Redis cannot hold (NULL, NaN, infinity).')
    await database.query(`UPDATE ohlcv4_m1 SET close = $1 WHERE open_time = ${newest}`, [before[0]?.['close']])
  })

  it('goes on with its work when nobody reads what it says', async () => {
    const running = startRekindle(['restore'], env())
    running.hangUp()
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    await expectWhole(redis.url, database, layout)
  })
})

import { Client } from 'pg'
import { beforeAll, beforeEach, expect, it } from 'vitest'
import { createMarket } from '../../lab/market.js'
import { anyLayout, expectWhole, keysOf, LAST } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { type TestDatabase, until, usePostgres, useRedis } from '../support/servers.js'
import { type Running, startRekindle, writeConfig } from './rekindle.js'

describeOwnServers('an interrupted restore', () => {
  const redis = useRedis()
  const postgres = usePostgres()
  const layout = anyLayout()
  const database: Pick<TestDatabase, 'query' | 'url' | 'stop'> = {
    get url() {
      return postgres.url
    },
    query: async (sql, values = []) => {
      const client = await connect()
      try {
        return (await client.query(sql, values)).rows
      } finally {
        await client.end()
      }
    },
    stop: async () => {},
  }

  async function connect(): Promise<Client> {
    const client = new Client({ connectionString: postgres.url })
    client.on('error', () => {})
    await client.connect()
    return client
  }

  beforeAll(async () => {
    const candles = { m1: 60, m5: 60, m15: 60 }
    await createMarket(postgres.url, { symbols: 3, candles, instances: 6, history: 4 })
  })
  beforeEach(() => redis.cli('FLUSHALL'))

  /** Starts a restore that stands still in the middle, before the last timeframe, until `go` is called. */
  async function halfway(...args: string[]): Promise<{ running: Running; go(): Promise<void> }> {
    const holder = await connect()
    await holder.query('BEGIN; LOCK TABLE ohlcv4_m15 IN ACCESS EXCLUSIVE MODE')
    const env = {
      REDIS_URL: redis.url,
      DATABASE_URL: postgres.url,
      REKINDLE_CONFIG: writeConfig({ candles: { layout, last: LAST } }),
    }
    const running = startRekindle(['restore', ...args], env)
    const first = symbolKeys().filter((key) => !/^ohlcv:.*:m15/.test(key))
    await until(async () => (await redis.cli('EXISTS', ...first)) === first.length, { what: running.stderr })
    return { running, go: () => holder.end() }
  }

  function symbolKeys(): string[] {
    return ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'].flatMap((symbol) => keysOf(symbol, layout))
  }

  it('begins again in the next life after Redis was killed', async () => {
    const { running, go } = await halfway()
    await redis.kill()
    await redis.start()
    await go()
    const { status, stdout, stderr } = await running.ended
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(stdout).toMatch(/: 3 symbols are whole\.\n$/)
    await expectWhole(redis.url, database, layout)
  })

  it('restores again what a flush took in the middle', async () => {
    const { running, go } = await halfway()
    await redis.cli('FLUSHALL')
    await go()
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    await expectWhole(redis.url, database, layout)
  })

  it('goes on after PostgreSQL was restarted', async () => {
    const { running } = await halfway()
    await postgres.restart()
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    await expectWhole(redis.url, database, layout)
  })

  it('gives up when nothing more gets done in its time, and says what it did', async () => {
    const { running, go } = await halfway('--timeout', '1s')
    const { status, stdout, stderr } = await running.ended
    await go()
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Restored \d+ keys .*: 0 of 3 symbols are whole\.\n$/)
    expect(stderr).toMatch(/^rekindle: nothing more got done, after waiting 1 s; .*\n$/)
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('stops at %s, and says what it did', async (signal) => {
    const { running, go } = await halfway()
    const at = performance.now()
    running.kill(signal)
    const { status, stdout, stderr } = await running.ended
    expect(performance.now() - at).toBeLessThan(5_000)
    await go()
    expect(status).toBe(1)
    expect(stdout).toMatch(/^Restored \d+ keys .*: 0 of 3 symbols are whole\.\n$/)
    expect(stderr).toBe(`rekindle: stopped by ${signal}; run it again to go on with the rest\n`)
  })

  it('tells a machine what was done until it was stopped', async () => {
    const { running, go } = await halfway('--json')
    running.kill('SIGTERM')
    const { status, stdout } = await running.ended
    await go()
    expect(status).toBe(1)
    const answer = JSON.parse(stdout) as Record<string, unknown>
    expect(answer).toMatchObject({ ok: false, code: 'aborted', symbols: 3, symbols_whole: 0, keys_whole: 0 })
    expect(answer['keys_written']).toBeGreaterThan(0)
  })
})

import { Redis } from 'ioredis'
import { afterEach, beforeAll, expect, it } from 'vitest'
import {
  expectWhole,
  keysOf,
  oneIncident,
  type RunningDaemon,
  startDaemon,
  testConfig,
  useMarket,
} from '../support/daemon.js'
import { describeLayouts, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

describeLayouts('what empties a running server', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()
  const keys = () => symbols.flatMap((symbol) => keysOf(symbol, layout))
  let symbols: string[]

  beforeAll(async () => {
    await install()
    symbols = (await database.query<{ symbol: string }>("SELECT symbol FROM tickers WHERE status = 'enabled'")).map(
      ({ symbol }) => symbol,
    )
  })

  async function whole(): Promise<void> {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    await daemon.next('watching')
    daemon.passOver()
  }

  it('fills an empty server at the first look', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    const { loss, healed } = await oneIncident(daemon, 'unknown')
    expect(loss.evidence).toMatchObject({ first_look: true })
    expect(loss).toMatchObject({ keys_lost: keys().length, symbols_lost: 3, keys_incomplete: {} })
    expect(healed).toMatchObject({ keys: keys().length, symbols: 3 })
    expect(await daemon.next('watching')).toMatchObject({ symbols: 3, keys: keys().length })
    await expectWhole(redis.url, database, layout)
  })

  it('does nothing where everything is whole already', async () => {
    await whole()
    expect(daemon.all('data_loss')).toEqual([])
    expect(daemon.all('drift')).toEqual([])
  })

  for (const command of [['FLUSHALL'], ['FLUSHALL', 'ASYNC'], ['FLUSHDB'], ['FLUSHDB', 'ASYNC']]) {
    it(`tells ${command.join(' ')}, and who ran it`, async () => {
      await whole()
      const culprit = new Redis(redis.url, { connectionName: 'somebody' })
      await culprit.call(command[0] as string, ...command.slice(1))
      const { loss, healed } = await oneIncident(daemon, 'flush')
      expect(loss).toMatchObject({
        keys_lost: keys().length,
        symbols_lost: 3,
        symbols: symbols.sort(),
        keys_incomplete: {},
      })
      expect(loss.run_id).toBe(loss.previous_run_id)
      expect(Date.parse(loss.last_seen_whole_at ?? '')).toBeLessThanOrEqual(Date.now())
      const { flushall_calls, flushdb_calls, swapdb_calls } = loss.evidence
      const calls = { FLUSHALL: flushall_calls, FLUSHDB: flushdb_calls, SWAPDB: swapdb_calls }
      // Redis 8 counts the command only when the memory is freed.
      expect(calls).toMatchObject({ FLUSHALL: 0, FLUSHDB: 0, SWAPDB: 0, [command[0] ?? '']: expect.toBeOneOf([0, 1]) })
      expect(loss.evidence).toMatchObject({
        client: { name: 'somebody', cmd: expect.stringMatching(/^flush/) },
      })
      expect(loss.evidence['signals']).toContain('flush')
      expect(healed).toMatchObject({ keys: keys().length, symbols: 3 })
      await expectWhole(redis.url, database, layout)
      culprit.disconnect()
      expect(daemon.all('data_loss')).toHaveLength(1)
    })
  }

  it('tells SWAPDB', async () => {
    await whole()
    await redis.cli('SWAPDB', 0, 1)
    const { loss } = await oneIncident(daemon, 'swapdb')
    expect(loss.evidence).toMatchObject({ swapdb_calls: 1, flushall_calls: 0, flushdb_calls: 0 })
    expect(loss.keys_lost).toBe(keys().length)
    await expectWhole(redis.url, database, layout)
  })
})

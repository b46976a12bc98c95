import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { levelOf } from '../../src/report/sentences.js'
import {
  anyLayout,
  expectWhole,
  keysOf,
  type RunningDaemon,
  startDaemon,
  testConfig,
  untilWhole,
  useMarket,
} from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { aloud, expectOneStorm } from '../support/told.js'

const layout = anyLayout()
const SYMBOLS = ['BTCUSDT', 'ETHUSDT']

let daemon: RunningDaemon

async function whole(redisUrl: string, databaseUrl: string, more = {}): Promise<void> {
  daemon = startDaemon(testConfig(redisUrl, databaseUrl, { layout, more }))
  await daemon.next('watching')
  daemon.passOver()
}

/** Does something again and again, for so many ms. */
async function again(ms: number, period: number, act: () => Promise<unknown>): Promise<number> {
  let times = 0
  for (const until = Date.now() + ms; Date.now() < until; times++) {
    await act()
    await delay(period)
  }
  return times
}

/** A worker that reads as long as it is told that it may; returns how often it did, and rejects if a key was missing then. */
function readAlong(redisUrl: string): { stop(): Promise<number> } {
  const worker = new Redis(redisUrl)
  let isStopped = false
  const reading = (async () => {
    let reads = 0
    while (!isStopped) {
      for (const symbol of SYMBOLS) {
        const keys = keysOf(symbol, layout)
        const [[, ready], [, count]] = (await worker
          .multi()
          .hget('rekindle:ready', symbol)
          .exists(...keys)
          .exec()) as [[null, string | null], [null, number]]
        if (ready === null) continue
        expect(count, `${symbol} is said to be whole`).toBe(keys.length)
        reads++
      }
      await delay(2)
    }
    worker.disconnect()
    return reads
  })()
  reading.catch(() => undefined)
  return {
    stop: () => {
      isStopped = true
      return reading
    },
  }
}

afterEach(() => daemon.stop())

describe('one incident, one alert', () => {
  const redis = useRedis()
  const { database, install } = useMarket()
  let client: Redis

  beforeAll(install)
  beforeEach(() => {
    client = new Redis(redis.url)
    return () => client.disconnect()
  })

  it('a lone flush is healed as soon as the last key is verified', async () => {
    await whole(redis.url, database.url)
    const began = Date.now()
    await client.flushall()
    const loss = await daemon.next('data_loss')
    const healed = await daemon.next('healed')
    const took = Date.now() - began
    expect(loss).toMatchObject({ reopened: false, causes: ['flush'] })
    expect(healed).toMatchObject({ losses: 1, keys_unwanted: 0, keys_lost: loss.keys_lost, keys_back: loss.keys_lost })
    expect(levelOf(healed)).toBe('info')
    // Nothing was waited for after the last key: only this machine is slow.
    expect(took - healed.time_to_heal_ms).toBeLessThan(400)
    expect(daemon.all('all_back')).toEqual([])
    expect(aloud(daemon.events).filter(({ event }) => event === 'data_loss_continues')).toEqual([])
    await expectWhole(redis.url, database, layout)
  })

  it('of FLUSHALL in a loop, while workers read', async () => {
    await whole(redis.url, database.url)
    const reader = readAlong(redis.url)
    const keys = SYMBOLS.flatMap((symbol) => keysOf(symbol, layout))
    const flushes = await again(10_000, 20, async () => {
      await client.flushall()
      // A flush of nothing is no loss: how fast a heal is differs from machine to machine.
      await until(() => client.exists(...keys))
    })
    await until(() => boardIsQuiet() && daemon.all('healed').at(-1), { timeout: 60_000 })
    expect(await reader.stop()).toBeGreaterThan(0)
    const losses = await expectOneStorm(daemon)
    expect(losses).toBeGreaterThan(5)
    // One that comes in the middle of a heal may be seen in two parts: what was not back yet, and what had just been.
    expect(losses).toBeLessThanOrEqual(2 * flushes)
    expect(daemon.all('data_loss_continues')[0]).toMatchObject({ causes: ['flush'], symbols_lost: 3 })
    await expectWhole(redis.url, database, layout)
  }, 60_000)

  it('of keys that are deleted one after the other, with breaks', async () => {
    await whole(redis.url, database.url)
    const keys = SYMBOLS.flatMap((symbol) => keysOf(symbol, layout))
    let nth = 0
    await again(6_000, 300, () => client.del(keys[nth++ % keys.length] as string))
    await daemon.next('healed', ({ losses }) => losses > 1)
    await expectOneStorm(daemon, 8)
    await untilWhole(redis.url, database, layout)
  }, 60_000)

  it('of an eviction that goes on', async () => {
    await whole(redis.url, database.url)
    const used = Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
    await client.config('SET', 'maxmemory-policy', 'allkeys-random')
    await client.config('SET', 'maxmemory', used + 1_000_000)
    let nth = 0
    try {
      await again(10_000, 5, () => client.set(`filler:${nth++}`, 'x'.repeat(5_000)).catch(() => undefined))
    } finally {
      await client.config('SET', 'maxmemory', 0)
      await client.config('SET', 'maxmemory-policy', 'noeviction')
    }
    await daemon.next('data_loss')
    await until(() => boardIsQuiet(), { timeout: 60_000 })
    await expectOneStorm(daemon, 8)
    expect(daemon.all('data_loss')[0]).toMatchObject({ cause: 'eviction' })
    await untilWhole(redis.url, database, layout)
  }, 120_000)

  it('of our own connections being killed', async () => {
    await whole(redis.url, database.url)
    await again(6_000, 100, async () => {
      const ours = String(await client.client('LIST')).split('\n')
      for (const line of ours) {
        const id = /^id=(\d+) .*name=rekindle/.exec(line)?.[1]
        if (id !== undefined) await client.client('KILL', 'ID', id).catch(() => undefined)
      }
    })
    await daemon.next('redis_up', ({ stable_for_ms }) => stable_for_ms !== undefined)
    const downs = daemon.all('redis_down')
    expect(downs.length).toBeGreaterThan(5)
    const told = aloud(daemon.events.slice(daemon.events.indexOf(downs[0] as (typeof downs)[0])))
    expect(told.length, JSON.stringify(told.map(({ event }) => event))).toBeLessThanOrEqual(12)
    expect(told.filter(({ event }) => event === 'redis_down').length).toBeLessThanOrEqual(4)
    expect(daemon.all('redis_up').at(-1)).toMatchObject({ times: downs.filter(isFirst).length })
    expect(daemon.all('data_loss')).toEqual([])
    await untilWhole(redis.url, database, layout)
    function isFirst({ down_for_ms }: { down_for_ms: number }): boolean {
      return down_for_ms === 0
    }
  }, 60_000)

  /** Every alert has its end. */
  function boardIsQuiet(): boolean {
    return daemon.all('healed').length === daemon.all('data_loss').length
  }
})

describeOwnServers('a master that flaps', () => {
  const redis = useRedis()
  const { database, install } = useMarket()

  beforeAll(install)

  it('and comes back empty each time is one incident, whatever else happens to it', async () => {
    await whole(redis.url, database.url)
    for (let time = 0; time < 6; time++) {
      await redis.kill()
      await redis.start()
      await until(async () => Number(await redis.cli('EXISTS', 'rekindle:epoch').catch(() => 0)) === 1, {
        timeout: 20_000,
      })
      // Another cause while the incident is open belongs to it.
      if (time !== 3) continue
      await redis.cli('FLUSHALL')
      await until(() => daemon.all('loss_joined').some(({ cause }) => cause === 'flush'))
    }
    await until(() => daemon.all('redis_up').some((event) => event.stable_for_ms !== undefined), { timeout: 60_000 })
    await until(() => daemon.all('healed').at(-1)?.causes.includes('flush'), { timeout: 60_000 })
    const losses = await expectOneStorm(daemon, 10, 3)
    expect(losses).toBeGreaterThanOrEqual(6)
    expect(daemon.all('healed').at(-1)).toMatchObject({ cause: 'restart', causes: ['restart', 'flush'] })
    const told = aloud(daemon.all('redis_down'))
    expect(told.length).toBeLessThanOrEqual(4)
    await expectWhole(redis.url, database, layout)
  }, 120_000)
})

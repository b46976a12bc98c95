import { firstValueFrom } from 'rxjs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { othersAt, secondDaemon, watchOtherDaemons } from '../../src/detect/other-daemons.js'
import { type OpenLife, openLife } from '../../src/redis/life.js'
import { anyLayout, expectWhole, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { until, useRedis } from '../support/servers.js'

const ears = (id: string, more: object = {}) => ({ id, name: 'rekindle-ears', addr: '10.0.0.2:7', sub: '13', ...more })
const probe = (id: string, more: object = {}) => ({
  id,
  name: 'rekindle',
  addr: '10.0.0.2:8',
  sub: '0',
  idle: '0',
  ...more,
})
const OURS = [ears('1', { addr: '10.0.0.1:7' }), probe('2', { addr: '10.0.0.1:8' })]

describe('othersAt', () => {
  const look = (before: object[], now = before, elapsed = 15_000) =>
    othersAt({ at: 0, clients: [...OURS, ...before] }, { at: elapsed, clients: [...OURS, ...now] }, 1)

  it.each([
    ['nobody else', [], []],
    ['another host', [ears('3'), probe('4')], [{ host: '10.0.0.2' }]],
    ['our own host', [ears('3', { addr: '10.0.0.1:9' }), probe('4', { addr: '10.0.0.1:10' })], [{ host: '10.0.0.1' }]],
    ['a restore, which subscribes to nothing', [ears('3', { sub: '0' }), probe('4')], []],
    ['what a dead machine left', [ears('3'), probe('4', { idle: '40' })], []],
    ['what a dead life of ours left', [ears('3', { addr: '10.0.0.1:9' })], []],
  ])('sees %s', (_, clients, others) => {
    expect(look(clients)).toEqual(others)
  })

  it('waits for a second look, as connections of an old life may linger', () => {
    expect(look([], [ears('3'), probe('4')])).toEqual([])
  })
})

describe('secondDaemon', () => {
  it('names the other host', () => {
    const { code, message, passing } = secondDaemon({ host: '10.0.0.2' }, 'here:6379/0')
    expect({ code, passing }).toEqual({ code: 'second_daemon', passing: false })
    expect(message).toBe('Redis here:6379/0: another Rekindle guards it as well, on 10.0.0.2')
  })
})

describe('two daemons on one Redis', () => {
  const redis = useRedis()
  const { database, install } = useMarket()
  const daemons: RunningDaemon[] = []
  let opened: OpenLife | undefined

  beforeAll(() => install())
  afterEach(() => {
    for (const daemon of daemons.splice(0)) daemon.stop()
    opened?.close()
  })

  const start = (): RunningDaemon => {
    const daemon = startDaemon(
      testConfig(redis.url, database.url, { layout: anyLayout(), poll: '50ms', scrub: '300ms' }),
    )
    daemons.push(daemon)
    return daemon
  }

  it('are seen by each other', async () => {
    const { signal } = new AbortController()
    opened = await openLife({ url: redis.url, server: 'redis', onWaiting: () => undefined, signal })
    expect(await firstValueFrom(watchOtherDaemons(opened.life, 100))).toEqual([])
    await start().next('watching')
    expect(await firstValueFrom(watchOtherDaemons(opened.life, 1_000))).toEqual([{ host: '127.0.0.1' }])
  })

  it('do no harm: both heal, Redis is whole, and the marks stand', async () => {
    const [one, other] = [start(), start()]
    for (const daemon of [one, other]) await daemon.next('watching')
    for (let round = 0; round < 3; round++) {
      for (const daemon of daemons) daemon.passOver()
      await redis.cli('FLUSHALL')
      for (const daemon of daemons) await daemon.next('healed')
    }
    for (const daemon of daemons) daemon.passOver()
    await expectWhole(redis.url, database, anyLayout())
    const epoch = await redis.cli('GET', 'rekindle:epoch')
    // A few polls and scrubs later nothing has moved.
    const calls = async () =>
      Number(/total_commands_processed:(\d+)/.exec(String(await redis.cli('INFO', 'stats')))?.[1])
    const before = await calls()
    await until(async () => (await calls()) > before + 200)
    expect(await redis.cli('GET', 'rekindle:epoch')).toBe(epoch)
    await expectWhole(redis.url, database, anyLayout())
    for (const daemon of daemons) {
      expect(daemon.all('data_loss')).toEqual([])
      expect(daemon.all('drift')).toEqual([])
    }
  })
})

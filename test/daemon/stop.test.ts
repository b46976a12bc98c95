import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { openLog } from '../../src/report/log.js'
import { anyLayout, expectWhole, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { type Relay, startRelay } from '../support/relay.js'
import { until, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

const layout = anyLayout()

describeOwnServers('to stop', () => {
  const redis = useRedis()
  const { database, install } = useMarket()
  let relay: Relay

  beforeAll(install)
  beforeEach(async () => {
    relay = await startRelay(redis.port)
    return () => relay.stop()
  })

  const start = (redisUrl = relay.url(redis.url), databaseUrl = database.url): void => {
    daemon = startDaemon(testConfig(redisUrl, databaseUrl, { layout, poll: '50ms', scrub: '100ms' }))
  }

  /** Timers that keep a process alive. */
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

  const moments: [string, () => Promise<unknown>][] = [
    ['at once', async () => {}],
    [
      'while it connects',
      async () => {
        // Redis accepts connections and does not answer.
        redis.pause()
        await new Promise((resolve) => setTimeout(resolve, 100))
      },
    ],
    ['while it watches', () => daemon.next('watching')],
    [
      'in the middle of a restore',
      async () => {
        await daemon.next('watching')
        const held = relay.hold(':m15', layout === 'timeseries' ? 'TS.CREATE' : 'ZADD')
        await redis.cli('FLUSHALL')
        await held
      },
    ],
  ]
  it.each(moments)('%s closes every connection, and leaves no timer', async (_, reach) => {
    const before = timers()
    start()
    await reach()
    daemon.stop()
    redis.resume()
    await until(async () => !String(await redis.cli('CLIENT', 'LIST')).includes('name=rekindle'), { timeout: 20_000 })
    const sessions = 'SELECT FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()'
    await until(async () => (await database.query(sessions, ['rekindle'])).length === 0)
    await until(() => timers() <= before)
    daemon.passOver()
    await redis.cli('FLUSHALL')
    expect(daemon.all('suspicion')).toEqual([])
    expect(await redis.cli('DBSIZE')).toBe(0)
  })

  it('while servers are away leaves no timer', async () => {
    const before = timers()
    start('redis://127.0.0.1:1', 'postgres://127.0.0.1:1/nowhere')
    await daemon.next('redis_down')
    await until(() => daemon.all('postgres_down').length > 0)
    daemon.stop()
    await until(() => timers() <= before)
  })

  it('is what the work of a life does with it: the next life never gets its commands', async () => {
    const other = await startRedis()
    try {
      start()
      await daemon.next('watching')
      daemon.passOver()
      const write = layout === 'timeseries' ? 'TS.CREATE' : 'ZADD'
      const held = relay.hold('indicator:', 'HSET')
      await redis.cli('FLUSHALL')
      const { release } = await held
      relay.pointAt(other.port)
      release()
      await daemon.next('healed')
      await expectWhole(other.url, database, layout)
      const stats = String(await other.cli('INFO', 'commandstats'))
      const calls = Number(new RegExp(`cmdstat_${write.toLowerCase()}:calls=(\\d+)`).exec(stats)?.[1])
      // A series is made once; a set is written in two commands, all but the newest candle and then that.
      expect(calls).toBe(layout === 'timeseries' ? 45 : 18)
      expect(await redis.cli('EXISTS', 'indicator:BTCUSDT:m1', 'rekindle:epoch')).toBe(0)
    } finally {
      daemon.stop()
      await other.stop()
    }
  })
})

describeOwnServers('a password', () => {
  const redis = useRedis({ password: 'right-one' })
  const { database } = useMarket()

  it('that is wrong is told without it, on both sides', async () => {
    const lines: string[] = []
    const { emit } = openLog('trace', { write: (line) => lines.push(line) })
    const url = new URL(database.url)
    url.password = 'wrong-two'
    daemon = startDaemon(testConfig(redis.url.replace('right-one', 'wrong-one'), url.href, { layout }))
    const [redisDown, postgresDown] = await Promise.all([
      until(() => daemon.all('redis_down')[0]),
      until(() => daemon.all('postgres_down')[0]),
    ])
    expect(redisDown).toMatchObject({ code: 'redis_refused', hint: expect.stringMatching(/password in redis\.url/) })
    expect(postgresDown).toMatchObject({
      code: 'postgres_refused',
      hint: expect.stringMatching(/password in postgres\.url/),
    })
    for (const event of daemon.events) emit(event)
    const all = JSON.stringify(daemon.events) + lines.join('')
    for (const secret of ['right-one', 'wrong-one', 'wrong-two', new URL(database.url).password]) {
      if (secret !== 'rekindle') expect(all).not.toContain(secret)
    }
    expect(lines).toHaveLength(daemon.events.length)
    expect(daemon.all('redis_down')).toHaveLength(1)
    expect(daemon.all('postgres_down')).toHaveLength(1)
  })

  it('that is missing is told as such', async () => {
    daemon = startDaemon(testConfig(redis.url.replace(':right-one@', ''), database.url, { layout }))
    expect(await daemon.next('redis_down')).toMatchObject({ code: 'redis_refused' })
  })

  it('that somebody set in a URL of the log is taken out of its lines', () => {
    const lines: string[] = []
    const { emit } = openLog('info', { write: (line) => lines.push(line) })
    const reason = 'connect to redis://user:s3cret@example.org:6379/0 failed'
    emit({ event: 'redis_down', code: 'redis_unreachable', reason, hint: '', down_for_ms: 0 })
    expect(lines.join('')).not.toContain('s3cret')
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'error', event: 'redis_down' })
  })

  it('of a client that is right opens the door', async () => {
    daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    await daemon.next('watching')
    await expectWhole(redis.url, database, layout)
  })
})

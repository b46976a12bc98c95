import { writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { changedSections, Reloader, Underway } from '../../src/commands/reload.js'
import { type Config, configSchema } from '../../src/config/schema.js'
import { ConfigError } from '../../src/errors.js'
import type { LogEvent } from '../../src/report/events.js'
import { anyLayout, LAST, useMarket } from '../support/daemon.js'
import { until, useRedis } from '../support/servers.js'
import { type Running, startRekindle, writeConfig } from './rekindle.js'

const config = (more: object = {}): Config => configSchema.parse(more)
const loss = (incident: number) => ({ event: 'data_loss', incident }) as LogEvent
const healed = (incident: number, ...supersedes: number[]) => ({ event: 'healed', incident, supersedes }) as LogEvent
const plain = (event: 'redis_down' | 'redis_up') => ({ event }) as LogEvent

describe('changedSections', () => {
  it('names the sections that differ, those too that came or went', () => {
    const other = config({ watch: { poll: '2s' }, candles: false, log: { level: 'debug' } })
    expect(changedSections(config(), config())).toEqual([])
    expect(changedSections(config(), other)).toEqual(['candles', 'log', 'watch'])
    expect(changedSections(other, config())).toEqual(['candles', 'log', 'watch'])
  })
})

describe('Underway', () => {
  it('is over when every incident is, those too that a later one took over', async () => {
    const underway = new Underway()
    for (const event of [loss(1), loss(2)]) underway.take(event)
    const quiet = underway.quiet()
    expect(await Promise.race([quiet, 'not yet'])).toBe('not yet')
    underway.take(healed(2, 1))
    await quiet
  })

  it('does not wait for a heal that waits for a server, nor for ever', async () => {
    const underway = new Underway()
    underway.take(loss(1))
    const quiet = underway.quiet()
    underway.take(plain('redis_down'))
    await quiet
    underway.take(plain('redis_up'))
    await underway.quiet(20)
  })
})

describe('Reloader', () => {
  let events: LogEvent[]
  let followed: string[][]
  let next: Config | Error
  let underway: Underway
  let reloader: Reloader

  beforeEach(() => {
    events = []
    followed = []
    underway = new Underway()
    reloader = new Reloader({
      config: config(),
      load: () => {
        if (next instanceof Error) throw next
        return next
      },
      emit: (event) => events.push(event),
      underway,
      follow: (_, changed) => followed.push([...changed]),
    })
  })

  it.each([new ConfigError('rekindle.yaml: no'), new TypeError('a bug')])('keeps the old at %s', async (error) => {
    next = error
    await reloader.reload()
    expect(followed).toEqual([])
    expect(events).toEqual([{ event: 'reload_failed', reason: error.message }])
  })

  it('changes the log at once, and the rest when the open incident is over', async () => {
    underway.take(loss(1))
    next = config({ log: { level: 'debug' }, watch: { poll: '2s' } })
    const reloaded = reloader.reload()
    expect(followed).toEqual([['log']])
    underway.take(healed(1))
    await reloaded
    expect(followed).toEqual([['log'], ['watch']])
    expect(events).toEqual([{ event: 'reloaded', changed: ['log', 'watch'] }])
    await reloader.reload()
    expect(events.at(-1)).toEqual({ event: 'reloaded', changed: [] })
    expect(followed).toHaveLength(2)
  })

  it('follows the last of several that came during an incident', async () => {
    underway.take(loss(1))
    next = config({ watch: { poll: '2s' } })
    const first = reloader.reload()
    next = config({ sync: { channel: 'other' } })
    const second = reloader.reload()
    underway.take(healed(1))
    await Promise.all([first, second])
    expect(followed).toEqual([['sync']])
    expect(events).toEqual([{ event: 'reloaded', changed: ['sync'] }])
  })
})

describe('rekindle watch at SIGHUP', () => {
  const redis = useRedis()
  const { database } = useMarket()

  const file = (more: object = {}): string =>
    writeConfig({
      candles: { layout: anyLayout(), last: LAST },
      watch: { poll: '200ms' },
      http: { listen: false },
      ...more,
    })

  function eventsOf(running: Running, event: string): Record<string, unknown>[] {
    const lines = running.stdout.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((each) => each['event'] === event)
  }

  const untilCount = (running: Running, event: string, count: number): Promise<unknown> =>
    until(() => eventsOf(running, event).length >= count, { what: `${count} × ${event}` })

  async function connections(): Promise<string[]> {
    const list = String(await redis.cli('CLIENT', 'LIST'))
    return [...list.matchAll(/ name=(rekindle\S*)/g)].map(([, name = '']) => name).sort()
  }

  it('keeps a configuration that works, and follows another without dropping marks or keeping connections', async () => {
    const env = { REDIS_URL: redis.url, DATABASE_URL: database.url, REKINDLE_CONFIG: file() }
    const running = startRekindle(['watch'], env)
    await untilCount(running, 'watching', 1)
    const before = await redis.cli('HGETALL', 'rekindle:ready')
    const epoch = await redis.cli('GET', 'rekindle:epoch')
    const sessions = await connections()
    expect(sessions).toHaveLength(3)

    writeFileSync(env.REKINDLE_CONFIG, 'watch: { pol: 1s }\n')
    running.kill('SIGHUP')
    await untilCount(running, 'reload_failed', 1)
    expect(eventsOf(running, 'reload_failed')[0]).toMatchObject({
      level: 'error',
      reason: expect.stringMatching(/watch\.pol: unknown key; did you mean watch\.poll\?$/),
    })

    let seen = 0
    let looking = true
    const look = (async () => {
      for (; looking; seen++) {
        expect(await redis.cli('HGETALL', 'rekindle:ready')).toEqual(before)
        expect(await redis.cli('GET', 'rekindle:epoch')).toEqual(epoch)
      }
    })()
    file({ watch: { poll: '300ms' }, log: { level: 'debug' } })
    running.kill('SIGHUP')
    await untilCount(running, 'reloaded', 1)
    expect(eventsOf(running, 'reloaded')[0]).toMatchObject({ changed: ['log', 'watch'] })
    await untilCount(running, 'watching', 2)
    looking = false
    await look
    expect(seen).toBeGreaterThan(0)
    expect(eventsOf(running, 'suspicion').length).toBeGreaterThan(0)
    expect(eventsOf(running, 'data_loss')).toHaveLength(1)
    await until(async () => (await connections()).length === sessions.length)
    expect(await connections()).toEqual(sessions)

    await redis.cli('FLUSHALL')
    await untilCount(running, 'healed', 2)
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
  })
})

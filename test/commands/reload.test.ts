import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { writeManifest } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
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
    await underway.quiet({ incident: 20, work: 60_000 })
  })

  it('waits for a backup to its end, longer than for an incident, but not for ever', async () => {
    const underway = new Underway()
    underway.take(loss(1))
    const endOne = underway.begin()
    const quiet = underway.quiet({ incident: 1, work: 60_000 })
    const endOther = underway.begin()
    underway.reset()
    endOne()
    expect(await Promise.race([quiet, delay(50, 'not yet')])).toBe('not yet')
    endOther()
    await quiet
    underway.begin()
    await underway.quiet({ incident: 1, work: 20 })
  })

  it('does not cut off what has begun while it waited for an incident', async () => {
    const underway = new Underway()
    underway.take(loss(1))
    const quiet = underway.quiet({ incident: 20, work: 60_000 })
    const end = underway.begin()
    expect(await Promise.race([quiet, delay(60, 'not yet')])).toBe('not yet')
    end()
    await quiet
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

  it('goes on to wait with one that is good when a broken one comes', async () => {
    underway.take(loss(1))
    next = config({ watch: { poll: '2s' } })
    const good = reloader.reload()
    next = new ConfigError('rekindle.yaml: no')
    await reloader.reload()
    underway.take(healed(1))
    await good
    expect(followed).toEqual([['watch']])
    expect(events).toEqual([
      { event: 'reload_failed', reason: 'rekindle.yaml: no' },
      { event: 'reloaded', changed: ['watch'] },
    ])
  })

  it('takes back what was followed at once when the last of several wants so', async () => {
    underway.take(loss(1))
    next = config({ log: { level: 'debug' }, watch: { poll: '2s' } })
    const first = reloader.reload()
    next = config({ watch: { poll: '2s' } })
    const second = reloader.reload()
    expect(followed).toEqual([['log'], ['log']])
    underway.take(healed(1))
    await Promise.all([first, second])
    expect(followed.at(-1)).toEqual(['watch'])
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

  it('lets a backup that is under way come to its end', { timeout: 60_000 }, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'rekindle-reload-'))
    try {
      const [begun, go] = [join(dir, 'begun'), join(dir, 'go')]
      const after = ['sh', '-c', `touch ${begun}; while [ ! -e ${go} ]; do sleep 0.1; done`]
      const backup = { dir: join(dir, 'shelf'), schedule: '0 2 * * *', after }
      const env = { REDIS_URL: redis.url, DATABASE_URL: database.url, REKINDLE_CONFIG: file({ backup }) }
      await redis.cli('CONFIG', 'SET', 'repl-diskless-sync-delay', 0)
      const old = await takeBackup({
        config: config({ redis: { url: redis.url }, backup: { dir: backup.dir } }),
        signal: new AbortController().signal,
      })
      const { path, manifest } = old.backup
      await writeManifest({ path, manifest: { ...manifest, taken_at: '2026-01-02T03:04:05.000Z' } })
      const running = startRekindle(['watch'], env)
      // The last one is too old: that is made up for soon.
      await until(() => existsSync(begun), { what: 'a backup', timeout: 20_000 })
      const port = await freePort()
      file({ backup, watch: { poll: '300ms' }, http: { listen: `127.0.0.1:${port}` } })
      running.kill('SIGHUP')
      await until(() => fetch(`http://127.0.0.1:${port}/`).catch(() => undefined), { what: 'the page' })
      expect(eventsOf(running, 'reloaded')).toEqual([])
      writeFileSync(go, '')
      await untilCount(running, 'reloaded', 1)
      expect(eventsOf(running, 'backup')).toHaveLength(1)
      expect(eventsOf(running, 'backup_failed')).toEqual([])
      expect(readdirSync(backup.dir).filter((name) => name.endsWith('.rdb'))).toHaveLength(2)
      running.kill('SIGTERM')
      expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
      await redis.cli('FLUSHALL')
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })

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

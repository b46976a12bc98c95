import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Subject } from 'rxjs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readShelf } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
import type { Config } from '../../src/config/schema.js'
import { watchRecovery } from '../../src/daemon/recovery.js'
import type { LogEvent } from '../../src/report/events.js'
import { startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'
import { expectOneStorm } from '../support/told.js'

const keys = [{ match: 'sub:user:*', recovery: 'backup', impact: 'users lose paid quota' }]

describeLayouts('lost keys of the class backup', (layout) => {
  const redis = useRedis({ args: ['--repl-diskless-sync-delay', '0'] })
  const { database, install } = useMarket()
  let dir = ''

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'rekindle-recovery-'))
    await install()
    await redis.cli('FLUSHALL')
    for (let i = 0; i < 50; i++) await redis.cli('HSET', `sub:user:${i}`, 'plan', 'pro', 'left', i)
    await redis.cli('PEXPIRE', 'sub:user:1', 3_600_000)
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  function config(auto: boolean): Config {
    const more = { keys, backup: { dir }, recover: { auto } }
    return testConfig(redis.url, database.url, { layout, more })
  }

  async function backUp(): Promise<void> {
    await takeBackup({ config: config(false), signal: new AbortController().signal })
  }

  test('come back by themselves after an empty restart, with their time to live; what workers wrote meanwhile stays', async () => {
    const library = "#!lua name=mine\nredis.register_function('answer', function() return 42 end)"
    // Redis 6 knows no functions.
    const functions = await redis.cli('FUNCTION', 'LOAD', 'REPLACE', library).then(
      () => ['mine'],
      () => [],
    )
    await backUp()
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.kill()
      await redis.start()
      await redis.cli('HSET', 'sub:user:7', 'plan', 'new')
      const { incident, classes } = await daemon.next('data_loss')
      expect(classes.find(({ match }) => match === 'sub:user:*')?.comes_back).toContain('by itself')
      const recovered = await daemon.next('keys_recovered')
      expect(recovered).toMatchObject({ incident, keys: 49, kept: 1, functions })
      if (functions.length > 0) expect(await redis.cli('FCALL', 'answer', 0)).toBe(42)
      expect(await redis.cli('HGETALL', 'sub:user:9')).toEqual(['plan', 'pro', 'left', '9'])
      expect(await redis.cli('HGETALL', 'sub:user:7')).toEqual(['plan', 'new'])
      const left = Number(await redis.cli('PTTL', 'sub:user:1'))
      expect(left).toBeGreaterThan(3_000_000)
      expect(left).toBeLessThanOrEqual(3_600_000)
      expect(daemon.all('recover_failed')).toEqual([])
    } finally {
      daemon.stop()
    }
  })

  test('come back after the daemon was started too late to see them go', async () => {
    await backUp()
    await redis.cli('FLUSHALL')
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('data_loss')
      expect(await daemon.next('keys_recovered')).toMatchObject({ keys: 50, kept: 0 })
    } finally {
      daemon.stop()
    }
  })

  test('stay away where a part of them is still there, as somebody may have removed the others', async () => {
    await backUp()
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      for (let i = 0; i < 30; i++) await redis.cli('DEL', `sub:user:${i}`)
      await redis.cli('DEL', 'rekindle:epoch', ...((await redis.cli('KEYS', 'indicator:*')) as string[]))
      await daemon.next('data_loss')
      await daemon.next('healed')
      expect(daemon.all('keys_recovered')).toEqual([])
      expect(await redis.cli('EXISTS', 'sub:user:3')).toBe(0)
    } finally {
      daemon.stop()
    }
  })

  test('come back again and again, each time they are wiped out', async () => {
    await backUp()
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      for (let time = 0; time < 3; time++) {
        await redis.cli('FLUSHALL')
        expect(await daemon.next('keys_recovered')).toMatchObject({ keys: 50 })
      }
      // The second of two flushes takes what the recovery from the first has just brought back.
      const losses = (): number => daemon.all('data_loss').length + daemon.all('loss_joined').length
      const before = losses()
      await redis.cli('FLUSHALL')
      await until(() => losses() > before)
      await redis.cli('FLUSHALL')
      await until(
        async () => Number(await redis.cli('EXISTS', 'sub:user:3')) === 1 && daemon.all('keys_recovered').length >= 4,
      )
      expect(await redis.cli('HGET', 'sub:user:49', 'left')).toBe('49')
    } finally {
      daemon.stop()
    }
  })

  test('come back after a storm, however long it goes on', async () => {
    await backUp()
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      daemon.passOver()
      for (const end = Date.now() + 5_000; Date.now() < end; ) {
        await redis.cli('FLUSHALL')
        await new Promise((resolve) => setTimeout(resolve, 60))
      }
      await until(async () => ((await redis.cli('KEYS', 'sub:user:*')) as string[]).length === 50, { timeout: 20_000 })
      await until(() => (daemon.all('healed').at(-1)?.losses ?? 0) > 1, { timeout: 20_000 })
      await expectOneStorm(daemon)
      expect(await redis.cli('HGET', 'sub:user:49', 'left')).toBe('49')
      expect(daemon.all('recover_failed')).toEqual([])
    } finally {
      daemon.stop()
    }
  }, 60_000)

  test('come back after a flush though their workers have begun anew', async () => {
    await backUp()
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      const anew = Array.from({ length: 30 }, (_, i) => ['HSET', `sub:user:${i}`, 'plan', 'free'])
      await redis.cli(
        'EVAL',
        `redis.call('FLUSHALL') for i = 1, #ARGV do redis.call('HSET', ARGV[i], 'plan', 'free') end`,
        0,
        ...anew.map(([, key]) => String(key)),
      )
      expect(await daemon.next('keys_recovered')).toMatchObject({ keys: 20, kept: 30 })
      expect(await redis.cli('HGET', 'sub:user:3', 'plan')).toBe('free')
      expect(await redis.cli('HGET', 'sub:user:33', 'plan')).toBe('pro')
    } finally {
      daemon.stop()
    }
  })

  test('come from the backup where the moment before the flush cannot be rebuilt, which is said', async () => {
    await backUp()
    const dump = join(redis.dir, 'dump.rdb')
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      writeFileSync(dump, 'REDIS0010')
      await redis.cli('FLUSHALL')
      const { keys, file, passed_over: over } = await daemon.next('keys_recovered')
      expect({ keys, file }).toEqual({ keys: 50, file: (await readShelf(dir))[0]?.path })
      expect(over).toEqual([expect.stringContaining(dump)])
    } finally {
      daemon.stop()
      rmSync(dump)
    }
  })

  test('come from an older backup where the newest is damaged, or holds none of them', async () => {
    await backUp()
    await backUp()
    const [damaged] = await readShelf(dir)
    truncateSync(damaged?.path ?? '', 300)
    await redis.cli('DEL', ...((await redis.cli('KEYS', 'sub:*')) as string[]))
    await backUp()
    for (let i = 0; i < 50; i++) await redis.cli('HSET', `sub:user:${i}`, 'plan', 'new')
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.kill()
      await redis.start()
      const { file, passed_over: over } = await daemon.next('keys_recovered')
      expect(file).toBe((await readShelf(dir)).at(-1)?.path)
      expect(over).toEqual([expect.stringContaining(damaged?.path ?? '')])
      expect(await redis.cli('HGET', 'sub:user:3', 'plan')).toBe('pro')
    } finally {
      daemon.stop()
    }
  })

  test('are only spoken of unless the configuration says auto', async () => {
    const events = new Subject<LogEvent>()
    const watching = watchRecovery({ config: config(false), emit: () => undefined, events }).subscribe()
    expect(events.observed).toBe(false)
    watching.unsubscribe()
    await backUp()
    const daemon = startDaemon(config(false))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.cli('FLUSHALL')
      const { classes } = await daemon.next('data_loss')
      expect(classes.find(({ match }) => match === 'sub:user:*')?.comes_back).toContain("--match 'sub:user:*'")
    } finally {
      daemon.stop()
    }
  })

  test('a recovery that is cut off is told of, and tells when it begins and ends', async () => {
    await backUp()
    const events = new Subject<LogEvent>()
    const told: LogEvent[] = []
    let underway = 0
    const beginWork = () => {
      underway++
      return () => void underway--
    }
    const emit = (event: LogEvent) => void told.push(event)
    const watching = watchRecovery({ config: config(true), emit, events, beginWork }).subscribe()
    const lost = { match: 'sub:user:*', recovery: 'backup', keys_before: 50, keys_gone: 50 }
    events.next({ event: 'data_loss', cause: 'flush', incident: 7, classes: [lost] } as unknown as LogEvent)
    expect(underway).toBe(1)
    watching.unsubscribe()
    expect(underway).toBe(0)
    await until(() => told.length > 0)
    expect(told).toMatchObject([{ event: 'recover_failed', incident: 7, code: 'aborted' }])
  })

  test('without a backup: an alert that says so, and the heal goes on', async () => {
    const daemon = startDaemon(config(true))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.kill()
      await redis.start()
      await daemon.next('data_loss')
      expect(await daemon.next('recover_failed')).toMatchObject({ code: 'no_backup' })
      await daemon.next('healed')
    } finally {
      daemon.stop()
    }
  })
})

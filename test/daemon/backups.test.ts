import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readShelf, writeManifest } from '../../src/backup/shelf.js'
import { type Config, configSchema } from '../../src/config/schema.js'
import { Backups } from '../../src/daemon/backups.js'
import type { BeginWork } from '../../src/daemon/work.js'
import { Conditions } from '../../src/report/conditions.js'
import type { LogEvent } from '../../src/report/events.js'
import { until, useRedis } from '../support/servers.js'

const DAY = 86_400_000

describe('backups of the daemon', () => {
  const redis = useRedis({ modules: false, args: ['--repl-diskless-sync-delay', '0'] })
  let dir = ''
  let events: LogEvent[] = []

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'rekindle-backups-'))
    events = []
    await redis.cli('SET', 'sub:user:1', 'pro')
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  function open(backup: object = { schedule: '0 2 * * *' }, url = redis.url, beginWork?: BeginWork): Backups {
    const keys = [{ match: 'sub:*', recovery: 'backup' }]
    const config: Config = configSchema.parse({
      redis: { url },
      keys,
      backup: { dir: join(dir, 'shelf'), ...backup },
    })
    const db = { query: () => Promise.reject(new Error('PostgreSQL is away')) }
    const conditions = new Conditions((e) => events.push(e))
    return new Backups({
      config,
      conditions,
      truth: { db, datasets: [], readSymbols: async () => [] },
      emit: (e) => events.push(e),
      ...(beginWork && { beginWork }),
    })
  }

  const signal = (): AbortSignal => new AbortController().signal
  const named = <Name extends LogEvent['event']>(name: Name) =>
    events.filter((event): event is Extract<LogEvent, { event: Name }> => event.event === name)

  test('are taken, copied away by the command, proved, and told of', async () => {
    const copy = join(dir, 'copy.rdb')
    const backups = open({ after: ['cp', '{file}', copy] })
    await backups.backUp(signal())
    const [taken] = named('backup')
    expect(taken).toMatchObject({ keys: 1, checked: 'ok', removed: [] })
    expect(readFileSync(copy)).toEqual(readFileSync(taken?.file ?? ''))
    expect(named('backup_failed')).toEqual([])
    expect(backups.newest?.path).toBe(taken?.file)
    await backups.prove(backups.newest, signal())
    expect(named('drill')).toMatchObject([{ file: taken?.file, keys: 1 }])
    expect(named('backups_seen').at(-1)).toMatchObject({ count: 1, last_proof_ok: true })
  })

  test('a folder that cannot be read is told, and not taken for an empty one', async () => {
    const backups = open({})
    await backups.backUp(signal())
    const { newest, preferred } = backups
    expect(preferred).toBeDefined()
    const seen = named('backups_seen').length
    renameSync(join(dir, 'shelf'), join(dir, 'elsewhere'))
    writeFileSync(join(dir, 'shelf'), '')
    const watching = backups.watch(10).subscribe()
    try {
      await until(() => named('degraded').length > 0)
      expect(named('degraded')).toMatchObject([
        { what: 'backups', code: 'bad_folder', reason: `${join(dir, 'shelf')}: it is no folder` },
      ])
      expect(backups).toMatchObject({ facts: undefined, newest, preferred, isReadable: false })
      expect(named('backups_seen')).toHaveLength(seen)
      rmSync(join(dir, 'shelf'))
      renameSync(join(dir, 'elsewhere'), join(dir, 'shelf'))
      await until(() => named('recovered').length > 0)
      await until(() => backups.facts)
      expect(backups.isReadable).toBe(true)
    } finally {
      watching.unsubscribe()
    }
  })

  test('a command that fails is an alert, and the backup stays', async () => {
    const backups = open({ after: ['false'] })
    await backups.backUp(signal())
    expect(named('backup_failed')).toMatchObject([{ stage: 'after', code: 'command_failed' }])
    expect(named('backup')).toHaveLength(1)
  })

  test('a bad backup fails its drill', async () => {
    const backups = open()
    await backups.backUp(signal())
    const file = backups.newest?.path ?? ''
    writeFileSync(file, readFileSync(file).subarray(0, -9))
    await backups.prove(backups.newest, signal())
    expect(named('backup_failed')).toMatchObject([{ stage: 'drill', code: 'bad_backup' }])
    expect(backups.newest).toBeUndefined()
  })

  test('one that is cut off is an alert, and tells when it begins and ends', async () => {
    const begun = join(dir, 'begun')
    let underway = 0
    const beginWork = () => {
      underway++
      return () => void underway--
    }
    const backups = open({ after: ['sh', '-c', `touch ${begun}; sleep 60`] }, redis.url, beginWork)
    const cut = new AbortController()
    const work = backups.backUp(cut.signal)
    await until(() => existsSync(begun))
    expect(underway).toBe(1)
    cut.abort()
    await work
    expect(underway).toBe(0)
    expect(named('backup_failed')).toMatchObject([{ stage: 'take', code: 'aborted' }])
  })

  test('what will not pass is told once and not tried again', async () => {
    const backups = open({}, redis.url.replace('redis://', 'redis://user:wrong@'))
    await backups.backUp(signal())
    expect(named('backup_failed')).toMatchObject([{ stage: 'take', code: 'redis_refused' }])
    expect(JSON.stringify(events)).not.toContain('wrong@')
  })

  test('one that was missed is taken soon, and what is too old goes', async () => {
    const backups = open({ schedule: '0 2 * * *', keep: { last: 1, days: 1 } })
    await backups.backUp(signal())
    const [old] = await readShelf(join(dir, 'shelf'))
    if (!old) throw new Error('there is no backup')
    const takenAt = new Date(Date.now() - 3 * DAY).toISOString()
    await writeManifest({ path: old.path, manifest: { ...old.manifest, taken_at: takenAt } })
    const watching = backups.watch(50).subscribe()
    try {
      await until(() => named('backup').length === 2)
      expect(named('backup').at(-1)?.removed).toEqual([old.path])
      // Then it is proved, too: none ever was.
      await until(() => named('drill').length === 1)
      expect(readdirSync(join(dir, 'shelf')).filter((name) => name.endsWith('.rdb'))).toHaveLength(1)
    } finally {
      watching.unsubscribe()
    }
  })

  test('without a schedule the daemon only looks', async () => {
    const backups = open({})
    const watching = backups.watch(20).subscribe()
    try {
      await until(() => named('backups_seen').length >= 3)
      expect(backups.facts).toMatchObject({ scheduled: false })
      expect(named('backup')).toEqual([])
    } finally {
      watching.unsubscribe()
    }
  })
})

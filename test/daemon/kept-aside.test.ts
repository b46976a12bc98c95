import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import { takeBackup } from '../../src/backup/take.js'
import type { Config } from '../../src/config/schema.js'
import { writeConfig } from '../commands/rekindle.js'
import { startDaemon, testConfig, untilWhole, useMarket } from '../support/daemon.js'
import { until, useRedis } from '../support/servers.js'

const keys = [{ match: 'sub:user:*', recovery: 'backup' }]

describe.each([
  ['append-only file', ['--appendonly', 'yes', '--appendfsync', 'everysec'], 'aof'],
  ['snapshots only', ['--save', '3600 1000000'], 'rdb'],
] as const)('a Redis with %s whose data directory is at hand', (_, args, what) => {
  const redis = useRedis({ modules: false, args: [...args, '--repl-diskless-sync-delay', '0'] })
  const { database, install } = useMarket()
  const dir = mkdtempSync(join(tmpdir(), 'rekindle-kept-'))
  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  function config(): Config {
    return testConfig(redis.url, database.url, { more: { keys, backup: { dir }, recover: { auto: true } } })
  }

  test('is brought back to the moment before a FLUSHALL rather than to the backup of the night', async () => {
    await install()
    await redis.cli('HSET', 'sub:user:1', 'left', 10)
    await takeBackup({ config: config(), signal: new AbortController().signal })
    await redis.cli('HSET', 'sub:user:1', 'left', 3)
    // The process that sent the backup may not have ended yet.
    const save = () => redis.cli('SAVE').then(Boolean, () => false)
    if (what === 'rdb') await until(save)
    const daemon = startDaemon(config())
    try {
      await daemon.next('counted', ({ whole }) => whole)
      if (what === 'rdb') await until(() => daemon.events.some(({ event }) => event === 'kept_aside'))
      await redis.cli('FLUSHALL')
      const { incident } = await daemon.next('data_loss')
      const recovered = await daemon.next('keys_recovered')
      expect(recovered).toMatchObject({ incident, keys: 1 })
      expect(recovered.file).not.toContain(dir)
      expect(await redis.cli('HGET', 'sub:user:1', 'left')).toBe('3')
      expect(daemon.all('kept_aside').some((event) => event.what === what)).toBe(true)
      await untilWhole(redis.url, database, 'sortedset')
      expect(daemon.all('recover_failed')).toEqual([])
    } finally {
      daemon.stop()
    }
  })
})

/** Runs the program where nothing can be watched; the system may not let us make such a place. */
const NOTHING_WATCHED = [
  '--user',
  '--map-root-user',
  'sh',
  '-c',
  'echo 0 > /proc/sys/user/max_inotify_instances; exec "$@"',
  'sh',
]
const canForbid = spawnSync('unshare', [...NOTHING_WATCHED, 'true']).status === 0
if (!canForbid)
  console.warn('unshare --user is not to be had: the test of a data directory that cannot be watched is SKIPPED.')

describe('a data directory that cannot be watched', () => {
  const redis = useRedis({ modules: false, args: ['--save', '3600 1000000'] })

  test.skipIf(!canForbid)('is looked at now and then, which is told', async () => {
    await redis.cli('SET', 'sub:user:1', 'paid')
    await redis.cli('SAVE')
    const config = writeConfig({ candles: false, indicators: false, keys })
    const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
    const args = [...NOTHING_WATCHED, process.execPath, program, 'watch', '--config', config]
    const daemon = spawn('unshare', args, {
      env: { PATH: process.env['PATH'], REDIS_URL: redis.url, DATABASE_URL: 'postgres://127.0.0.1:1/none' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let log = ''
    daemon.stdout.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    try {
      const told = await until(() => log.split('\n').find((line) => line.includes('"what":"ratchet"')))
      expect(JSON.parse(told)).toMatchObject({
        event: 'degraded',
        reason: expect.stringMatching(
          /cannot be watched \(EMFILE\): a snapshot that Redis replaces within 5 s is not kept/,
        ),
        hint: expect.stringContaining('fs.inotify.max_user_instances'),
      })
      await until(() => log.includes('"event":"kept_aside"'))
    } finally {
      daemon.kill('SIGKILL')
    }
  })
})

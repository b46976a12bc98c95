import { chownSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readShelf, writeManifest } from '../../src/backup/shelf.js'
import { takeBackup } from '../../src/backup/take.js'
import { configSchema } from '../../src/config/schema.js'
import { useRedis } from '../support/servers.js'

const NOBODY = 65_534

describe.skipIf(process.getuid?.() !== 0)('a backup that root takes into the folder of a service', () => {
  const redis = useRedis({ modules: false, args: ['--repl-diskless-sync-delay', '0'] })
  let dir = ''
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'rekindle-owner-'))
    chownSync(dir, NOBODY, NOBODY)
  })
  afterEach(() => rmSync(dir, { recursive: true, force: true }))

  test('belongs to the service, also after its manifest was written again', async () => {
    await redis.cli('SET', 'a', 1)
    const config = configSchema.parse({ redis: { url: redis.url }, backup: { dir } })
    await takeBackup({ config, signal: new AbortController().signal })
    const [backup] = await readShelf(dir)
    if (backup) await writeManifest(backup)
    const owners = readdirSync(dir).map((name) => [
      statSync(join(dir, name)).uid,
      statSync(join(dir, name)).mode & 0o777,
    ])
    expect(owners).toEqual([
      [NOBODY, 0o600],
      [NOBODY, 0o600],
    ])
  })
})

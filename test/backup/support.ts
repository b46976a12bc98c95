import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { RunningRedis } from '../../lab/redis.js'
import type { Manifest } from '../../src/backup/manifest.js'
import { type RdbKey, readRdbKeys } from '../../src/backup/rdb-keys.js'
import { type Config, configSchema } from '../../src/config/schema.js'

const folders: string[] = []

/** An empty folder that is gone after the test file. */
export function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'rekindle-backup-'))
  folders.push(made)
  return made
}

afterAll(() => {
  for (const each of folders.splice(0)) rmSync(each, { recursive: true, force: true })
})

/** A configuration with a Redis and a folder of backups. */
export function configFor(url: string, dir: string, more: Record<string, unknown> = {}): Config {
  const { backup, ...rest } = more
  return configSchema.parse({ redis: { url }, ...rest, backup: { dir, ...(backup as object) } })
}

/** Begins to send a snapshot at once, instead of waiting for other replicas. */
export const AT_ONCE = ['--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0']

/** A signal that never aborts. */
export const unhurried = (): AbortSignal => new AbortController().signal

/** The names in a folder, sorted. */
export const namesIn = (dir: string): string[] => readdirSync(dir).sort()

/** Every key of an RDB file. */
export async function keysOf(path: string): Promise<RdbKey[]> {
  const keys: RdbKey[] = []
  for await (const batch of readRdbKeys(path)) keys.push(...batch)
  return keys
}

/** A manifest as of a backup with some keys. */
export function manifestOf(change: Partial<Manifest> = {}): Manifest {
  return {
    version: 1,
    kind: 'rdb',
    source: '127.0.0.1:6379',
    database: 0,
    run_id: 'f627409d20725c0d091ba50a0c7fbec1c11ce772',
    redis_version: '7.0.15',
    taken_at: '2026-11-20T08:30:15.123Z',
    took_ms: 40,
    bytes: 3,
    sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    checked: 'ok',
    modules: [],
    keys: {
      total: 10,
      expiring: 0,
      databases: { 0: 10 },
      classes: [{ match: null, recovery: null, keys: 10, expiring: 0 }],
    },
    proof: null,
    ...change,
  }
}

/** Fills a Redis with values that do not compress, and makes it send each key of a snapshot with a delay. */
export async function makeSlow(redis: RunningRedis, keys = 100): Promise<void> {
  await redis.cli('EVAL', RANDOM, 0, keys, 40_000)
  await redis.cli('CONFIG', 'SET', 'rdb-key-save-delay', 20_000)
}

/** ARGV: keys, bytes of each. */
const RANDOM = `
for i = 1, tonumber(ARGV[1]) do
  local parts = {}
  for j = 1, tonumber(ARGV[2]) / 4 do parts[j] = struct.pack('I4', math.random(0, 2^31 - 1)) end
  redis.call('SET', 'random:' .. i, table.concat(parts))
end`

import { rm } from 'node:fs/promises'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { Trouble } from '../errors.js'
import { copyAof, hashAof } from './aof-copy.js'
import { findAof } from './aof-place.js'
import { withoutRewrites } from './aof-rewrites.js'
import { checkAof } from './check.js'
import { unfinishedName } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import { backupName, place } from './place.js'
import { readStory } from './server-story.js'
import { ensureSpace } from './space.js'
import type { Taken } from './take.js'
import { prepareFolder } from './tidy.js'

export interface TakeAofOptions {
  readonly config: Config
  readonly signal: AbortSignal
}

/**
 * Copies the append-only file out of the server's data directory, where that is at hand, to a folder `redis-….aof` in which Redis
 * can start. Rewrites are off meanwhile, so that no file is replaced under the copy; that is the recipe of Redis' own documentation.
 * Rejects with a Trouble, or with the signal's reason; earlier backups are untouched then.
 */
export async function takeAofBackup({ config, signal }: TakeAofOptions): Promise<Taken> {
  const { dir } = config.backup
  const startedAt = steadyTime()
  await prepareFolder(dir, startedAt)
  signal.throwIfAborted()
  const { source, database, info, modules, warnings } = await readStory(config.redis.url)
  const unfinished = unfinishedName(backupName(dir, startedAt, 'aof'))
  try {
    const copy = await copyUnchanged(config, unfinished, signal)
    const { checked, warnings: more } = await checkAof(copy.entry, signal)
    const backup = await place(unfinished, {
      version: 1,
      kind: 'aof',
      source,
      database,
      run_id: info.get('run_id') ?? null,
      redis_version: info.get('redis_version') ?? null,
      taken_at: new Date(startedAt).toISOString(),
      took_ms: steadyTime() - startedAt,
      bytes: copy.bytes,
      sha256: await hashAof(unfinished, signal),
      checked,
      modules,
      keys: null,
      proof: null,
    })
    return { backup, warnings: [...warnings, ...more] }
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    signal.throwIfAborted()
    throw folderTrouble(error, dir)
  }
}

/** Copies it, and makes sure that it is still made of the same files: somebody may have asked for a rewrite by hand. */
function copyUnchanged(
  { redis: { url }, backup: { dir } }: Config,
  to: string,
  signal: AbortSignal,
): ReturnType<typeof copyAof> {
  return withoutRewrites({ url, dir, signal }, async (wire) => {
    const found = await findAof(wire)
    const needed = found.files.reduce((sum, { bytes }) => sum + bytes, 0)
    await ensureSpace(dir, needed)
    const copy = await copyAof(found, to, signal).catch((error) => Promise.reject(folderTrouble(error, dir)))
    const now = await findAof(wire)
    if (now.files.map(({ path }) => path).join() === found.files.map(({ path }) => path).join()) return copy
    throw new Trouble('redis_busy', 'the append-only file was rewritten while it was copied', 'take it again', true)
  })
}

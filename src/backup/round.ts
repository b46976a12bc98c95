import { resolve } from 'node:path'
import type { Config } from '../config/schema.js'
import { secretsOf } from '../config/secrets.js'
import { Trouble } from '../errors.js'
import { runAfter } from './after.js'
import { takeAofBackup } from './aof.js'
import { putRewritesBack } from './aof-rewrites.js'
import { pruneBackups } from './prune.js'
import type { Backup } from './shelf.js'
import { type Taken, type TakeOptions, takeBackup } from './take.js'

/** What a round of backing up came to; its RDB was taken, whatever else went wrong. */
export interface Round {
  readonly taken: readonly Taken[]
  /** Those that retention removed. */
  readonly removed: readonly Backup[]
  readonly troubles: readonly Trouble[]
}

export interface RoundOptions extends TakeOptions {
  /** A backup is in its place; what is to come after it may still be ended. */
  readonly onTaken?: (taken: Taken) => void
}

/**
 * Takes a backup and all that belongs to it: the copy of the append-only file if `config.backup.aof`, the user's command for each,
 * and retention. Rejects if not even the RDB could be taken; then nothing is removed either.
 */
export async function backUp(options: RoundOptions): Promise<Round> {
  const { config, signal } = options
  const { dir, keep, after, aof } = config.backup
  const secrets = secretsOf(config, process.env)
  const troubles: Trouble[] = []
  const attempt = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Trouble)) throw error
      troubles.push(error)
      return undefined
    }
  }
  // First of all, for a copy of ours that was killed: until then the append-only file grows without end.
  const putBack = await attempt(putRewritesBack({ url: config.redis.url, dir }))
  const first = await takeBackup(options)
  const warnings = putBack === undefined ? [] : [rewritesWereOff(putBack)]
  const taken: Taken[] = []
  const add = (each: Taken): void => {
    taken.push(each)
    options.onTaken?.(each)
  }
  add({ ...first, warnings: [...first.warnings, ...warnings] })
  const copy = aof ? await attempt(takeAofBackup(options)) : undefined
  if (copy) add(copy)
  for (const { backup } of taken) await attempt(runAfter(after, backup, { signal, secrets }))
  // Also where the command has failed: it is an alert by itself, and a full disk would end all backups.
  const pruned = await attempt(pruneBackups({ dir, url: config.redis.url, keep }))
  return { taken, removed: pruned?.removed ?? [], troubles }
}

function rewritesWereOff(value: string): string {
  return `auto-aof-rewrite-percentage was still 0 from a copy of the append-only file that was killed, and is ${value} again`
}

/** The configuration with another folder, as a full name, and with or without a copy of the append-only file. */
export function withBackup(config: Config, change: { dir?: string | undefined; aof?: boolean | undefined }): Config {
  const { dir = config.backup.dir, aof = config.backup.aof } = change
  return { ...config, backup: { ...config.backup, dir: resolve(dir), aof } }
}

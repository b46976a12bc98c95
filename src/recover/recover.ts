import { serverName } from '../config/redact.js'
import { connectRedis } from '../redis/connect.js'
import { redisTrouble } from '../redis/trouble.js'
import { checkSum } from './check-sum.js'
import type { Chosen } from './choose-backup.js'
import { type Contents, readContents } from './contents.js'
import { type Copied, copyKeys, ensureRoomFor } from './copy-keys.js'
import { type BroughtFunctions, bringFunctions, NO_FUNCTIONS } from './functions.js'
import { type RestoredRules, restoreRules } from './series-rules.js'
import { startThrowaway } from './throwaway.js'

export interface RecoverOptions {
  /** The URL of the live Redis. */
  readonly url: string
  /** May be asked more than once about a key. */
  readonly select: (key: Buffer) => boolean
  /** Told once of each key of the backup, chosen or not. */
  readonly onKey?: (key: Buffer) => void
  /** Which libraries of functions are brought back, too: none unless given; `if_none`, where the live Redis has lost all of its own. */
  readonly functions?: 'all' | 'if_none'
  readonly replace: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal
  /** How much of the backup is read to be compared with its sha256, from 0 to 1. */
  readonly onChecking?: (share: number) => void
  /** How much of the backup is loaded, from 0 to 1. */
  readonly onLoading?: (share: number) => void
  /** What was copied so far, and how much of the backup has been gone through. */
  readonly onCopying?: (soFar: Copied, share: number) => void
}

/** What came of it: the keys, the compaction rules of those that are time series, and functions; and what else the backup holds. */
export interface Recovered extends Copied {
  readonly rules: RestoredRules
  readonly functions: BroughtFunctions
  readonly contents: Contents
}

/**
 * Brings chosen keys from a backup into the live Redis, from and to the database of its URL. Rejects with a Trouble,
 * `bad_backup` where another backup may do, or with the signal's reason; what was brought back until then stays.
 */
export async function recoverKeys(backup: Chosen, options: RecoverOptions): Promise<Recovered> {
  const { url, select, onKey, functions, replace, dryRun, signal, onChecking, onLoading, onCopying } = options
  const database = await askDatabase(url)
  await checkSum(backup, { signal, ...(onChecking && { onProgress: onChecking }) })
  const throwaway = await startThrowaway(backup.source, { signal, ...(onLoading && { onProgress: onLoading }) })
  const ends = { from: throwaway.socket, to: url, database, signal }
  try {
    const contents = await readContents(throwaway.socket, database)
    if (!dryRun) await ensureRoomFor({ ...ends, select })
    // Before the keys: whoever finds these may call them.
    const brought = functions
      ? await bringFunctions(contents.libraries, { to: url, replace, dryRun, onlyIfNone: functions === 'if_none' })
      : NO_FUNCTIONS
    const copied = await copyKeys({
      ...ends,
      select: (key) => {
        onKey?.(key)
        return select(key)
      },
      replace,
      dryRun,
      ...(onCopying && { onProgress: onCopying }),
    })
    return { ...copied, rules: await restoreRules({ ...ends, copied, select, dryRun }), functions: brought, contents }
  } finally {
    await throwaway.close()
  }
}

/** The database of the URL. Before anything is booted we know that the live Redis can be reached. */
async function askDatabase(url: string): Promise<number> {
  try {
    const redis = await connectRedis(url, 'rekindle-recover')
    try {
      await redis.ping().catch((error: Error) => {
        if (!error.message.startsWith('NOPERM')) throw error
      })
      return redis.options.db ?? 0
    } finally {
      redis.disconnect()
    }
  } catch (error) {
    throw redisTrouble(error, serverName(url))
  }
}

import { serverName } from '../config/redact.js'
import { connectRedis } from '../redis/connect.js'
import { redisTrouble } from '../redis/trouble.js'
import type { Chosen } from './choose-backup.js'
import { type Copied, copyKeys } from './copy-keys.js'
import { startThrowaway } from './throwaway.js'

export interface RecoverOptions {
  /** The URL of the live Redis. */
  readonly url: string
  readonly select: (key: Buffer) => boolean
  readonly replace: boolean
  readonly dryRun: boolean
  readonly signal: AbortSignal
  /** How much of the backup is loaded, from 0 to 1. */
  readonly onLoading?: (share: number) => void
  /** What was copied so far, and how much of the backup has been gone through. */
  readonly onCopying?: (soFar: Copied, share: number) => void
}

/**
 * Brings chosen keys from a backup into the live Redis, from and to the database of its URL. Rejects with a Trouble, or with the
 * signal's reason; what was brought back until then stays.
 */
export async function recoverKeys(backup: Chosen, options: RecoverOptions): Promise<Copied> {
  const { url, select, replace, dryRun, signal, onLoading, onCopying } = options
  const database = await askDatabase(url)
  const throwaway = await startThrowaway(backup.source, { signal, ...(onLoading && { onProgress: onLoading }) })
  try {
    return await copyKeys({
      from: throwaway.socket,
      to: url,
      database,
      select,
      replace,
      dryRun,
      signal,
      ...(onCopying && { onProgress: onCopying }),
    })
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

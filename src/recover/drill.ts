import { existsSync } from 'node:fs'
import { folderTrouble } from '../backup/folder-trouble.js'
import type { KeyCounts, Proof } from '../backup/manifest.js'
import { type Backup, writeManifest } from '../backup/shelf.js'
import { classifier } from '../decide/classes.js'
import { Trouble } from '../errors.js'
import type { KeyClass } from '../model.js'
import { connectRedis } from '../redis/connect.js'
import { isUnchanged } from './check-sum.js'
import { compareCounts } from './compare-counts.js'
import { countKeys } from './count-keys.js'
import { postgresShares, type Share, type Truth } from './postgres-share.js'
import { sourceOf } from './source.js'
import { startThrowaway, type Throwaway } from './throwaway.js'

export interface DrillOptions {
  /** What PostgreSQL wants, for the classes that it can rebuild; undefined: not compared. */
  readonly truth: Truth | undefined
  readonly signal: AbortSignal
  /** How much is read to be compared with its sha256, from 0 to 1. */
  readonly onChecking?: (share: number) => void
  /** How much is loaded, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** What came of a drill: the proof is also in the backup's manifest from now on. */
export interface Drill {
  readonly backup: Backup
  readonly proof: Proof
  /** Dataset by dataset; empty if they were not compared. */
  readonly shares: readonly Share[]
  /** What does not make the backup bad, such as a PostgreSQL that is away. */
  readonly remarks: readonly string[]
}

type Result = Omit<Drill, 'backup'>

/**
 * Boots a backup in a server of its own, compares what it holds with its manifest and with PostgreSQL, and records the proof. Rejects
 * with a Trouble where nothing can be said about the backup (no redis-server, too little memory), or with the signal's reason.
 */
export async function drill(backup: Backup, options: DrillOptions): Promise<Drill> {
  const { signal, onChecking } = options
  // A file that is not the one that was taken is bad, whether it boots or not.
  const result = (await isUnchanged(backup, { signal, ...(onChecking && { onProgress: onChecking }) }))
    ? await bootAndCount(backup, options)
    : bad('it is not what was taken: its sha256 is another')
  const proved = { path: backup.path, manifest: { ...backup.manifest, proof: result.proof } }
  return { backup: proved, ...result, remarks: [...result.remarks, ...(await record(proved))] }
}

/** Writes the proof beside the backup; says so if it cannot be. */
async function record(proved: Backup): Promise<string[]> {
  // It may have been removed meanwhile; a manifest without its backup would be worse than no proof.
  if (!existsSync(proved.path)) return []
  try {
    await writeManifest(proved)
    return []
  } catch (error) {
    return [`the proof could not be recorded: ${folderTrouble(error, proved.path).message}`]
  }
}

async function bootAndCount(backup: Backup, options: DrillOptions): Promise<Result> {
  let throwaway: Throwaway
  try {
    throwaway = await startThrowaway(sourceOf(backup), options)
  } catch (error) {
    options.signal.throwIfAborted()
    if (error instanceof Trouble && error.code === 'bad_backup') return bad(error.message)
    throw error
  }
  try {
    return await count(throwaway, backup, options)
  } finally {
    await throwaway.close()
  }
}

async function count(throwaway: Throwaway, { manifest }: Backup, { truth, signal }: DrillOptions): Promise<Result> {
  const { keys: counted, database } = manifest
  const redis = await connectRedis(throwaway.socket, 'rekindle-drill')
  try {
    if (database > 0) await redis.select(database)
    const held = await countKeys(redis, classifier(classesOf(counted)), signal)
    const differences = counted ? compareCounts(counted, held) : []
    const proof = {
      at: new Date().toISOString(),
      ok: differences.length === 0,
      took_ms: throwaway.took_ms,
      keys: held.total,
      redis_version: throwaway.version,
      differences,
    }
    if (!truth) return { proof, shares: [], remarks: [] }
    try {
      return { proof, shares: await postgresShares(redis, truth, signal), remarks: [] }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof Trouble)) throw error
      return { proof, shares: [], remarks: [`not compared with PostgreSQL: ${error.message}`] }
    }
  } finally {
    redis.disconnect()
  }
}

/** The classes as they were when the backup was taken, since they are what it was counted by. */
function classesOf(counted: KeyCounts | null): KeyClass[] {
  return (counted?.classes ?? []).flatMap(({ match, recovery }) => (match && recovery ? [{ match, recovery }] : []))
}

function bad(difference: string): Result {
  const proof = {
    at: new Date().toISOString(),
    ok: false,
    took_ms: 0,
    keys: 0,
    redis_version: '',
    differences: [difference],
  }
  return { proof, shares: [], remarks: [] }
}

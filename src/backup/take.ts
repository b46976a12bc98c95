import { rm } from 'node:fs/promises'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { checkRdb } from './check.js'
import { unfinishedName } from './files.js'
import { backupName, place } from './place.js'
import { infoNumber, readStory } from './server-story.js'
import { type Backup, newestGood, ofServer, readShelf } from './shelf.js'
import { takeSnapshot } from './snapshot.js'
import { ensureSpace, estimateBytes } from './space.js'
import { prepareFolder } from './tidy.js'
import { vanished } from './vanished.js'

export interface TakeOptions {
  /** Of it: where Redis is, the folder, and the classes of keys. */
  readonly config: Config
  readonly signal: AbortSignal
  /** The bytes of the snapshot that have come, and of how many if the server told; else of about how many, 0 if nobody knows. */
  readonly onProgress?: (bytes: number, total: number | undefined, estimate: number) => void
  /** All has come, and is now read and checked. */
  readonly onCheck?: () => void
  /** For how long the server may say nothing, in ms; 60 s unless given. */
  readonly silence?: number
}

/** A backup that was taken, and what the user should know about it. */
export interface Taken {
  readonly backup: Backup
  readonly warnings: readonly string[]
}

/**
 * Takes an RDB of the Redis over the network into the folder of the backups: checked, with its manifest, and complete or not there
 * at all. Rejects with a Trouble, or with the signal's reason; earlier backups are untouched then.
 */
export async function takeBackup({ config, signal, onProgress, onCheck, silence }: TakeOptions): Promise<Taken> {
  const { url } = config.redis
  const { dir } = config.backup
  await prepareFolder(dir, Date.now())
  signal.throwIfAborted()
  const earlier = ofServer(await readShelf(dir), url).filter(({ manifest }) => manifest.kind === 'rdb')
  const story = await readStory(url)
  const dataset = infoNumber(story.info, 'used_memory_dataset')
  const estimate = estimateBytes(earlier[0]?.manifest.bytes, dataset)
  await ensureSpace(dir, estimate)
  const begun = steadyTime()
  const unfinished = unfinishedName(backupName(dir, begun, 'rdb'))
  try {
    const { bytes, sha256 } = await takeSnapshot({
      url,
      path: unfinished,
      signal,
      ...(onProgress && { onProgress: (done, total) => onProgress(done, total, estimate) }),
      ...(silence !== undefined && { silence }),
    })
    onCheck?.()
    const { database, modules, source, info } = story
    const { checked, keys, warnings } = await checkRdb(unfinished, { classes: classesOf(config), database, signal })
    const backup = await place(unfinished, {
      version: 1,
      kind: 'rdb',
      source,
      database,
      run_id: info.get('run_id') ?? null,
      redis_version: info.get('redis_version') ?? null,
      taken_at: new Date(begun).toISOString(),
      took_ms: steadyTime() - begun,
      bytes,
      sha256,
      checked,
      modules,
      keys,
      proof: null,
    })
    // The classes are about one database: those of another say nothing of it.
    const before = newestGood(earlier.filter(({ manifest }) => manifest.database === database))
    const lost = before ? vanished(before.manifest, backup.manifest) : []
    return { backup, warnings: [...story.warnings, ...warnings, ...lost] }
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

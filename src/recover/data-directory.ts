import { realpath, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { checkRdb } from '../backup/check.js'
import { folderTrouble } from '../backup/folder-trouble.js'
import { sayBytes } from '../backup/space.js'
import { Trouble } from '../errors.js'
import { checkSum } from './check-sum.js'
import type { Chosen } from './choose-backup.js'
import { removeDeadAttempts } from './dead-attempts.js'
import { checkUnused } from './directory-users.js'
import { asideName } from './find-aof.js'
import { type Layout, layOut } from './layout.js'
import { putInPlace } from './put-in-place.js'
import { writePieces } from './write-pieces.js'

export interface PrepareOptions {
  readonly dir: string
  readonly backup: Chosen
  /** The URL of the Redis that must not be using the directory. */
  readonly redisUrl: string
  readonly signal: AbortSignal
  /** How much is copied, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** A directory in which a server will start with the backup. Names are full. */
export interface Prepared {
  readonly dir: string
  /** What a server with `appendonly no` loads, under each name that it may want; none where the backup is an append-only file. */
  readonly snapshots: readonly string[]
  /** What one with `appendonly yes` loads. */
  readonly aof: string
  /** Where lies what stood there before; undefined if there was nothing. */
  readonly aside: string | undefined
  /** What one should know about the backup, a sentence each. */
  readonly warnings: readonly string[]
  /** True if the directory belongs to another user, whose server may not be able to read our files. */
  readonly isForeign: boolean
}

/**
 * Prepares the data directory of a stopped server, so that it starts with a backup whether it keeps an append-only file or not. What
 * stood there is moved aside, at the very end and as a whole. Rejects with a Trouble, or with the signal's reason; then all is as it was.
 */
export async function prepareDirectory({ dir: named, ...options }: PrepareOptions): Promise<Prepared> {
  const { redisUrl, signal } = options
  try {
    const dir = await realpath(named)
    const { uid, ...kind } = await stat(dir).then((stats) => ({ uid: stats.uid, isDirectory: stats.isDirectory() }))
    if (!kind.isDirectory) throw new Trouble('bad_folder', `${dir}: it is no folder`, 'name a folder', false)
    await checkUnused(dir, redisUrl)
    const layout = await layOut(dir, options.backup)
    const warnings = await checkUnknown(options.backup, signal)
    await removeDeadAttempts(dir)
    await checkRoom(dir, layout)
    const aside = join(dir, asideName(new Date()))
    await fill(dir, layout, aside, options)
    return {
      dir,
      snapshots: layout.snapshots.map((name) => join(dir, name)),
      aof: join(dir, layout.aof),
      aside: layout.old.length > 0 ? aside : undefined,
      warnings,
      isForeign: ![0, uid].includes(process.getuid?.() ?? 0),
    }
  } catch (error) {
    signal.throwIfAborted()
    throw folderTrouble(error, named)
  }
}

async function fill(dir: string, layout: Layout, aside: string, options: Omit<PrepareOptions, 'dir'>): Promise<void> {
  const { backup, redisUrl, signal, onProgress } = options
  const total = await sizeOf(layout)
  let bytes = 0
  const onBytes = (more: number): void => {
    bytes += more
    onProgress?.(total > 0 ? Math.min(1, bytes / total) : 1)
  }
  const written = await writePieces(dir, layout.pieces, { signal, onBytes })
  try {
    await checkSum(backup, { signal, known: written.hashes })
    // It took a while; the server may have been started.
    await checkUnused(dir, redisUrl)
    signal.throwIfAborted()
    await putInPlace(dir, { ready: written.ready, old: layout.old.map((name) => join(dir, name)), aside })
  } catch (error) {
    for (const { unfinished } of written.ready) await rm(unfinished, { recursive: true, force: true })
    throw error
  }
}

/** Of a file that nobody has described we know only what reading it tells; its sha256 proves any other while it is copied. */
async function checkUnknown({ path, manifest, source }: Chosen, signal: AbortSignal): Promise<readonly string[]> {
  if (manifest || source.kind !== 'rdb') return []
  return (await checkRdb(path, { classes: [], database: 0, signal })).warnings
}

async function checkRoom(dir: string, layout: Layout): Promise<void> {
  const { bavail, bsize } = await statfs(dir)
  const [free, needed] = [bavail * bsize, await sizeOf(layout)]
  if (free >= needed) return
  throw new Trouble(
    'no_space',
    `${dir}: ${sayBytes(free)} are free, and it takes ${sayBytes(needed)}`,
    'free some space; nothing was changed',
    true,
  )
}

async function sizeOf({ pieces }: Layout): Promise<number> {
  const sizes = await Promise.all(pieces.map(async ({ from }) => (from === undefined ? 0 : (await stat(from)).size)))
  return sizes.reduce((sum, size) => sum + size, 0)
}

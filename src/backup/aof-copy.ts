import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, open, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type AofFile, formatAofManifest } from '../recover/aof-files.js'
import { type AofCommand, readAof } from '../recover/aof-reader.js'
import type { FoundAof } from './aof-place.js'
import { syncFolder } from './files.js'
import { hashFile, hashFolder } from './hash.js'

/** A copy of an append-only file. */
export interface AofCopy {
  /** The file that redis-check-aof reads, and Redis first: its manifest, or the single file of Redis 6. */
  readonly entry: string
  readonly bytes: number
}

/**
 * Copies an append-only file to a new folder, laid out as in a data directory, in which Redis can start. Where the file system can,
 * blocks are shared instead of copied. The last file grows meanwhile: a command of which only a part was caught is cut off.
 * Rejects with the error of the file system, or with the signal's reason.
 */
export async function copyAof({ files, manifest, place }: FoundAof, to: string, signal: AbortSignal): Promise<AofCopy> {
  await mkdir(to, { mode: 0o700 })
  const home = manifest === undefined ? to : join(to, place.folder ?? '')
  if (home !== to) await mkdir(home, { mode: 0o700 })
  let bytes = 0
  for (const file of files) {
    signal.throwIfAborted()
    const copy = join(home, basename(file.path))
    await copyFile(file.path, copy, constants.COPYFILE_FICLONE)
    await chmod(copy, 0o600)
    if (file === files.at(-1)) await cutTail(copy, file, signal)
    bytes += await syncFile(copy)
  }
  let entry = join(home, place.name)
  if (manifest !== undefined) {
    entry += '.manifest'
    await writeFile(entry, formatAofManifest(files), { mode: 0o600, flag: 'wx' })
    await syncFile(entry)
    await syncFolder(home)
  }
  await syncFolder(to)
  return { entry, bytes }
}

/** Cuts off a last command, or a transaction without its EXEC, that was not caught whole. */
async function cutTail(path: string, { type }: AofFile, signal: AbortSignal): Promise<void> {
  // The single file of Redis 6 may begin with an RDB: Redis itself cuts its end where it loads it.
  if (type !== 'incr') return
  let open: number | undefined
  const visitor = {
    command: (name: AofCommand, offset: number): void => {
      if (name === 'multi') open = offset
      else if (name === 'exec') open = undefined
    },
    time: (): void => undefined,
  }
  const { end, rest } = await readAof(path, visitor, { signal })
  if (rest !== 'damaged' && (rest === 'cut short' || open !== undefined)) await truncate(path, open ?? end)
}

async function syncFile(path: string): Promise<number> {
  const file = await open(path, 'r')
  try {
    await file.sync()
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}

/** The sha256 of an AOF backup, in hex; see {@link hashFolder}. */
export function hashAof(dir: string, signal?: AbortSignal): Promise<string> {
  return hashFolder(dir, (path) => hashFile(path, { ...(signal && { signal }) }))
}

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { folderTrouble } from '../backup/folder-trouble.js'
import { hashFile, hashFolder } from '../backup/hash.js'
import type { Manifest } from '../backup/manifest.js'
import { Trouble } from '../errors.js'

/** A backup, described or not. */
export interface Summed {
  readonly path: string
  readonly manifest: Pick<Manifest, 'kind' | 'sha256'> | undefined
}

export interface SumOptions {
  readonly signal: AbortSignal
  /** How much is read, from 0 to 1. */
  readonly onProgress?: (share: number) => void
  /** Sums that are known already, in hex, by the full name of the file. */
  readonly known?: ReadonlyMap<string, string>
}

/** Rejects with a Trouble `bad_backup` if a backup is not what was taken. Of one without a manifest nothing is known. */
export async function checkSum(backup: Summed, options: SumOptions): Promise<void> {
  if (await isUnchanged(backup, options)) return
  throw new Trouble(
    'bad_backup',
    `${backup.path}: it is not what was taken: its sha256 is another`,
    'use another backup: rekindle backup list',
    false,
  )
}

/** Whether a backup is what was taken, by the sha256 in its manifest. Rejects with a Trouble, or with the signal's reason. */
export async function isUnchanged({ path, manifest }: Summed, options: SumOptions): Promise<boolean> {
  if (!manifest) return true
  const { signal, known } = options
  try {
    const onBytes = await byteProgress(path, options)
    const hashOf = async (file: string): Promise<string> => known?.get(file) ?? hashFile(file, { signal, onBytes })
    return (await (manifest.kind === 'rdb' ? hashOf(path) : hashFolder(path, hashOf))) === manifest.sha256
  } catch (error) {
    signal.throwIfAborted()
    throw folderTrouble(error, path)
  }
}

async function byteProgress(path: string, { onProgress }: SumOptions): Promise<(bytes: number) => void> {
  if (!onProgress) return () => undefined
  const total = await sizeOf(path)
  let read = 0
  return (bytes) => {
    read += bytes
    onProgress(total > 0 ? Math.min(1, read / total) : 1)
  }
}

async function sizeOf(path: string): Promise<number> {
  const stats = await stat(path)
  if (!stats.isDirectory()) return stats.size
  const names = await readdir(path, { recursive: true })
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, name))).size))
  return sizes.reduce((sum, size) => sum + size, 0)
}

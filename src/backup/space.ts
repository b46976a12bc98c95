import { statfs } from 'node:fs/promises'
import { Trouble } from '../errors.js'
import { folderTrouble } from './folder-trouble.js'

/**
 * The share of `used_memory_dataset` that an RDB is expected to take. Large values that do not compress come near 1, small keys with
 * small values near 1/5, for each key costs 50 to 90 bytes in memory that the file does not need. A half refuses no backup that
 * would have fitted by far, and what is missed is met as a full disk, which leaves nothing behind either.
 */
const SHARE = 0.5

/** How many bytes the next backup may take: like the newest one and a tenth more, or what the data in memory suggests. */
export function estimateBytes(newestBackup: number | undefined, datasetMemory: number | undefined): number {
  return Math.ceil(Math.max((newestBackup ?? 0) * 1.1, (datasetMemory ?? 0) * SHARE))
}

/** Rejects with a Trouble `no_space` if fewer bytes are free in the folder's file system than will be needed. */
export async function ensureSpace(dir: string, needed: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir).catch((error) => Promise.reject(folderTrouble(error, dir)))
  const free = bavail * bsize
  if (free >= needed) return
  throw new Trouble(
    'no_space',
    `${dir}: ${sayBytes(free)} are free, and the backup may need ${sayBytes(needed)}`,
    'free some space, lower backup.keep, or name another folder; earlier backups are untouched',
    true,
  )
}

/** 1234567 -> `1.2 MB`. */
export function sayBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)))
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`
}

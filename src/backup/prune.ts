import { expendable } from '../decide/retention.js'
import { type Backup, ofServer, readShelf } from './shelf.js'
import { removeBackup } from './tidy.js'

export interface PruneOptions {
  readonly dir: string
  /** Of the Redis whose backups they are; those of others in the same folder are not looked at. */
  readonly url: string
  readonly keep: { readonly last: number; readonly days: number }
  /** Name them only. */
  readonly dryRun?: boolean
}

/**
 * Removes the backups of a Redis that are no longer to be kept, the oldest first, and returns them and those of it that stay. Rejects
 * with a Trouble.
 */
export async function pruneBackups({
  dir,
  url,
  keep,
  dryRun = false,
}: PruneOptions): Promise<{ removed: Backup[]; kept: Backup[] }> {
  const backups = ofServer(await readShelf(dir), url)
  const manifests = backups.map(({ manifest }) => manifest)
  const goes = new Set(expendable(manifests, keep, Date.now()))
  const removed = backups.filter(({ manifest }) => goes.has(manifest)).reverse()
  if (!dryRun) for (const backup of removed) await removeBackup(backup)
  return { removed, kept: backups.filter(({ manifest }) => !goes.has(manifest)) }
}

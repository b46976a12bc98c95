import { expendable } from '../decide/retention.js'
import { type Backup, readShelf } from './shelf.js'
import { removeBackup } from './tidy.js'

export interface PruneOptions {
  readonly dir: string
  readonly keep: { readonly last: number; readonly days: number }
  /** Name them only. */
  readonly dryRun?: boolean
}

/** Removes the backups that are no longer to be kept, the oldest first, and returns them and those that stay. Rejects with a Trouble. */
export async function pruneBackups({
  dir,
  keep,
  dryRun = false,
}: PruneOptions): Promise<{ removed: Backup[]; kept: Backup[] }> {
  const backups = await readShelf(dir)
  const manifests = backups.map(({ manifest }) => manifest)
  const goes = new Set(expendable(manifests, keep, Date.now()))
  const removed = backups.filter(({ manifest }) => goes.has(manifest)).reverse()
  if (!dryRun) for (const backup of removed) await removeBackup(backup)
  return { removed, kept: backups.filter(({ manifest }) => !goes.has(manifest)) }
}

import { chmod, link, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { giveToOwner, isThere, syncFolder, unfinishedName } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import type { Manifest } from './manifest.js'
import { type Backup, manifestPath } from './shelf.js'

/** The full name of a backup of a kind that was begun at a time, in epoch ms: `redis-20261120T083015123Z.rdb`. */
export function backupName(dir: string, at: number, kind: Manifest['kind']): string {
  return join(dir, `redis-${new Date(at).toISOString().replace(/[-:.]/g, '')}.${kind}`)
}

/**
 * Gives what was written under an unfinished name its own, and then its manifest, which makes it a backup. Where another has taken
 * the name, it is named as if begun a little later. Rejects with a Trouble.
 */
export async function place(unfinished: string, manifest: Manifest): Promise<Backup> {
  const dir = dirname(unfinished)
  try {
    await chmod(unfinished, manifest.kind === 'aof' ? 0o700 : 0o600)
    await giveToOwner(unfinished, dir)
    for (let at = Date.parse(manifest.taken_at); ; at++) {
      const path = backupName(dir, at, manifest.kind)
      if (await placeAt(path, unfinished, manifest)) return { path, manifest }
    }
  } catch (error) {
    throw folderTrouble(error, dir)
  }
}

/** The manifest lies ready, whole and synced, before the first renaming, so that a crash between the two can be completed. */
async function placeAt(path: string, unfinished: string, manifest: Manifest): Promise<boolean> {
  if (await isThere(manifestPath(path))) return false
  const ready = unfinishedName(manifestPath(path))
  try {
    const file = await open(ready, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await giveToOwner(ready, dirname(path))
    if (!(await claim(path, unfinished, manifest.kind))) return false
    await rename(ready, manifestPath(path)).catch(async (error) => {
      await rm(path, { recursive: true, force: true })
      throw error
    })
    await syncFolder(dirname(path))
    return true
  } finally {
    await rm(ready, { force: true })
  }
}

/** Renames it unless the name is taken: two backups may have begun in the same millisecond, and renaming alone would replace the other. */
async function claim(path: string, unfinished: string, kind: Manifest['kind']): Promise<boolean> {
  try {
    if (kind === 'aof') await mkdir(path, { mode: 0o700 })
    else await link(unfinished, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // Not every file system knows links: then that nobody has the name now must do.
    if (kind === 'aof' || (await isThere(path))) throw error
  }
  // Also where it is linked already, which leaves two names for it; an empty folder is replaced.
  await rename(unfinished, path)
  if (kind === 'rdb') await rm(unfinished, { force: true })
  return true
}

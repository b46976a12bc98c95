import { chmod, lstat, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder, unfinishedName } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import type { Manifest } from './manifest.js'
import { type Backup, manifestPath } from './shelf.js'

/** The full name of a backup that was begun at a time: `redis-20261120T083015123Z.rdb`, or a later one if that is taken. */
export async function freeName(dir: string, at: number, suffix: string): Promise<string> {
  for (let time = at; ; time++) {
    const path = join(dir, `redis-${new Date(time).toISOString().replace(/[-:.]/g, '')}${suffix}`)
    if (!(await lstat(path).catch(() => undefined))) return path
  }
}

/**
 * Gives what was written under an unfinished name its own, and then its manifest, which makes it a backup. The manifest lies ready,
 * whole and synced, before the first renaming, so that a crash between the two can be completed. Rejects with a Trouble.
 */
export async function place(unfinished: string, path: string, manifest: Manifest): Promise<Backup> {
  const ready = unfinishedName(manifestPath(path))
  try {
    const file = await open(ready, 'wx', 0o600)
    try {
      await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await chmod(unfinished, manifest.kind === 'aof' ? 0o700 : 0o600)
    await rename(unfinished, path)
    await rename(ready, manifestPath(path))
    await syncFolder(dirname(path))
    return { path, manifest }
  } catch (error) {
    await rm(ready, { force: true })
    throw folderTrouble(error, path)
  }
}

import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Trouble } from '../errors.js'
import { ifThere, syncFolder, unfinishedFiles, unfinishedName } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import { type Backup, manifestPath } from './shelf.js'

/** From when on something unfinished belongs to nobody any more, in ms: no attempt is silent for as long. */
const DEAD = 24 * 3600_000
/** From when on a manifest that lies ready was left by somebody who died; it is renamed at once otherwise. */
const LEFT = 60_000
/** `.unfinished-` and 12 hex digits stand before the name. */
const UNFINISHED = /^\.unfinished-[0-9a-f]{12}-(.+)$/

/** Makes the folder of the backups ready: creates it, open to nobody else, if its parent is there, and clears up after the dead. */
export async function prepareFolder(dir: string, now: number): Promise<void> {
  try {
    await mkdir(dir, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
    if (!(await stat(dir)).isDirectory())
      throw new Trouble('bad_folder', `${dir}: it is no folder`, 'name a folder', false)
    await tidy(dir, now)
  } catch (error) {
    throw folderTrouble(error, dir)
  }
}

/**
 * Completes backups that lack only the renaming of their manifest, and removes what is unfinished for more than a day. What else
 * lies in the folder is not ours to judge.
 */
async function tidy(dir: string, now: number): Promise<void> {
  const names = new Set(await readdir(dir))
  for (const path of await unfinishedFiles(dir)) {
    // What is gone meanwhile has been cleared up by another.
    const { mtimeMs } = (await ifThere(stat(path))) ?? { mtimeMs: now }
    const name = UNFINISHED.exec(basename(path))?.[1] ?? ''
    const lacksIt = name.endsWith('.json') && names.has(name.slice(0, -'.json'.length)) && !names.has(name)
    if (lacksIt && now - mtimeMs > LEFT) await rename(path, join(dir, name)).catch(ignoreGone)
    else if (now - mtimeMs > DEAD) await rm(path, { recursive: true, force: true })
  }
}

/**
 * Removes a backup. Its manifest goes first, for without it nothing takes the file for a backup; but it is only renamed, so that
 * after a crash here {@link prepareFolder} makes it whole again. The file then leaves by renaming, too: a folder of which half is
 * removed never bears a backup's name.
 */
export async function removeBackup({ path }: Pick<Backup, 'path'>): Promise<void> {
  try {
    const [manifest, file] = [unfinishedName(manifestPath(path)), unfinishedName(path)]
    await rename(manifestPath(path), manifest).catch(ignoreGone)
    await rename(path, file).catch(ignoreGone)
    await syncFolder(join(path, '..'))
    // Had somebody completed it in between, the manifest would now stand alone.
    for (const gone of [file, manifest, manifestPath(path)]) await rm(gone, { recursive: true, force: true })
  } catch (error) {
    throw folderTrouble(error, path)
  }
}

/** Somebody else was faster. */
function ignoreGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

/** Files that are there whole or not at all: written under another name, synced, and renamed. */

import { randomBytes } from 'node:crypto'
import { lchown, lstat, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Files that were never finished begin so; nothing takes them for anything else. */
const UNFINISHED = '.unfinished-'

/** A name in the same folder for a file that is still being written. */
export function unfinishedName(path: string): string {
  return join(dirname(path), `${UNFINISHED}${randomBytes(6).toString('hex')}-${basename(path)}`)
}

/** What is asked of a file or folder; undefined where there is none of that name. Rejects where that cannot be told. */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked
  } catch (error) {
    if (/^(ENOENT|ENOTDIR)$/.test((error as NodeJS.ErrnoException).code ?? '')) return undefined
    throw error
  }
}

/** True if anything has that name, also a link that leads nowhere. Rejects where that cannot be told. */
export async function isThere(path: string): Promise<boolean> {
  return (await ifThere(lstat(path))) !== undefined
}

/** Gives a finished, synced file its name, for good: the folder is synced, too. */
export async function finish(unfinished: string, path: string): Promise<void> {
  await rename(unfinished, path)
  await syncFolder(dirname(path))
}

/** Gives a file or folder that root has written to the owner of the folder it is in: a service of lesser rights must read it, too. */
export async function giveToOwner(path: string, dir: string): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(dir)
  if (uid === 0) return
  for (const name of (await ifThere(readdir(path, { recursive: true }))) ?? []) await lchown(join(path, name), uid, gid)
  await lchown(path, uid, gid)
}

/** Writes a small file of mode 0600, whole or not at all. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const unfinished = unfinishedName(path)
  try {
    const file = await open(unfinished, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await giveToOwner(unfinished, dirname(path))
    await finish(unfinished, path)
  } catch (error) {
    await rm(unfinished, { force: true })
    throw error
  }
}

/** Makes renames and removals in a folder last through a crash. */
export async function syncFolder(dir: string): Promise<void> {
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** What was never finished, in a folder. */
export async function unfinishedFiles(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.startsWith(UNFINISHED)).map((name) => join(dir, name))
}

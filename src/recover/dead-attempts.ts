import { rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { ifThere, unfinishedFiles, unfinishedName } from '../backup/files.js'

/** From when on something unfinished belongs to nobody, whoever has its number now, in ms: no attempt takes as long. */
const DEAD = 24 * 3600_000
/** `.unfinished-`, 12 hex digits, and `for` with the number of the process that writes it stand before the name. */
const OWNER = /^\.unfinished-[0-9a-f]{12}-for(\d+)-/

/** A name in the same folder for what is still being written, which tells by whom. */
export function ownUnfinishedName(path: string): string {
  return unfinishedName(join(dirname(path), `for${process.pid}-${basename(path)}`))
}

/** Removes what attempts left unfinished in a data directory that were killed. Rejects with the error of the file system. */
export async function removeDeadAttempts(dir: string): Promise<void> {
  for (const path of await unfinishedFiles(dir)) {
    const owner = OWNER.exec(basename(path))?.[1]
    if (owner !== undefined && (await isDead(Number(owner), path))) await rm(path, { recursive: true, force: true })
  }
}

async function isDead(owner: number, path: string): Promise<boolean> {
  // In a container we may well get the number of the one before us; we ourselves have written nothing yet.
  if (owner === process.pid || !isAlive(owner)) return true
  // Gone meanwhile: then there is nothing to remove.
  const { mtimeMs } = (await ifThere(stat(path))) ?? { mtimeMs: Date.now() }
  return Date.now() - mtimeMs > DEAD
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It is there, but another user's.
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

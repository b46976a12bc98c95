import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, readlink, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'

/** What is still being made, in the folder of what is kept, begins so. */
export const UNFINISHED = '.new-'
/** What nobody has touched for so long nobody works on, in ms; and how often one who works on it touches it. */
const LONGEST = 3_600_000
const TOUCHED = 60_000

/** The name of something that this process begins to make: whether that is still alive, others can see by it. */
export async function unfinishedName(prefix = UNFINISHED): Promise<string> {
  return `${prefix}${await world()}-${process.pid}-${randomBytes(6).toString('hex')}`
}

/** Shows that something is being worked on, until the returned function is called. */
export function keepTouching(path: string): () => void {
  const touch = (): void => {
    const now = new Date()
    // It may be finished and gone.
    utimes(path, now, now).catch(() => undefined)
  }
  const timer = setInterval(touch, TOUCHED)
  timer.unref()
  return () => clearInterval(timer)
}

/** Removes what was never finished, but for what is still being made. Where we may not, it stays. */
export async function sweepUnfinished(home: string, prefix = UNFINISHED): Promise<void> {
  // A folder that cannot be read is told of by whoever works in it; to sweep it is a courtesy.
  const names = (await readdir(home).catch(() => [])).filter((name) => name.startsWith(prefix))
  const here = await world()
  await Promise.all(
    names.map(async (name) => {
      const path = join(home, name)
      const [, where, pid] = /^([0-9a-f]+)-(\d+)-/.exec(name.slice(prefix.length)) ?? []
      const isOver = (where === here && !isAlive(Number(pid))) || (await isOld(path))
      // Another's, or taken away by another meanwhile.
      if (isOver) await rm(path, { recursive: true, force: true }).catch(() => undefined)
    }),
  )
}

async function isOld(path: string): Promise<boolean> {
  // Gone meanwhile.
  const { ctimeMs } = await stat(path).catch(() => ({ ctimeMs: Date.now() }))
  return ctimeMs < Date.now() - LONGEST
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    // It is there, but another user's, unless there is none.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Where a number means one process: this boot of this machine, and this container; all 0 where that is not known. */
async function world(): Promise<string> {
  try {
    const parts = [readFile('/proc/sys/kernel/random/boot_id', 'utf8'), readlink('/proc/self/ns/pid')]
    const text = (await Promise.all(parts)).join()
    return createHash('sha256').update(text).digest('hex').slice(0, 12)
  } catch {
    // Then only its age tells whether something is still being made.
    return ''.padEnd(12, '0')
  }
}

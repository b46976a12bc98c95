import { mkdir, rename, rmdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { syncFolder } from '../backup/files.js'
import { Trouble } from '../errors.js'

/** Something that was written under an unfinished name, and what it is to be called. */
export interface Ready {
  readonly unfinished: string
  readonly path: string
}

/**
 * Moves what stands in a directory aside and gives what is ready its names, both or neither: where that fails, what was moved is put
 * back. Rejects with the error of the file system, or with a Trouble where that fails as well.
 */
export async function putInPlace(
  dir: string,
  { ready, old, aside }: { readonly ready: readonly Ready[]; readonly old: readonly string[]; readonly aside: string },
): Promise<void> {
  const undo: (() => Promise<unknown>)[] = []
  const move = async (from: string, to: string): Promise<void> => {
    await rename(from, to)
    undo.push(() => rename(to, from))
  }
  try {
    if (old.length > 0) {
      await mkdir(aside, { mode: 0o700 })
      undo.push(() => rmdir(aside))
    }
    for (const path of old) await move(path, join(aside, basename(path)))
    for (const { unfinished, path } of ready) await move(unfinished, path)
    if (old.length > 0) await syncFolder(aside)
    await syncFolder(dir)
  } catch (error) {
    const left: unknown[] = []
    for (const step of undo.reverse()) await step().catch((failure: unknown) => left.push(failure))
    throw left.length === 0 ? error : halfway(dir, aside, [error, ...left])
  }
}

function halfway(dir: string, aside: string, errors: readonly unknown[]): Trouble {
  const why = errors.map((error) => (error as Error).message).join('; ')
  const hint = `before the server is started, look at ${dir}: what is missing there is in ${aside}, or is called .unfinished-…`
  return new Trouble(
    'bad_folder',
    `${dir}: neither could the backup be put in place nor all be put back: ${why}`,
    hint,
    false,
  )
}

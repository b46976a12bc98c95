import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { folderTrouble } from './folder-trouble.js'
import { manifestPath, readBackup } from './shelf.js'

/** Something with a manifest that says nothing to us: no backup as far as we know, but nothing that may be removed, either. */
export interface Unreadable {
  readonly path: string
  /** What is the matter with its manifest. */
  readonly why: string
}

/** Names as backups have them. */
const NAME = /^[^.].*\.(rdb|aof)$/

/** What lies in a folder as a backup does, but with a manifest that cannot be read, by name; none if there is no such folder. */
export async function findUnreadable(dir: string): Promise<Unreadable[]> {
  try {
    const all = new Set(await readdir(dir))
    const names = [...all].filter((name) => NAME.test(name) && all.has(manifestPath(name))).sort()
    const found = await Promise.all(names.map((name) => examine(join(dir, name))))
    return found.filter((each) => each !== undefined)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw folderTrouble(error, dir)
  }
}

async function examine(path: string): Promise<Unreadable | undefined> {
  if (await readBackup(path)) return undefined
  try {
    const manifest: unknown = JSON.parse(await readFile(manifestPath(path), 'utf8'))
    const version = isObject(manifest) ? manifest['version'] : undefined
    const isNewer = typeof version === 'number' && version > 1
    return { path, why: isNewer ? `its manifest is of a newer Rekindle (version ${version})` : BROKEN }
  } catch (error) {
    // It was removed meanwhile.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    if (error instanceof SyntaxError) return { path, why: 'its manifest is no JSON' }
    throw error
  }
}

const BROKEN = 'its manifest does not say what a manifest should'

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Trouble } from '../errors.js'
import type { AofPlace } from './aof-files.js'

const MANIFEST = '.manifest'
/** `appenddirname` and `appendfilename` of a Redis to which nothing else was said. */
export const DEFAULT_FOLDER = 'appendonlydir'
export const DEFAULT_NAME = 'appendonly.aof'

/**
 * Where a data directory keeps its append-only file, whatever it is called there: of several parts with a manifest, or the single one
 * of Redis 6. Where copies stand beside it, the usual name counts. Undefined if there is none. Rejects with a Trouble where there is no
 * telling which, and with the error of the file system.
 */
export async function findAofPlace(dir: string): Promise<AofPlace | undefined> {
  const entries = await readdir(dir, { withFileTypes: true })
  const homes = new Map<string, string[]>()
  for (const entry of entries) {
    if (!entry.isDirectory() || isAside(entry.name)) continue
    const names = await readdir(join(dir, entry.name)).catch((error) => unlessForeign(error, entry.name))
    const manifests = names.filter(isManifest)
    if (manifests.length > 0) homes.set(entry.name, manifests)
  }
  const folder = only(dir, [...homes.keys()], DEFAULT_FOLDER)
  if (folder !== undefined) {
    const manifest = only(join(dir, folder), homes.get(folder) ?? [], DEFAULT_NAME + MANIFEST)
    if (manifest !== undefined) return { dir, folder, name: manifest.slice(0, -MANIFEST.length) }
  }
  const singles = entries.filter((entry) => entry.isFile() && /^(?!temp-|\.).*\.aof$/.test(entry.name))
  const names = singles.map(({ name }) => name)
  const name = only(dir, names, DEFAULT_NAME)
  return name === undefined ? undefined : { dir, folder: undefined, name }
}

/** The name of a folder into which we move what stood in a data directory. */
export function asideName(at: Date): string {
  return `before-recover-${at.toISOString().replace(/[-:.]/g, '')}`
}

/** The usual one of several; to take one that the server does not read would leave it with what it has. */
function only(dir: string, names: readonly string[], usual: string): string | undefined {
  if (names.length <= 1) return names[0]
  if (names.includes(usual)) return usual
  throw new Trouble(
    'bad_folder',
    `${dir}: no telling which of ${[...names].sort().join(', ')} is the append-only file`,
    'leave only the one that the server reads (appenddirname, appendfilename), and move copies elsewhere',
    false,
  )
}

/** What is closed to us is somebody else's, such as lost+found, unless it has the usual name; or it has gone meanwhile. */
function unlessForeign(error: NodeJS.ErrnoException, name: string): string[] {
  if (name !== DEFAULT_FOLDER && /^(EACCES|EPERM|ENOENT)$/.test(error.code ?? '')) return []
  throw error
}

function isManifest(name: string): boolean {
  return name.endsWith(MANIFEST) && !name.startsWith('temp')
}

function isAside(name: string): boolean {
  return name.startsWith('before-recover-') || name.startsWith('.')
}

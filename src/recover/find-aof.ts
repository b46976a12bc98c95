import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { AofPlace } from './aof-files.js'

const MANIFEST = '.manifest'

/**
 * Where a data directory keeps its append-only file, whatever it is called there: of several parts with a manifest, or the single one
 * of Redis 6. Undefined if there is none, or no telling which. Rejects with the error of the file system.
 */
export async function findAofPlace(dir: string): Promise<AofPlace | undefined> {
  const entries = await readdir(dir, { withFileTypes: true })
  for (const entry of entries) {
    if (!entry.isDirectory() || isAside(entry.name)) continue
    const names = await readdir(join(dir, entry.name)).catch(() => [])
    const manifest = names.find((name) => name.endsWith(MANIFEST) && !name.startsWith('temp'))
    if (manifest) return { dir, folder: entry.name, name: manifest.slice(0, -MANIFEST.length) }
  }
  const single = entries.filter(({ name }) => name.endsWith('.aof') && !name.startsWith('temp-'))
  return single.length === 1 && single[0] ? { dir, folder: undefined, name: single[0].name } : undefined
}

/** The name of a folder into which we move what stood in a data directory. */
export function asideName(at: Date): string {
  return `before-recover-${at.toISOString().replace(/[-:.]/g, '')}`
}

function isAside(name: string): boolean {
  return name.startsWith('before-recover-') || name.startsWith('.')
}

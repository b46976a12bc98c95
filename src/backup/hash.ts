import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'

export interface HashOptions {
  readonly signal?: AbortSignal
  /** Told the bytes that were read. */
  readonly onBytes?: (bytes: number) => void
}

/** The sha256 of a file, in hex. Rejects with the error of the file system, or when the signal aborts. */
export async function hashFile(path: string, { signal, onBytes }: HashOptions = {}): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, ...(signal && { signal }) })) {
    hash.update(chunk as Buffer)
    onBytes?.((chunk as Buffer).length)
  }
  return hash.digest('hex')
}

/**
 * The sha256 of a folder, in hex: that of lines `<sha256 of the file>  <its name in the folder>`, sorted by name, as sha256sum prints
 * them. `hashOf` gives those of its files, in hex.
 */
export async function hashFolder(dir: string, hashOf: (path: string) => Promise<string>): Promise<string> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const list = createHash('sha256')
  for (const name of paths.map((path) => relative(dir, path)).sort())
    list.update(`${await hashOf(join(dir, name))}  ${name}\n`)
  return list.digest('hex')
}

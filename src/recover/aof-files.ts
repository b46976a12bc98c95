import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ifThere } from '../backup/files.js'

/** One file of an append-only file, in the order in which Redis reads them. */
export interface AofFile {
  /** Its full name. */
  readonly path: string
  readonly type: 'base' | 'incr'
  readonly seq: number
  /** Which file of the disk it is: two names with the same number are one file. */
  readonly inode: number
  readonly bytes: number
}

/** An append-only file of one or of several parts. */
export interface Aof {
  readonly files: readonly AofFile[]
  /** The text of the manifest; undefined for the single file of Redis 6. */
  readonly manifest: string | undefined
}

/** Where Redis keeps it, as CONFIG GET tells. */
export interface AofPlace {
  /** `dir`, or a folder that takes its place. */
  readonly dir: string
  /** `appenddirname`; undefined before Redis 7. */
  readonly folder: string | undefined
  /** `appendfilename`. */
  readonly name: string
}

const TYPES: Readonly<Record<string, AofFile['type']>> = { b: 'base', i: 'incr' }

/** Reads which files make up the append-only file; undefined if there is none. Rejects with the error of the file system. */
export async function readAofFiles({ dir, folder, name }: AofPlace): Promise<Aof | undefined> {
  const home = folder === undefined ? dir : join(dir, folder)
  const manifest = folder === undefined ? undefined : await ifThere(readFile(join(home, `${name}.manifest`), 'utf8'))
  if (manifest === undefined) {
    const whole = await ifThere(describe({ path: join(dir, name), type: 'base', seq: 1 }))
    return whole && { files: [whole], manifest }
  }
  const listed = parseAofManifest(manifest)
  const files = await Promise.all(listed.map(({ file, ...rest }) => describe({ path: join(home, file), ...rest })))
  return { files, manifest }
}

/**
 * Whether these can be the files of a server whose INFO told an `aof_current_size` of `least` just before they were looked at, and of
 * `most` just after. It leaves the empty base out that is made when a server first starts, until that is started or rewritten again.
 */
export function isOfSize({ files, manifest }: Aof, least: number, most: number): boolean {
  const isFirst = ({ type, seq }: AofFile): boolean => manifest !== undefined && type === 'base' && seq === 1
  const sum = (parts: readonly AofFile[]): number => parts.reduce((total, { bytes }) => total + bytes, 0)
  return [files, files.filter((file) => !isFirst(file))].map(sum).some((size) => size >= least && size <= most)
}

/** The base and the increments of a manifest, in order; what is history is left out. */
export function parseAofManifest(text: string): { file: string; type: AofFile['type']; seq: number }[] {
  return text.split('\n').flatMap((line) => {
    const words: readonly string[] = line.match(/"(?:[^"\\]|\\.)*"|\S+/g) ?? []
    const value = (name: string): string | undefined => words[words.indexOf(name) + 1]
    const type = TYPES[value('type') ?? '']
    if (line.startsWith('#') || words[0] !== 'file' || !type) return []
    return [{ file: basename(unquote(words[1] ?? '')), type, seq: Number(value('seq')) }]
  })
}

/** The manifest of Redis for these files, which lie beside it. */
export function formatAofManifest(files: readonly Pick<AofFile, 'path' | 'type' | 'seq'>[]): string {
  return files.map(({ path, type, seq }) => `file ${quote(basename(path))} seq ${seq} type ${type[0]}\n`).join('')
}

async function describe(file: Pick<AofFile, 'path' | 'type' | 'seq'>): Promise<AofFile> {
  const { ino, size } = await stat(file.path)
  return { ...file, inode: ino, bytes: size }
}

/** Redis quotes a name with blanks or quotes in it. */
function quote(name: string): string {
  return /[\s"\\]/.test(name) ? `"${name.replace(/["\\]/g, '\\$&')}"` : name
}

function unquote(word: string): string {
  return word.startsWith('"') ? word.slice(1, -1).replace(/\\(.)/g, '$1') : word
}

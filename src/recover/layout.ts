import { readdir, realpath } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { isThere } from '../backup/files.js'
import { folderTrouble } from '../backup/folder-trouble.js'
import { Trouble } from '../errors.js'
import { type Aof, type AofFile, type AofPlace, formatAofManifest, readAofFiles } from './aof-files.js'
import type { Chosen } from './choose-backup.js'
import { DEFAULT_FOLDER, DEFAULT_NAME, findAofPlace } from './find-aof.js'

/** A file that is to stand in the data directory; without a source it holds this text. */
export interface Piece {
  /** Relative to the directory. */
  readonly path: string
  readonly from?: string
  readonly text?: string
}

/** What a data directory is to hold, so that a server starts with a backup. */
export interface Layout {
  /** The snapshot, by its names in the directory; none where the backup is an append-only file. */
  readonly snapshots: readonly string[]
  /** The append-only file, by its name in the directory: a folder or a single file. */
  readonly aof: string
  readonly pieces: readonly Piece[]
  /** What stands in its way, by its name in the directory. */
  readonly old: readonly string[]
}

const SNAPSHOT = 'dump.rdb'

/**
 * Lays a backup out by the names that stand in the directory, the defaults otherwise. Rejects with a Trouble about the backup, or with
 * the error of the file system about the directory.
 */
export async function layOut(dir: string, backup: Chosen): Promise<Layout> {
  const here = await findAofPlace(dir)
  const snapshots = await snapshotNames(
    dir,
    await realpath(backup.path).catch((error) => Promise.reject(folderTrouble(error, backup.path))),
  )
  const isFile = backup.source.kind === 'rdb'
  const { folder, name, pieces } = isFile ? fromSnapshot(backup, here) : await fromAof(backup.path, here)
  const aof = folder ?? name
  const wanted = isFile ? [...snapshots.map((path) => ({ path, from: backup.path })), ...pieces] : pieces
  const names = new Set([...snapshots, aof, ...(here ? [here.folder ?? here.name] : [])])
  const old = await Promise.all([...names].map(async (each) => ((await isThere(join(dir, each))) ? [each] : [])))
  return { snapshots: isFile ? snapshots : [], aof, pieces: wanted, old: old.flat() }
}

interface AofLayout {
  readonly folder: string | undefined
  readonly name: string
  readonly pieces: readonly Piece[]
}

/** A snapshot as an append-only file: its base. The single file of Redis 6 may begin with one, and so be one. */
function fromSnapshot({ path, version }: Chosen, here: AofPlace | undefined): AofLayout {
  const name = here?.name ?? DEFAULT_NAME
  const isOld = here ? here.folder === undefined : Number.parseInt(version ?? '7', 10) < 7
  if (isOld) return { folder: undefined, name, pieces: [{ path: name, from: path }] }
  const folder = here?.folder ?? DEFAULT_FOLDER
  const base = { path: join(folder, `${name}.1.base.rdb`), from: path }
  const increment = { path: join(folder, `${name}.1.incr.aof`), text: '' }
  const text = formatAofManifest([
    { path: base.path, type: 'base', seq: 1 },
    { path: increment.path, type: 'incr', seq: 1 },
  ])
  return { folder, name, pieces: [base, increment, { path: join(folder, `${name}.manifest`), text }] }
}

/** An append-only file under the names of this directory, of as many parts as it has. */
async function fromAof(path: string, here: AofPlace | undefined): Promise<AofLayout> {
  const { place, aof } = await readBackedUp(path)
  const name = here?.name ?? DEFAULT_NAME
  if (place.folder === undefined) {
    return { folder: undefined, name, pieces: aof.files.map((file) => ({ path: name, from: file.path })) }
  }
  const folder = here?.folder ?? DEFAULT_FOLDER
  const renamed = (file: AofFile): string => join(folder, name + basename(file.path).slice(place.name.length))
  const files = aof.files.map((file) => ({ ...file, path: renamed(file), from: file.path }))
  const manifest = { path: join(folder, `${name}.manifest`), text: formatAofManifest(files) }
  return { folder, name, pieces: [...files.map((file) => ({ path: file.path, from: file.from })), manifest] }
}

async function readBackedUp(path: string): Promise<{ place: AofPlace; aof: Aof }> {
  try {
    const place = await findAofPlace(path)
    const aof = place && (await readAofFiles(place))
    if (place && aof) return { place, aof }
  } catch (error) {
    // A part that is gone from the backup; what else it says is of the backup, too, and not of the data directory.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw folderTrouble(error, path)
  }
  const hint = 'use another backup: rekindle backup list'
  throw new Trouble('bad_backup', `${path}: its append-only file is not whole`, hint, false)
}

/**
 * The usual name, and that of the one RDB file that stands there: whether that is its `dbfilename` or a stray copy we cannot know, and
 * with the snapshot under the wrong name the server would start empty.
 */
async function snapshotNames(dir: string, backup: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  const names = entries.flatMap((entry) =>
    entry.isFile() && /^(?!temp-|\.).*\.rdb$/.test(entry.name) ? [entry.name] : [],
  )
  const [only] = names
  const isOther = names.length === 1 && only !== undefined && only !== SNAPSHOT && join(dir, only) !== backup
  return isOther ? [SNAPSHOT, only] : [SNAPSHOT]
}

import { link, mkdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ifThere } from '../backup/files.js'
import { folderTrouble } from '../backup/folder-trouble.js'
import type { DataFolder } from '../backup/ratchet-folder.js'
import { type Freeze, frozenPlace, readKept } from '../backup/ratchet-kept.js'
import { holdsKeys } from '../backup/ratchet-peek.js'
import type { AofSource, SnapshotSource } from '../decide/undo.js'
import type { Trouble } from '../errors.js'
import { type Flush, findFlushes } from './aof-cut.js'
import { type Aof, type AofFile, readAofFiles } from './aof-files.js'
import type { Reading } from './aof-reader.js'
import { readRdbHeader } from './rdb-header.js'

/** An append-only file that an undo may read: linked aside, or that of Redis itself. */
export interface UndoAof extends AofSource {
  readonly files: readonly (AofSource['files'][number] & AofFile)[]
  /** `appendfilename`. */
  readonly name: string
}

export interface UndoSnapshot extends SnapshotSource {
  readonly path: string
  /** When it was begun, in epoch ms: what came later is not in it. */
  readonly takenAt: number
  /** False where a flush is known of, but not whether it was of our database. */
  readonly isSure: boolean
}

/** Whether Redis counts a flush of our database, or only some of whatever database. */
export type Counted = 'ours' | 'some' | 'none'

export type UndoSource = UndoAof | UndoSnapshot

/** What can be read, newest first, and what could not. */
export interface UndoSources {
  readonly sources: UndoSource[]
  readonly troubles: Trouble[]
}

/** Reads the flushes of a file, and each file once, since the same may lie in several folders. */
type Find = (file: AofFile) => Promise<readonly Flush[]>

/** What it gives, if it works; what is wrong with the file is told otherwise. */
type Attempt = <T>(path: string, act: () => Promise<T>) => Promise<T[]>

/**
 * Finds everything that a moment before a flush of this database could be rebuilt from. The files of Redis are linked into `work` first,
 * where that can be: a rewrite takes them away at any time. Without a trace of a flush, and without one that Redis has `counted`, no
 * snapshot is taken for one from before.
 */
export async function findSources(
  folder: DataFolder,
  options: { database: number; work: string; counted: Counted } & Reading,
): Promise<UndoSources> {
  const find = finder(options.database, options)
  const troubles: Trouble[] = []
  const attempt: Attempt = async (path, act) => {
    try {
      return [await act()]
    } catch (error) {
      options.signal?.throwIfAborted()
      troubles.push(folderTrouble(error, path))
      return []
    }
  }
  const { freezes, troubles: unreadable } = await readKept(folder.dir)
  troubles.push(...unreadable)
  const frozen: UndoSource[] = []
  for (const freeze of freezes) frozen.push(...(await attempt(freeze.path, () => readFreeze(freeze, find))))
  const live = folder.appendOnly ? await attempt(folder.aof.dir, () => readLive(folder, find, options.work)) : []
  const sources = [...live, ...frozen]
  const hasFlush = sources.some((source) =>
    source.kind === 'rdb' ? source.isSure : source.files.some(({ flushes }) => flushes.length > 0),
  )
  const snapshots = hasFlush ? [] : await attempt(folder.dir, () => looseSnapshots(folder, options.counted, attempt))
  return { sources: [...sources, ...snapshots.flat()], troubles }
}

async function readFreeze(freeze: Freeze, find: Find): Promise<UndoSource> {
  const { path, note } = freeze
  const flushes = note.flushes
    .filter(({ foreign }) => !foreign)
    .map(({ at, last }) => ({ at: Date.parse(at), ...last }))
  if (note.kind === 'rdb') return readSnapshot(join(path, note.name), flushes.at(-1)?.at ?? freeze.at, !note.foreign)
  const aof = await readAofFiles(frozenPlace(freeze))
  const noticed = flushes.flatMap(({ at, inode, bytes }) =>
    inode !== undefined && bytes !== undefined ? [{ at, inode, bytes }] : [],
  )
  return withFlushes(aof?.files ?? [], note.name, noticed, find)
}

async function readLive({ aof }: DataFolder, find: Find, work: string): Promise<UndoAof> {
  for (;;) {
    try {
      const found = await readAofFiles(aof)
      return await withFlushes(await holdOn(found, join(work, 'live')), aof.name, [], find)
    } catch (error) {
      // A rewrite has just taken a file away, and the manifest names other ones now.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
}

/** The same files by names of our own; where they cannot be linked, by their own names. */
async function holdOn(aof: Aof | undefined, dir: string): Promise<readonly AofFile[]> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  return Promise.all(
    (aof?.files ?? []).map(async (file) => {
      const path = join(dir, `${file.inode}-${basename(file.path)}`)
      try {
        await link(file.path, path)
        return { ...file, path }
      } catch (error) {
        const { code = '' } = error as NodeJS.ErrnoException
        if (code === 'EEXIST') return { ...file, path }
        if (code === 'ENOENT') throw error
        return file
      }
    }),
  )
}

async function withFlushes(
  files: readonly AofFile[],
  name: string,
  noticed: UndoAof['noticed'],
  find: Find,
): Promise<UndoAof> {
  const read: UndoAof['files'][number][] = []
  for (const file of files) read.push({ ...file, flushes: await find(file) })
  return { kind: 'aof', files: read, name, noticed }
}

function finder(database: number, reading: Reading): Find {
  const known = new Map<number, readonly Flush[]>()
  return async ({ path, inode }) => {
    // A snapshot and nothing else; one that Redis 6 has begun may go on with commands.
    const flushes =
      known.get(inode) ?? (path.endsWith('.base.rdb') ? [] : (await findFlushes(path, database, reading)).flushes)
    known.set(inode, flushes)
    return flushes
  }
}

async function readSnapshot(path: string, flushedAt: number | undefined, isSure: boolean): Promise<UndoSnapshot> {
  const { facts } = await readRdbHeader(path)
  const seconds = Number(facts.get('ctime') ?? Number.NaN)
  const takenAt = Number.isFinite(seconds) ? seconds * 1000 : (await stat(path)).mtimeMs
  return { kind: 'rdb', path, takenAt, flushedAt, isSure }
}

/** Snapshots that nobody put aside for a flush: the server's own, and those that were linked aside; only those that hold keys. */
async function looseSnapshots(
  { dir, dump, appendOnly }: DataFolder,
  counted: Counted,
  attempt: Attempt,
): Promise<UndoSnapshot[]> {
  const own = join(dir, dump)
  const { dumps } = await readKept(dir)
  const found = await ifThere(stat(own))
  // One that cannot be read is told of, and is none that a FLUSHALL left.
  const [isFull] = found ? await attempt(own, () => holdsKeys(own)) : []
  const isEmpty = isFull === false
  // An empty one is what a FLUSHALL leaves.
  const wasEmptied = isEmpty && !appendOnly
  if (counted === 'none' && !wasEmptied) return []
  const flushedAt = isEmpty ? found?.mtimeMs : undefined
  const isSure = wasEmptied || counted === 'ours'
  const ownOnes = found && isFull && dumps.every(({ inode }) => inode !== found.ino) ? [own] : []
  const before = dumps.filter(({ at }) => at <= (flushedAt ?? at)).map(({ path }) => path)
  return Promise.all([...ownOnes, ...before].map((path) => readSnapshot(path, flushedAt, isSure)))
}

import { link, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Aof, type AofFile, readAofFiles } from '../recover/aof-files.js'
import { writeWhole } from './files.js'
import type { DataFolder } from './ratchet-folder.js'
import {
  type FlushNote,
  type FreezeNote,
  freezeName,
  KEPT,
  type KeptDump,
  NOTE,
  readFreeze,
  readKept,
} from './ratchet-kept.js'
import { sweepUnfinished, unfinishedName } from './ratchet-unfinished.js'

/** What was linked aside: its folder, and its size, which costs no space until Redis replaces the files. */
export interface Frozen {
  readonly what: 'rdb' | 'aof'
  readonly path: string
  readonly bytes: number
  /** False where it lay there already. */
  readonly isNew: boolean
}

/** When Redis was flushed, in epoch ms, and what told us so. */
export interface Moment {
  readonly at: number
  readonly why: string
  /** True if no database holds anything any more. */
  readonly isAll?: boolean
}

/** Freezes that are kept at most, and for how long, in ms. */
const FREEZES = 2
const AGE = 7 * 24 * 3_600_000
/** A flush is heard of more than once: by its signal, by the empty file, by the alert. In ms. */
const SAME = 30_000
/** A rewrite that ends takes files away while they are linked; the next look sees the new ones. */
const ATTEMPTS = 20
const PAUSE = 2

/**
 * Links every part of the append-only file aside, unless these very files are in the newest freeze already: they go on growing there,
 * and only their size is noted. Undefined if there is none. Rejects with the error of the file system.
 */
export async function freezeAof(folder: DataFolder, moment: Moment): Promise<Frozen | undefined> {
  for (let attempt = 1; ; attempt++) {
    try {
      const aof = await readAofFiles(folder.aof)
      if (!aof) return undefined
      const inodes = aof.files.map(({ inode }) => inode)
      const flush = { ...noteOf(moment), ...lastOf(aof.files) }
      const known = await addToNewest(folder, inodes, flush)
      if (known) return { ...known, bytes: sizeOf(aof.files) }
      return await make(folder, flush, { kind: 'aof', inodes }, (path) => linkAof(aof, folder, path))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || attempt === ATTEMPTS) throw error
    }
    await delay(PAUSE)
  }
}

/**
 * Keeps a dump.rdb for longer than the next ones need to take its place, unless it is in the newest freeze already. Undefined if this
 * is a later word of the same flush: a snapshot that was taken in between holds only what came after it.
 */
export async function freezeDump(folder: DataFolder, dump: KeptDump, moment: Moment): Promise<Frozen | undefined> {
  const [newest] = (await readKept(folder.dir)).freezes
  const isKept = newest?.note.kind === 'rdb' && !newest.note.foreign
  if (isKept && Math.abs(moment.at - newest.at) < SAME) return undefined
  const flush = noteOf(moment)
  const known = await addToNewest(folder, [dump.inode], flush)
  if (known) return { ...known, bytes: dump.bytes }
  return make(folder, flush, { kind: 'rdb', inodes: [dump.inode] }, async (path) => {
    await link(dump.path, join(path, folder.dump))
    return dump.bytes
  })
}

/** What Redis has told of a moment since. */
export interface Told {
  /** It was another database that was flushed: what is kept of such alone takes no place from others. */
  readonly isForeign: boolean
  /** Bytes that it had yet to write: with `everysec` the flush itself may have been among them. */
  readonly buffered: number
}

/** Adds it to the note. */
export async function addTold({ path }: Frozen, moment: Moment, { isForeign, buffered }: Told): Promise<void> {
  const freeze = isForeign || buffered > 0 ? await readFreeze(path) : undefined
  if (!freeze) return
  const { at } = noteOf(moment)
  const flushes = freeze.note.flushes.map((flush) => {
    const last = flush.last && { ...flush.last, bytes: flush.last.bytes + buffered }
    return flush.at === at ? { ...flush, foreign: isForeign, last } : flush
  })
  await writeNote(path, { ...freeze.note, flushes, foreign: flushes.every(({ foreign }) => foreign) })
}

/** Removes freezes that are too many or too old, and what an undo has left behind that was killed. */
export async function pruneFreezes(folder: DataFolder): Promise<void> {
  const { freezes } = await readKept(folder.dir)
  const ours = freezes.filter(({ note }) => !note.foreign).slice(FREEZES)
  const foreign = freezes.filter(({ note }) => note.foreign).slice(1)
  const old = freezes.filter(({ at }) => at < Date.now() - AGE)
  const outdated = new Set([...ours, ...foreign, ...old])
  await Promise.all([...outdated].map(({ path }) => rm(path, { recursive: true, force: true })))
  await sweepUnfinished(join(folder.dir, KEPT))
}

async function addToNewest(
  folder: DataFolder,
  inodes: readonly number[],
  flush: FlushNote,
): Promise<Omit<Frozen, 'bytes'> | undefined> {
  const [newest] = (await readKept(folder.dir)).freezes
  if (!newest || !inodes.every((inode) => newest.note.inodes.includes(inode))) return undefined
  const { path, note } = newest
  await writeNote(path, { ...note, flushes: [...note.flushes, flush].slice(-100), foreign: false })
  return { what: note.kind, path, isNew: false }
}

function writeNote(path: string, note: FreezeNote): Promise<void> {
  return writeWhole(join(path, NOTE), JSON.stringify(note))
}

function noteOf({ at, why }: Moment): FlushNote {
  return { at: new Date(at).toISOString(), why }
}

/** The part that goes on growing. */
function lastOf(files: readonly AofFile[]): Pick<FlushNote, 'last'> {
  const last = files.at(-1)
  return last ? { last: { inode: last.inode, bytes: last.bytes } } : {}
}

function sizeOf(files: readonly AofFile[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}

async function make(
  { dir, aof, dump, runId }: DataFolder,
  flush: FlushNote,
  { kind, inodes }: Pick<FreezeNote, 'kind' | 'inodes'>,
  fill: (path: string) => Promise<number>,
): Promise<Frozen> {
  const home = join(dir, KEPT)
  const unfinished = join(home, await unfinishedName())
  const note: FreezeNote = {
    version: 1,
    kind,
    flushes: [flush],
    foreign: false,
    run_id: runId ?? null,
    inodes,
    folder: aof.folder ?? null,
    name: kind === 'aof' ? aof.name : dump,
  }
  try {
    await mkdir(unfinished, { recursive: true, mode: 0o700 })
    const bytes = await fill(unfinished)
    await writeFile(join(unfinished, NOTE), JSON.stringify(note), { mode: 0o600 })
    const path = join(home, freezeName(Date.parse(flush.at)))
    await rename(unfinished, path)
    return { what: kind, path, bytes, isNew: true }
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true })
    throw error
  }
}

async function linkAof({ files, manifest }: Aof, { aof }: DataFolder, path: string): Promise<number> {
  const home = manifest === undefined || aof.folder === undefined ? path : join(path, aof.folder)
  if (home !== path) await mkdir(home, { mode: 0o700 })
  await Promise.all(
    files.map(async (file) => {
      const linked = join(home, basename(file.path))
      await link(file.path, linked)
      // Redis 6 gives a new file the old name.
      if ((await stat(linked)).ino !== file.inode) throw Object.assign(new Error('replaced'), { code: 'ENOENT' })
    }),
  )
  if (manifest !== undefined) await writeFile(join(home, `${aof.name}.manifest`), manifest, { mode: 0o600 })
  return sizeOf(files)
}

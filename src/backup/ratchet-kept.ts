import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { Trouble } from '../errors.js'
import type { AofPlace } from '../recover/aof-files.js'
import { ifThere } from './files.js'

/** The folder inside the data directory of Redis, thus on its file system, into which files are linked. */
export const KEPT = 'rekindle-kept'

/** A dump.rdb that holds keys, linked aside. */
export interface KeptDump {
  readonly path: string
  /** When it was finished, in epoch ms. */
  readonly at: number
  readonly inode: number
  readonly bytes: number
}

/** A flush that was heard of. */
export interface FlushNote {
  readonly at: string
  readonly why: string
  /** True where the marks of Rekindle outlived it: it was another database that was flushed. */
  readonly foreign?: boolean | undefined
  /** The last part of the append-only file, which goes on growing, and its size then: the flush stands before that. */
  readonly last?: { readonly inode: number; readonly bytes: number } | undefined
}

/** What is known of the files that were linked aside at a flush. */
export interface FreezeNote {
  readonly version: 1
  readonly kind: 'aof' | 'rdb'
  /** The flushes that these files help against: more than one where they were still the same files at the next. */
  readonly flushes: readonly FlushNote[]
  /** True if all of them were of another database. */
  readonly foreign: boolean
  readonly run_id: string | null
  /** Which files they are on the disk. */
  readonly inodes: readonly number[]
  /** Of an append-only file of several parts, the folder in which it lies; and its name. */
  readonly folder: string | null
  readonly name: string
}

/** A folder of files that were linked aside at a flush. */
export interface Freeze {
  readonly path: string
  readonly note: FreezeNote
  /** When the newest of its flushes was, in epoch ms. */
  readonly at: number
}

export const NOTE = 'note.json'

const note: z.ZodType<FreezeNote> = z.object({
  version: z.literal(1),
  kind: z.enum(['aof', 'rdb']),
  flushes: z
    .array(
      z.object({
        at: z.iso.datetime(),
        why: z.string(),
        foreign: z.boolean().optional(),
        last: z.object({ inode: z.number(), bytes: z.number() }).optional(),
      }),
    )
    .min(1),
  foreign: z.boolean(),
  run_id: z.string().nullable(),
  inodes: z.array(z.number()),
  folder: z.string().nullable(),
  name: z.string(),
})

/** The name of a dump.rdb that was finished at that time. */
export function dumpName(at: number, inode: number): string {
  return `dump-${stamp(at)}-${inode}.rdb`
}

/** The name of what is kept of a flush. */
export function freezeName(at: number): string {
  return `flush-${stamp(at)}`
}

/** Where the append-only file of a freeze lies. */
export function frozenPlace({ path, note: { folder, name } }: Freeze): AofPlace {
  return { dir: path, folder: folder ?? undefined, name }
}

/** Everything that is kept in a data directory, newest first. */
export interface Kept {
  readonly dumps: readonly KeptDump[]
  readonly freezes: readonly Freeze[]
  /** Why it cannot be told of some for which flush they are kept. */
  readonly troubles: readonly Trouble[]
}

/** Reads what is kept in a data directory; nothing if there is no such folder. */
export async function readKept(dir: string): Promise<Kept> {
  const home = join(dir, KEPT)
  const names = (await ifThere(readdir(home))) ?? []
  const dumps = names.filter((name) => /^dump-.*\.rdb$/.test(name)).map((name) => readDump(join(home, name)))
  const troubles: Trouble[] = []
  const freezes = names
    .filter((name) => name.startsWith('flush-'))
    .map((name) =>
      readFreeze(join(home, name)).catch((error: Trouble): undefined => {
        troubles.push(error)
      }),
    )
  const newestFirst = <T extends { at: number }>(found: (T | undefined)[]): T[] =>
    found.filter((each) => each !== undefined).sort((a, b) => b.at - a.at)
  return {
    dumps: newestFirst(await Promise.all(dumps)),
    freezes: newestFirst(await Promise.all(freezes)),
    troubles,
  }
}

async function readDump(path: string): Promise<KeptDump | undefined> {
  // Somebody may remove it meanwhile.
  const found = await ifThere(stat(path))
  return found && { path, at: found.mtimeMs, inode: found.ino, bytes: found.size }
}

/** What is kept of a flush in this folder; undefined if nothing is. Rejects with a Trouble if that cannot be told. */
export async function readFreeze(path: string): Promise<Freeze | undefined> {
  try {
    const text = await ifThere(readFile(join(path, NOTE), 'utf8'))
    if (text === undefined) return undefined
    const read = note.parse(JSON.parse(text))
    return { path, note: read, at: Date.parse(read.flushes.at(-1)?.at ?? '') }
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'it is not what Rekindle writes'
    const hint = 'if there is a dump.rdb in that folder, rekindle recover --backup brings keys back from it'
    throw new Trouble('bad_backup', `${path}: passed over, for its ${NOTE} cannot be read (${why})`, hint, false)
  }
}

/** A time as it may stand in the name of a file. */
function stamp(at: number): string {
  return new Date(at).toISOString().replaceAll(':', '-')
}

import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DataFolder, findDataFolder } from '../backup/ratchet-folder.js'
import { KEPT, UNFINISHED } from '../backup/ratchet-kept.js'
import { readStory, type ServerStory, withServer } from '../backup/server-story.js'
import type { Classify } from '../decide/classes.js'
import { globTest } from '../decide/glob.js'
import { parseInfo } from '../decide/info.js'
import { type Moment, momentsBefore } from '../decide/undo.js'
import { Trouble } from '../errors.js'
import { ask } from '../redis/wire.js'
import { type Copied, copyKeys } from './copy-keys.js'
import { startThrowaway, type ThrowawaySource } from './throwaway.js'
import { assembleAof } from './undo-assemble.js'
import { findSources, type UndoSource } from './undo-sources.js'

export interface UndoOptions {
  /** Of the live Redis. */
  readonly url: string
  readonly classify: Classify
  /** Only keys that match one of these; all if empty. */
  readonly match: readonly string[]
  /** Write over keys that are there. */
  readonly replace: boolean
  /** Write nothing. */
  readonly dryRun: boolean
  /** Which flush, 1 is the last; undefined: the last one that took something we look for. */
  readonly flush: number | undefined
  /** Not from a snapshot that is older, in epoch ms; undefined: from whatever there is. */
  readonly notBefore?: number
  readonly signal: AbortSignal
  /** Told often while something gets done; `share` from 0 to 1, where that is known. */
  readonly onProgress?: (act: 'Reading' | 'Loading' | 'Copying', share: number | undefined) => void
}

/** What an undo came to. */
export interface Undone {
  /** The moment that was rebuilt. */
  readonly moment: Moment<UndoSource>
  /** Which flush it was, 1 is the last; and how many there are traces of. */
  readonly flush: number
  readonly flushes: number
  readonly copied: Copied
  /** Keys that were there and are left to the heal from PostgreSQL, and to those who write them. */
  readonly leftToPostgres: number
  readonly leftToThemselves: number
  /** Later flushes that had taken nothing we look for, or that could not be rebuilt: why. */
  readonly troubles: readonly Trouble[]
}

/** Redis writes into a snapshot in which second it was begun, in ms. */
const SECOND = 1_000
/** A flush is followed back so many times at most: each takes loading everything that came before. */
const MOMENTS = 10

/**
 * Rebuilds the moment before a flush in a server of its own, and brings the keys back that nothing else can: those of the class
 * `backup` and of none, and those of `itself` that are named. Keys that are there stay. The server's files are only read. Rejects
 * with a Trouble, `nothing_to_undo` if there is no trace of a flush that took such keys, and with the signal's reason.
 */
export async function undoFlush(options: UndoOptions): Promise<Undone> {
  const { url, signal } = options
  const folder = await withServer(url, (wire) => findDataFolder((...args) => ask(wire, ...args)))
  const story = await readStory(url)
  const work = await makeWork(folder)
  try {
    const wasFlushed = await countsFlushes(url)
    const { sources, troubles } = await findSources(folder, {
      database: story.database,
      work,
      wasFlushed,
      signal,
      onProgress: () => options.onProgress?.('Reading', undefined),
    })
    signal.throwIfAborted()
    const { notBefore = Number.NEGATIVE_INFINITY } = options
    const moments = momentsBefore(
      sources.filter((source) => source.kind === 'aof' || source.takenAt + SECOND > notBefore),
    )
    if (moments.length === 0) throw troubles[0] ?? nothing('there is no trace of a flush')
    return await undoOne(moments, troubles, story, work, options)
  } finally {
    await rm(work, { recursive: true, force: true })
    // Only if it is empty: it may have been made by us, and then by a user other than the one of the daemon.
    await rmdir(join(folder.dir, KEPT)).catch(() => undefined)
  }
}

async function undoOne(
  moments: readonly Moment<UndoSource>[],
  found: readonly Trouble[],
  story: ServerStory,
  work: string,
  options: UndoOptions,
): Promise<Undone> {
  const troubles = [...found]
  const { flush, signal } = options
  const chosen = flush === undefined ? moments.slice(0, MOMENTS) : moments.slice(flush - 1, flush)
  if (chosen.length === 0) throw nothing(`there are traces of ${moments.length} flushes only`)
  let failure: Trouble | undefined
  for (const [i, moment] of chosen.entries()) {
    try {
      const result = await bringBack(moment, story, work, options)
      const numbers = { flush: (flush ?? 1) + i, flushes: moments.length }
      if (result.looked > 0 || flush !== undefined) return { moment, ...numbers, ...result, troubles }
    } catch (error) {
      signal.throwIfAborted()
      // What is wrong with one file may not be wrong with the next; all else is.
      if (!(error instanceof Trouble && error.code === 'bad_backup')) throw error
      failure ??= error
      troubles.push(error)
    }
  }
  throw failure ?? nothing('no flush that there is a trace of took a key that Rekindle would bring back')
}

async function bringBack(
  { source, cut }: Moment<UndoSource>,
  { modules, database }: ServerStory,
  work: string,
  options: UndoOptions,
): Promise<Pick<Undone, 'copied' | 'leftToPostgres' | 'leftToThemselves'> & { looked: number }> {
  const { url, replace, dryRun, signal, onProgress } = options
  const dir = join(work, 'boot')
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { mode: 0o700 })
  if (source.kind === 'aof' && cut)
    await assembleAof(source, cut, dir, { signal, onProgress: () => onProgress?.('Reading', undefined) })
  const from: ThrowawaySource =
    source.kind === 'aof' ? { kind: 'aof', dir, modules } : { kind: 'rdb', path: source.path, modules }
  const throwaway = await startThrowaway(from, { signal, onProgress: (share) => onProgress?.('Loading', share) })
  try {
    const { select, counts } = selector(options)
    const copied = await copyKeys({
      from: throwaway.socket,
      to: url,
      database,
      select,
      replace,
      dryRun,
      signal,
      onProgress: (_, share) => onProgress?.('Copying', share),
    })
    return { copied, ...counts }
  } finally {
    await throwaway.close()
  }
}

/** Which keys are brought back, and how many were looked for or left to others so far. */
function selector({ classify, match }: UndoOptions): {
  select: (key: Buffer) => boolean
  counts: { looked: number; leftToPostgres: number; leftToThemselves: number }
} {
  const tests = match.map(globTest)
  const counts = { looked: 0, leftToPostgres: 0, leftToThemselves: 0 }
  const select = (key: Buffer): boolean => {
    const name = key.toString()
    const isNamed = tests.some((matches) => matches(name))
    if (tests.length > 0 && !isNamed) return false
    const recovery = classify(name)?.recovery
    if (recovery === 'postgres') counts.leftToPostgres++
    else if (recovery === 'itself' && !isNamed) counts.leftToThemselves++
    else {
      counts.looked++
      return true
    }
    return false
  }
  return { select, counts }
}

/** A folder for what is assembled: on the file system of the data if we may, so that nothing need be copied. */
async function makeWork({ dir }: DataFolder): Promise<string> {
  const home = join(dir, KEPT)
  const work = join(home, `${UNFINISHED}${randomBytes(6).toString('hex')}`)
  try {
    await mkdir(home, { mode: 0o700, recursive: true })
    await mkdir(work, { mode: 0o700 })
    return work
  } catch {
    return mkdtemp(join(tmpdir(), 'rekindle-undo-'))
  }
}

/** Whether this process of Redis has run a flush; false where it does not tell. */
async function countsFlushes(url: string): Promise<boolean> {
  const stats = await withServer(url, (wire) => ask(wire, 'INFO', 'commandstats').catch(() => ''))
  const fields = parseInfo(String(stats))
  return fields.has('cmdstat_flushall') || fields.has('cmdstat_flushdb')
}

function nothing(what: string): Trouble {
  return new Trouble(
    'nothing_to_undo',
    `nothing to undo: ${what}`,
    'bring keys back from a backup: rekindle recover',
    false,
  )
}

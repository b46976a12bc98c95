import { mkdir, mkdtemp, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DataFolder, findDataFolder } from '../backup/ratchet-folder.js'
import { KEPT } from '../backup/ratchet-kept.js'
import { keepTouching, sweepUnfinished, unfinishedName } from '../backup/ratchet-unfinished.js'
import { readStory, type ServerStory, unlessRefused, withServer } from '../backup/server-story.js'
import type { Classify } from '../decide/classes.js'
import { globTest } from '../decide/glob.js'
import { parseInfo } from '../decide/info.js'
import { otherDatabases } from '../decide/risks-facts.js'
import { type Moment, momentsBefore } from '../decide/undo.js'
import { Trouble } from '../errors.js'
import { ask } from '../redis/wire.js'
import { type Contents, readContents } from './contents.js'
import { type Copied, copyKeys, ensureRoomFor } from './copy-keys.js'
import { absentLibraries } from './functions.js'
import { type RestoredRules, restoreRules } from './series-rules.js'
import { startThrowaway, type ThrowawaySource } from './throwaway.js'
import { assembleAof } from './undo-assemble.js'
import { type Counted, findSources, type UndoSource } from './undo-sources.js'

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
  /** Also from a snapshot of which it is not known whether a flush of our database came after it. */
  readonly guess?: boolean
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
  /** Of the time series among them. */
  readonly rules: RestoredRules
  /** Keys that were there and are left to the heal from PostgreSQL, and to those who write them. */
  readonly leftToPostgres: number
  readonly leftToThemselves: number
  /** Other databases that held more keys then than they do now, and how many they held. */
  readonly others: Contents['others']
  /** Libraries of functions of then that Redis lacks now: a flush leaves them alone. */
  readonly libraries: readonly string[]
  /** Later flushes that had taken nothing we look for, or that could not be rebuilt: why. */
  readonly troubles: readonly Trouble[]
}

/** Redis writes into a snapshot in which second it was begun, in ms. */
const SECOND = 1_000
/** A flush is followed back so many times at most: each takes loading everything that came before. */
const MOMENTS = 10
/** The folder for it elsewhere begins so. */
const ELSEWHERE = 'rekindle-undo-'
/** What is said where there is nothing to undo. */
export const FROM_BACKUP = 'bring keys back from a backup: rekindle recover'
const GUESS = `if it was, --flush 1 brings back what the newest snapshot holds, --dry-run lists it; otherwise ${FROM_BACKUP}`
const RENAMED = `${FROM_BACKUP}. A FLUSHALL to which rename-command gave another name is not recognised in an append-only file`

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
  const done = keepTouching(work)
  try {
    const counted = await countFlushes(url)
    const { sources, troubles } = await findSources(folder, {
      database: story.database,
      work,
      counted,
      signal,
      onProgress: () => options.onProgress?.('Reading', undefined),
    })
    signal.throwIfAborted()
    const { notBefore = Number.NEGATIVE_INFINITY } = options
    const moments = momentsBefore(
      sources.filter((source) => source.kind === 'aof' || source.takenAt + SECOND > notBefore),
    )
    return await undoOne(choose(moments, troubles, options), troubles, story, work, options)
  } finally {
    done()
    await rm(work, { recursive: true, force: true })
    // Only if it is empty: it may have been made by us, and then by a user other than the one of the daemon.
    await rmdir(join(folder.dir, KEPT)).catch(() => undefined)
  }
}

/** Those before a flush that surely was one of our database; if there are none, the others, where a guess is wanted. */
function choose(
  moments: readonly Moment<UndoSource>[],
  [trouble]: readonly Trouble[],
  { guess = false }: UndoOptions,
): readonly Moment<UndoSource>[] {
  const sure = moments.filter(({ source }) => source.kind === 'aof' || source.isSure)
  if (sure.length > 0) return sure
  if (moments.length === 0) throw trouble ?? nothing('there is no trace of a flush', RENAMED)
  if (guess) return moments
  throw nothing('some database was flushed, but nothing tells that it was this one', GUESS)
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

type Brought = Pick<Undone, 'copied' | 'rules' | 'leftToPostgres' | 'leftToThemselves' | 'others' | 'libraries'>

async function bringBack(
  { source, cut }: Moment<UndoSource>,
  { modules, areModulesKnown, database }: ServerStory,
  work: string,
  options: UndoOptions,
): Promise<Brought & { looked: number }> {
  const { url, replace, dryRun, signal, onProgress } = options
  const dir = join(work, 'boot')
  await rm(dir, { recursive: true, force: true })
  await mkdir(dir, { mode: 0o700 })
  if (source.kind === 'aof' && cut)
    await assembleAof(source, cut, dir, { signal, onProgress: () => onProgress?.('Reading', undefined) })
  const from: ThrowawaySource =
    source.kind === 'aof' ? { kind: 'aof', dir, modules } : { kind: 'rdb', path: source.path, modules }
  const throwaway = await startThrowaway(from, {
    signal,
    onProgress: (share) => onProgress?.('Loading', share),
  }).catch((error: unknown) => {
    throw areModulesKnown ? error : withheld(error)
  })
  try {
    const { select, counts } = selector(options)
    const ends = { from: throwaway.socket, to: url, database, dryRun, signal }
    if (!dryRun) await ensureRoomFor({ ...ends, select: selector(options).select })
    const copied = await copyKeys({
      ...ends,
      select,
      replace,
      onProgress: (_, share) => onProgress?.('Copying', share),
    })
    const rules = await restoreRules({ ...ends, select: selector(options).select, copied })
    return { copied, rules, ...counts, ...(await whatElse(throwaway.socket, url, database)) }
  } finally {
    await throwaway.close()
  }
}

/** What that moment held beside, as far as Redis has lost it. */
async function whatElse(socket: string, url: string, database: number): Promise<Pick<Undone, 'others' | 'libraries'>> {
  const { others, libraries } = await readContents(socket, database)
  const info = await withServer(url, (wire) => ask(wire, 'INFO', 'keyspace').catch(unlessRefused))
  const here = new Map(
    otherDatabases(parseInfo(String(info ?? '')), database).map((each) => [each.database, each.keys]),
  )
  return {
    others: others.filter((each) => each.keys > (here.get(each.database) ?? 0)),
    libraries: await absentLibraries(libraries, url),
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

/**
 * A folder for what is assembled: on the file system of the data if we may, so that nothing need be copied. What an undo has left
 * behind that was killed goes.
 */
async function makeWork({ dir }: DataFolder): Promise<string> {
  const home = join(dir, KEPT)
  await sweepUnfinished(home)
  await sweepUnfinished(tmpdir(), ELSEWHERE)
  const work = join(home, await unfinishedName())
  try {
    await mkdir(home, { mode: 0o700, recursive: true })
    await mkdir(work, { mode: 0o700 })
    return work
  } catch {
    // Where the data directory may only be read, all is copied; should that have no place, it is told.
    return mkdtemp(join(tmpdir(), await unfinishedName(ELSEWHERE)))
  }
}

/** Which flushes this process of Redis has run: a FLUSHALL is one of ours, too. Those that were refused count for nothing. */
async function countFlushes(url: string): Promise<Counted> {
  const stats = await withServer(url, (wire) => ask(wire, 'INFO', 'commandstats').catch(unlessRefused))
  const fields = parseInfo(String(stats ?? ''))
  const ran = (command: string): boolean => {
    const told = (name: string): number =>
      Number(new RegExp(`\\b${name}=(\\d+)`).exec(fields.get(`cmdstat_${command}`) ?? '')?.[1] ?? 0)
    return told('calls') > told('failed_calls')
  }
  if (ran('flushall')) return 'ours'
  return ran('flushdb') ? 'some' : 'none'
}

/** Where the module is, the live Redis would have told. */
function withheld(error: unknown): unknown {
  if (!(error instanceof Trouble && error.code === 'redis_no_module')) return error
  const { code, message, hint, passing } = error
  const grant = 'let the user of redis.url run MODULE LIST, which tells where the module is: ACL SETUSER … +module|list'
  return new Trouble(code, message, `${grant}; or ${hint}`, passing, { cause: error })
}

function nothing(what: string, hint = FROM_BACKUP): Trouble {
  return new Trouble('nothing_to_undo', `nothing to undo: ${what}`, hint, false)
}

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseInfo } from '../decide/info.js'
import { Trouble } from '../errors.js'
import { ask, type Wire } from '../redis/wire.js'
import { persistence, refused, setting } from './aof-place.js'
import { ifThere, writeWhole } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import { unlessRefused, withServer } from './server-story.js'
import { sourceName } from './shelf.js'

/** The name of the connection that switches rewrites off: who finds another of that name waits. */
const CONNECTION = 'rekindle-aof'
const PERCENTAGE = 'auto-aof-rewrite-percentage'
/**
 * Holds the value while it is 0, should we be killed meanwhile. The server follows, for several may share the folder, and its run_id,
 * for a restart sets it back, too.
 */
const MARKER = '.aof-rewrites-off-'
/** Between two looks at a rewrite, in ms. */
const PERIOD = 100

export interface PauseOptions {
  readonly url: string
  /** The folder of the backups. */
  readonly dir: string
  readonly signal: AbortSignal
}

/**
 * Runs work while the server begins no rewrite of its append-only file by itself, and none runs. The setting is put back whatever
 * happens, over a new connection if need be, and by {@link putRewritesBack} if we are killed. Rejects with the work's error, or a
 * Trouble.
 */
export async function withoutRewrites<T>(options: PauseOptions, work: (wire: Wire) => Promise<T>): Promise<T> {
  const { url, dir, signal } = options
  return alone(url, async (wire) => {
    const runId = await runIdOf(wire)
    await settleMarkers(wire, options, runId)
    const marker = join(dir, markerName(url, runId))
    const before = await percentageOf(wire)
    // Where it is 0 already it is somebody else's, and stays so.
    if (before === '0') return quietly(wire, signal, work)
    await writeWhole(marker, before).catch((error) => Promise.reject(folderTrouble(error, dir)))
    await switchOff(wire, marker)
    try {
      return await quietly(wire, signal, work)
    } finally {
      // Where that fails, the marker stays for the next attempt.
      await putBack(wire, url, before)
      await rm(marker, { force: true })
    }
  })
}

/**
 * Puts back the setting that a copy has left at 0 because it was killed; gives the value, or undefined where there is nothing to do, or
 * a copy is under way that will do it. Asks the server only if a marker lies in the folder. Rejects with a Trouble.
 */
export async function putRewritesBack({ url, dir }: Pick<PauseOptions, 'url' | 'dir'>): Promise<string | undefined> {
  if ((await markersIn(dir)).length === 0) return undefined
  try {
    return await alone(url, async (wire) => settleMarkers(wire, { url, dir }, await runIdOf(wire)))
  } catch (error) {
    if (error instanceof Trouble && error.code === 'redis_busy') return undefined
    throw error
  }
}

async function switchOff(wire: Wire, marker: string): Promise<void> {
  try {
    await ask(wire, 'CONFIG', 'SET', PERCENTAGE, '0')
  } catch (error) {
    const { message } = error as Error
    // Without an answer it may be off nevertheless.
    if (!message.startsWith('NOPERM')) throw error
    await rm(marker, { force: true })
    throw refused(`CONFIG SET ${PERCENTAGE} is refused`, 'grant +config|set to the user of redis.url')
  }
}

async function quietly<T>(wire: Wire, signal: AbortSignal, work: (wire: Wire) => Promise<T>): Promise<T> {
  for (;;) {
    const info = await persistence(wire)
    if (info.get('aof_rewrite_in_progress') !== '1' && info.get('aof_rewrite_scheduled') !== '1') return work(wire)
    await delay(PERIOD, undefined, { signal })
  }
}

/**
 * Works with a connection whose name keeps others from the same: of two that copy, the one that ends first would switch rewrites on
 * for both. Rejects with a Trouble `redis_busy` if there is another.
 */
async function alone<T>(url: string, work: (wire: Wire) => Promise<T>): Promise<T> {
  return withServer(url, async (wire) => {
    await ask(wire, 'CLIENT', 'SETNAME', CONNECTION).catch(unlessRefused)
    const clients = await ask(wire, 'CLIENT', 'LIST').catch(unlessRefused)
    const copying = String(clients ?? '')
      .split('\n')
      .filter((line) => line.includes(` name=${CONNECTION} `))
    if (copying.length > 1)
      throw new Trouble('redis_busy', 'another copy of the append-only file is under way', 'it passes by itself', true)
    const result = await work(wire)
    // The server may notice later than our next connection that this one is closed.
    await ask(wire, 'CLIENT', 'SETNAME', 'rekindle-backup').catch(unlessRefused)
    return result
  })
}

/**
 * Puts back what the marker of this life of the server holds, if the setting is still 0, and gives it. Then that marker goes, and those
 * of the server's earlier lives; those of other servers stay.
 */
async function settleMarkers(
  wire: Wire,
  { url, dir }: Pick<PauseOptions, 'url' | 'dir'>,
  runId: string,
): Promise<string | undefined> {
  const names = await markersIn(dir)
  const ofServer = names.filter((name) => name.startsWith(markerName(url, '')))
  // The run_id knows it by whatever name the server was called; without one, what bears that name must do.
  const mine = runId === '' ? ofServer : names.filter((name) => name.endsWith(`@${runId}`))
  let value: string | undefined
  for (const name of mine) {
    const path = join(dir, name)
    const kept =
      (await ifThere(readFile(path, 'utf8')).catch((error) => Promise.reject(markerTrouble(error, path)))) ?? ''
    if (!/^\d+$/.test(kept) || (await percentageOf(wire)) !== '0') continue
    await putBack(wire, url, kept)
    value = kept
  }
  for (const name of new Set([...mine, ...ofServer])) await rm(join(dir, name), { force: true })
  return value
}

/** Nothing else holds an `@` in it: neither a `host:port` as it is written here, nor a run_id. */
function markerName(url: string, runId: string): string {
  return `${MARKER}${encodeURIComponent(sourceName(url))}@${runId}`
}

async function percentageOf(wire: Wire): Promise<string> {
  const value = await setting(wire, PERCENTAGE)
  if (value !== undefined) return value
  throw refused(`CONFIG GET ${PERCENTAGE} is refused`, 'grant +config|get and +config|set to the user of redis.url')
}

function markerTrouble(error: unknown, path: string): Trouble {
  const { code = error } = error as NodeJS.ErrnoException
  const what = `${path} cannot be read (${code}): what ${PERCENTAGE} of Redis was before a copy is not known`
  return new Trouble(
    'bad_folder',
    what,
    `if it is 0, set it (100 by default): CONFIG SET ${PERCENTAGE} 100; then remove the file`,
    false,
  )
}

/** Empty where the server does not tell. */
async function runIdOf(wire: Wire): Promise<string> {
  const server = await ask(wire, 'INFO', 'server').catch(unlessRefused)
  return parseInfo(String(server ?? '')).get('run_id') ?? ''
}

async function markersIn(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw folderTrouble(error, dir)
  })
  return names.filter((name) => name.startsWith(MARKER))
}

async function putBack(wire: Wire, url: string, value: string): Promise<void> {
  const set = (connection: Wire): Promise<unknown> => ask(connection, 'CONFIG', 'SET', PERCENTAGE, value)
  try {
    // That it fails on a connection which is broken says nothing; on a new one it does.
    await set(wire).catch(() => withServer(url, set))
  } catch (error) {
    const hint = `until you do, the append-only file grows without end: CONFIG SET ${PERCENTAGE} ${value}`
    throw new Trouble('redis_refused', `${PERCENTAGE} could not be set back: ${(error as Error).message}`, hint, false)
  }
}

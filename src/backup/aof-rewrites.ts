import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Trouble } from '../errors.js'
import { ask, type Wire } from '../redis/wire.js'
import { persistence, refused, setting } from './aof-place.js'
import { writeWhole } from './files.js'
import { folderTrouble } from './folder-trouble.js'
import { unlessRefused, withServer } from './server-story.js'

/** The name of the connection that switches rewrites off: who finds another of that name waits. */
const CONNECTION = 'rekindle-aof'
const PERCENTAGE = 'auto-aof-rewrite-percentage'
/** Holds the value while it is 0, should we be killed meanwhile; the run_id follows, for a restart of Redis sets it back, too. */
const MARKER = '.aof-rewrites-off-'
/** Between two looks at a rewrite, in ms. */
const PERIOD = 100

export interface PauseOptions {
  readonly url: string
  /** The folder of the backups. */
  readonly dir: string
  readonly runId: string
  readonly signal: AbortSignal
}

/**
 * Runs work while the server begins no rewrite of its append-only file by itself, and none runs. The setting is put back whatever
 * happens, over a new connection if need be, and by the next copy if we are killed. Rejects with the work's error, or a Trouble.
 */
export async function withoutRewrites<T>(options: PauseOptions, work: (wire: Wire) => Promise<T>): Promise<T> {
  const { url, dir, runId, signal } = options
  return withServer(url, async (wire) => {
    await ensureAlone(wire)
    const marker = join(dir, MARKER + runId)
    const before = await valueToKeep(wire, dir, marker)
    // Where it is 0 already it is somebody else's, and stays so.
    if (before === '0') return quietly(wire, signal, work)
    await writeWhole(marker, before).catch((error) => Promise.reject(folderTrouble(error, dir)))
    try {
      await switchOff(wire)
      try {
        return await quietly(wire, signal, work)
      } finally {
        await putBack(wire, url, before)
      }
    } finally {
      await rm(marker, { force: true })
    }
  })
}

async function switchOff(wire: Wire): Promise<void> {
  try {
    await ask(wire, 'CONFIG', 'SET', PERCENTAGE, '0')
  } catch (error) {
    const { message } = error as Error
    if (!message.startsWith('NOPERM')) throw error
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

/** Refuses if another Rekindle copies the same append-only file: the one that ends first would switch rewrites on for both. */
async function ensureAlone(wire: Wire): Promise<void> {
  await ask(wire, 'CLIENT', 'SETNAME', CONNECTION).catch(unlessRefused)
  const clients = await ask(wire, 'CLIENT', 'LIST').catch(unlessRefused)
  const copying = String(clients ?? '')
    .split('\n')
    .filter((line) => line.includes(` name=${CONNECTION} `))
  if (copying.length <= 1) return
  throw new Trouble('redis_busy', 'another copy of the append-only file is under way', 'it passes by itself', true)
}

/** The value that is to stand afterwards: the present one, or that from before an attempt that was killed. */
async function valueToKeep(wire: Wire, dir: string, marker: string): Promise<string> {
  const present = await setting(wire, PERCENTAGE)
  if (present === undefined) {
    throw refused(`CONFIG GET ${PERCENTAGE} is refused`, 'grant +config|get and +config|set to the user of redis.url')
  }
  const markers = (await readdir(dir)).filter((name) => name.startsWith(MARKER)).map((name) => join(dir, name))
  for (const old of markers) if (old !== marker) await rm(old, { force: true })
  if (present !== '0') return present
  const kept = await readFile(marker, 'utf8').catch(() => '')
  return /^\d+$/.test(kept) ? kept : present
}

async function putBack(wire: Wire, url: string, value: string): Promise<void> {
  const set = (connection: Wire): Promise<unknown> => ask(connection, 'CONFIG', 'SET', PERCENTAGE, value)
  try {
    await set(wire).catch(() => withServer(url, set))
  } catch (error) {
    const hint = `until you do, the append-only file grows without end: CONFIG SET ${PERCENTAGE} ${value}`
    throw new Trouble('redis_refused', `${PERCENTAGE} could not be set back: ${(error as Error).message}`, hint, false)
  }
}

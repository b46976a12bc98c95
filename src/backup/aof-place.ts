import { setTimeout as delay } from 'node:timers/promises'
import { parseInfo } from '../decide/info.js'
import { Trouble } from '../errors.js'
import { type Aof, type AofPlace, readAofFiles } from '../recover/aof-files.js'
import { ask, type Wire } from '../redis/wire.js'
import { infoNumber, unlessRefused, withServer } from './server-story.js'

/** The name of the connection that switches rewrites off: who finds another of that name would remember the wrong setting. */
const CONNECTION = 'rekindle-aof'
const PERCENTAGE = 'auto-aof-rewrite-percentage'
/** What the user must set back where we cannot. */
const DEFAULT_PERCENTAGE = '100'
/** Between two looks at a rewrite, in ms. */
const PERIOD = 100
const SETTING = 'leave backup.aof (--aof) away where Redis keeps no append-only file'
const AT_HAND =
  'run Rekindle where the data directory of Redis is mounted under the same name, or leave backup.aof (--aof) away'

/** An append-only file at hand, and where it lies. */
export interface FoundAof extends Aof {
  readonly place: AofPlace
}

/**
 * Finds the append-only file of the server among the files of this machine. That they are the server's own, and not those of another
 * container with the same names, is told by their sizes, which must be what INFO says. Rejects with a Trouble.
 */
export async function findAof(wire: Wire): Promise<FoundAof> {
  const dir = await setting(wire, 'dir')
  const name = await setting(wire, 'appendfilename')
  if (dir === undefined || name === undefined) {
    throw refused(
      'CONFIG GET dir and appendfilename are refused',
      'grant +config|get and +config|set to the user of redis.url',
    )
  }
  const place = { dir, name, folder: await setting(wire, 'appenddirname') }
  const before = await persistence(wire)
  if (before.get('aof_enabled') !== '1') throw refused('Redis keeps no append-only file (appendonly no)', SETTING)
  const aof = await readAofFiles(place).catch((error) => {
    throw new Trouble('bad_folder', `${dir}: ${(error as NodeJS.ErrnoException).code ?? error}`, AT_HAND, false)
  })
  if (!aof) throw new Trouble('bad_folder', `${dir}: the append-only file of Redis is not here`, AT_HAND, false)
  const after = await persistence(wire)
  const [least, most] = [before, after].map((info) => infoNumber(info, 'aof_current_size') ?? 0)
  if (!sizesOf(aof).some((size) => size >= (least ?? 0) && size <= (most ?? 0))) {
    const what = `the append-only file here has ${sizesOf(aof)[0]} bytes, and that of Redis ${most}: it is another server's`
    throw new Trouble('bad_folder', `${dir}: ${what}`, AT_HAND, false)
  }
  return { ...aof, place }
}

/** The sizes that INFO may tell of it: with a base, but without one that was made when the server first started. */
function sizesOf({ files }: Aof): number[] {
  const sum = (parts: Aof['files']): number => parts.reduce((total, { bytes }) => total + bytes, 0)
  return [sum(files), sum(files.filter(({ type }) => type === 'incr'))]
}

/** Refuses if another Rekindle copies the same append-only file: it would take the switched-off rewrites for the user's setting. */
async function ensureAlone(wire: Wire): Promise<void> {
  await ask(wire, 'CLIENT', 'SETNAME', CONNECTION).catch(unlessRefused)
  const clients = await ask(wire, 'CLIENT', 'LIST').catch(unlessRefused)
  const copying = String(clients ?? '')
    .split('\n')
    .filter((line) => line.includes(` name=${CONNECTION} `))
  if (copying.length <= 1) return
  throw new Trouble('redis_busy', 'another copy of the append-only file is under way', 'it passes by itself', true)
}

/**
 * Runs work while the server begins no rewrite of its append-only file by itself, and none runs. The setting is put back whatever
 * happens, over a new connection if need be. Rejects with the work's error, or a Trouble.
 */
export async function withoutRewrites<T>(
  url: string,
  signal: AbortSignal,
  work: (wire: Wire) => Promise<T>,
): Promise<T> {
  return withServer(url, async (wire) => {
    await ensureAlone(wire)
    const percentage = await setting(wire, PERCENTAGE)
    if (percentage === undefined)
      throw refused(`CONFIG GET ${PERCENTAGE} is refused`, 'grant +config|get and +config|set to the user of redis.url')
    try {
      await setPercentage(wire, '0')
      await awaitNoRewrite(wire, signal)
      return await work(wire)
    } finally {
      await setPercentage(wire, percentage).catch(() => insistOnPercentage(url, percentage))
    }
  })
}

async function awaitNoRewrite(wire: Wire, signal: AbortSignal): Promise<void> {
  for (;;) {
    const info = await persistence(wire)
    if (info.get('aof_rewrite_in_progress') !== '1' && info.get('aof_rewrite_scheduled') !== '1') return
    await delay(PERIOD, undefined, { signal })
  }
}

async function setPercentage(wire: Wire, value: string): Promise<void> {
  await ask(wire, 'CONFIG', 'SET', PERCENTAGE, value)
}

async function insistOnPercentage(url: string, value: string): Promise<void> {
  try {
    await withServer(url, (wire) => setPercentage(wire, value))
  } catch (error) {
    const hint = `the append-only file grows without end until you do: CONFIG SET ${PERCENTAGE} ${value === '0' ? DEFAULT_PERCENTAGE : value}`
    throw new Trouble('redis_refused', `${PERCENTAGE} could not be set back: ${(error as Error).message}`, hint, false)
  }
}

async function setting(wire: Wire, name: string): Promise<string | undefined> {
  const reply = await ask(wire, 'CONFIG', 'GET', name).catch(unlessRefused)
  const value = Array.isArray(reply) ? reply[1] : undefined
  return value === undefined ? undefined : String(value)
}

async function persistence(wire: Wire): Promise<ReadonlyMap<string, string>> {
  return parseInfo(String(await ask(wire, 'INFO', 'persistence')))
}

function refused(what: string, hint: string): Trouble {
  return new Trouble('redis_refused', what, hint, false)
}

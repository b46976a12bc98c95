import { parseInfo } from '../decide/info.js'
import { Trouble } from '../errors.js'
import { type Aof, type AofPlace, isOfSize, readAofFiles } from '../recover/aof-files.js'
import { ask, type Wire } from '../redis/wire.js'
import { infoNumber, unlessRefused } from './server-story.js'

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
  if (!isOfSize(aof, least ?? 0, most ?? 0)) {
    const bytes = aof.files.reduce((sum, file) => sum + file.bytes, 0)
    const what = `the append-only file here has ${bytes} bytes, and that of Redis ${most}: it is another server's`
    throw new Trouble('bad_folder', `${dir}: ${what}`, AT_HAND, false)
  }
  return { ...aof, place }
}

/** A setting of the server; undefined where CONFIG GET is refused, or it has none of that name. */
export async function setting(wire: Wire, name: string): Promise<string | undefined> {
  const reply = await ask(wire, 'CONFIG', 'GET', name).catch(unlessRefused)
  const value = Array.isArray(reply) ? reply[1] : undefined
  return value === undefined ? undefined : String(value)
}

/** What INFO persistence says. */
export async function persistence(wire: Wire): Promise<ReadonlyMap<string, string>> {
  return parseInfo(String(await ask(wire, 'INFO', 'persistence')))
}

/** What Redis does not allow. */
export function refused(what: string, hint: string): Trouble {
  return new Trouble('redis_refused', what, hint, false)
}

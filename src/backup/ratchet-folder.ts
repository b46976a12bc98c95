import { access, constants, readlink, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { parseInfo } from '../decide/info.js'
import { Trouble } from '../errors.js'
import { type AofPlace, isOfSize, readAofFiles } from '../recover/aof-files.js'
import type { Reply } from '../redis/wire.js'
import { ifThere } from './files.js'
import { folderTrouble } from './folder-trouble.js'

/** Sends one command to the Redis that is guarded; rejects with its error. */
export type Ask = (...args: (string | number)[]) => Promise<Reply>

/** The folder in which the Redis that is guarded keeps its files, which is at hand here. */
export interface DataFolder {
  readonly dir: string
  /** `dbfilename`. */
  readonly dump: string
  readonly aof: AofPlace
  /** Whether Redis writes an append-only file. */
  readonly appendOnly: boolean
  readonly runId: string | undefined
}

/** Redis counts seconds, and a file system may keep its own time. */
const SECONDS_APART = 3
/** Sizes change while they are compared. */
const ATTEMPTS = 5

/**
 * Finds the data directory of a Redis, and whether the folder of that name here is really that of this Redis, since a container or
 * another host has such a folder, too. Rejects with a Trouble if it is not, or not known; and with what Redis answered otherwise.
 */
export async function findDataFolder(ask: Ask): Promise<DataFolder> {
  const [dir, dump, folder, name] = await settings(ask, 'dir', 'dbfilename', 'appenddirname', 'appendfilename')
  if (!dir || !dump || !name) throw unknown()
  const real = await ourFolder(dir)
  const aof: AofPlace = { dir: real, folder: folder || undefined, name }
  for (let attempt = 1; ; attempt++) {
    const before = await info(ask)
    const found: DataFolder = {
      dir: real,
      dump,
      aof,
      appendOnly: before.get('aof_enabled') === '1',
      runId: before.get('run_id'),
    }
    const doubt = await findDoubt(found, before, () => info(ask))
    if (!doubt) return found
    if (attempt === ATTEMPTS) throw notItsFolder(real, doubt)
  }
}

/** Whether Redis writes an append-only file now, and how many bytes it has yet to write to it; undefined where it does not tell. */
export async function readAppending(ask: Ask): Promise<{ isOn: boolean; buffered: number } | undefined> {
  // Asked at a flush, when the connection may break, and others tell of that; then it is what it was at the last look.
  const fields = parseInfo(String(await ask('INFO', 'persistence').catch(() => '')))
  const enabled = fields.get('aof_enabled')
  return enabled === undefined
    ? undefined
    : { isOn: enabled === '1', buffered: Number(fields.get('aof_buffer_length') ?? 0) }
}

async function settings(ask: Ask, ...names: string[]): Promise<(string | undefined)[]> {
  const replies = await Promise.all(names.map((name) => ask('CONFIG', 'GET', name).catch(refused)))
  return replies.map((reply) => (Array.isArray(reply) && reply.length === 2 ? String(reply[1]) : undefined))
}

async function info(ask: Ask): Promise<ReadonlyMap<string, string>> {
  return parseInfo(String(await ask('INFO').catch(refused)))
}

async function ourFolder(dir: string): Promise<string> {
  try {
    const real = await realpath(dir)
    await access(real, constants.R_OK | constants.X_OK)
    return real
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') {
      throw new Trouble(
        'bad_folder',
        `${dir}: no permission to read the data directory of Redis`,
        'run this as the user of Redis',
        false,
      )
    }
    throw new Trouble(
      'bad_folder',
      `${dir}: the data directory of Redis is not at hand here`,
      'run this on the host of Redis, or give it that folder at the same path',
      false,
    )
  }
}

/** What speaks against this being the folder of this Redis; undefined if nothing does. */
async function findDoubt(
  { dir, dump, aof, appendOnly }: DataFolder,
  before: ReadonlyMap<string, string>,
  again: () => Promise<ReadonlyMap<string, string>>,
): Promise<string | undefined> {
  // A server lives in its data directory; seen only if it is a process of this host, and ours or we are root.
  const home = await readlink(`/proc/${before.get('process_id')}/cwd`).catch(() => undefined)
  if (home === dir) return undefined
  if (appendOnly) {
    const files = await readAofFiles(aof).catch((error) => Promise.reject(folderTrouble(error, dir)))
    const after = await again()
    const size = (fields: ReadonlyMap<string, string>): number => Number(fields.get('aof_current_size'))
    if (files === undefined) return 'there is no append-only file in it'
    return isOfSize(files, size(before), size(after)) ? undefined : 'its append-only file has another size'
  }
  const savedAt = Number(before.get('rdb_last_save_time'))
  const now = Number(before.get('server_time_usec') ?? Date.now() * 1000) / 1e6
  const startedAt = now - Number(before.get('uptime_in_seconds'))
  const saves = before.get('rdb_saves')
  // Before the first save, its time is when the server was started; Redis 6 does not count them.
  if (saves === undefined ? savedAt <= startedAt + SECONDS_APART : Number(saves) === 0) return undefined
  const saved = await ifThere(stat(join(dir, dump)))
  if (!saved) return `there is no ${dump} in it`
  return Math.abs(saved.mtimeMs / 1000 - savedAt) > SECONDS_APART ? `its ${dump} is of another time` : undefined
}

function refused(error: Error): never {
  throw /^NOPERM|unknown command/.test(error.message) ? unknown(error) : error
}

function unknown(cause?: Error): Trouble {
  return new Trouble(
    'bad_folder',
    'Redis does not tell where its data directory is',
    'allow CONFIG GET and INFO to the user of Rekindle: ACL SETUSER … +config|get +info',
    false,
    { cause },
  )
}

function notItsFolder(dir: string, doubt: string): Trouble {
  return new Trouble(
    'bad_folder',
    `${dir}: not the data directory of this Redis, though of the same name: ${doubt}`,
    'run this on the host of Redis, or give it that folder at the same path',
    false,
  )
}

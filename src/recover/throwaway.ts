import { constants, cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { folderTrouble } from '../backup/folder-trouble.js'
import type { Manifest } from '../backup/manifest.js'
import { parseInfo } from '../decide/info.js'
import { Trouble } from '../errors.js'
import { connectRedis } from '../redis/connect.js'
import { isSnapshot } from './aof-cut.js'
import { readAofFiles } from './aof-files.js'
import { findAofPlace } from './find-aof.js'
import { type Tethered, tether } from './life-line.js'
import { checkMemory } from './memory.js'
import { KNOWN_MODULES, moduleFiles } from './modules.js'
import { serverProgram } from './programs.js'
import { readRdbHeader } from './rdb-header.js'
import { bootTrouble } from './server-log.js'

/** What a throwaway server boots, and the modules that it takes to read it. */
export type ThrowawaySource = (
  | { readonly kind: 'rdb'; readonly path: string }
  /** A folder as `dir` of a Redis. The server may write into it: a copy, or links, unless it is a backup; of that we make a copy. */
  | { readonly kind: 'aof'; readonly dir: string; readonly isBackup?: boolean }
) & { readonly modules: Manifest['modules'] }

/** A redis-server that holds what a backup holds, on a unix socket that only we can open; it dies with us at the latest. */
export interface Throwaway {
  readonly socket: string
  /** `redis_version` of the server. */
  readonly version: string
  /** From the start of the server until all was loaded, in ms. */
  readonly took_ms: number
  /** Ends it and removes its folder; may be called again. */
  close(): Promise<void>
}

export interface ThrowawayOptions {
  readonly signal: AbortSignal
  /** How much of the file is loaded, from 0 to 1. */
  readonly onProgress?: (share: number) => void
}

/** A path of a unix socket has room for 107 bytes, and ioredis takes a path apart as it does a URL. */
const SOCKET_LIMIT = 107
const PLAIN = /^[\w./-]+$/
/** Between looks at a server that is loading, in ms. */
const PERIOD = 20
/** Backups of servers with more databases than the usual 16 must load; an empty one costs 0.5 KB. */
const DATABASES = 16_384

/**
 * Boots a backup in a redis-server of its own. Of an RDB file it is given a link and saves nothing: it cannot change it. Rejects with
 * a Trouble if there is no redis-server, too little memory or the backup is bad, and with the signal's reason.
 */
export async function startThrowaway(source: ThrowawaySource, options: ThrowawayOptions): Promise<Throwaway> {
  const path = resolve(source.kind === 'rdb' ? source.path : source.dir)
  const program = serverProgram()
  try {
    await checkMemory(await memoryOf(source))
    options.signal.throwIfAborted()
    return await boot(source, path, program, options).catch((error: unknown) => {
      // Nobody has told which modules it needs, as of a dump.rdb from elsewhere: then all that are here.
      const isUntold = error instanceof Trouble && error.code === 'redis_no_module' && source.modules.length === 0
      if (!isUntold || moduleFiles(KNOWN_MODULES, program).length === 0) throw error
      return boot({ ...source, modules: KNOWN_MODULES }, path, program, options)
    })
  } catch (error) {
    options.signal.throwIfAborted()
    throw (error as NodeJS.ErrnoException).code === undefined ? error : folderTrouble(error, path)
  }
}

async function boot(
  source: ThrowawaySource,
  path: string,
  program: string,
  options: ThrowawayOptions,
): Promise<Throwaway> {
  const folder = await makeFolder()
  const socket = join(folder, 's')
  let server: Tethered | undefined
  const close = async (): Promise<void> => {
    await server?.cut()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const copy = source.kind === 'aof' && source.isBackup ? join(folder, 'aof') : undefined
    const files = source.kind === 'rdb' ? ['--dir', folder, '--appendonly', 'no'] : await appendOnly(path, copy ?? path)
    const modules = moduleFiles(source.modules, program).flatMap((file) => ['--loadmodule', file])
    server = await tether(folder, [program, ...settings(socket), ...files, ...modules])
    if (source.kind === 'rdb') await symlink(path, join(folder, 'dump.rdb'))
    // Sharing the blocks with the backup where the file system can; its own would be written to by the server.
    if (copy) await cp(path, copy, { recursive: true, mode: constants.COPYFILE_FICLONE })
    const startedAt = performance.now()
    server.start()
    const version = await untilLoaded(server, socket, path, options)
    return { socket, version, took_ms: Math.round(performance.now() - startedAt), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** No file of settings is read, so that these and the defaults are all that holds. */
function settings(socket: string): string[] {
  const all = {
    port: '0',
    unixsocket: socket,
    unixsocketperm: '700',
    save: '',
    databases: String(DATABASES),
    maxmemory: '0',
    'auto-aof-rewrite-percentage': '0',
    appendfsync: 'no',
    daemonize: 'no',
    logfile: '',
  }
  return Object.entries(all).flatMap(([name, value]) => [`--${name}`, value])
}

/** The settings by which a server loads, from `dir`, an append-only file by the names that it has at home. */
async function appendOnly(home: string, dir: string): Promise<string[]> {
  const { folder, name } = (await findAofPlace(home)) ?? {}
  const names = [...(folder ? ['--appenddirname', folder] : []), ...(name ? ['--appendfilename', name] : [])]
  return ['--dir', dir, '--appendonly', 'yes', ...names]
}

/** What the server will need, in bytes: what the writer of the snapshot needed, where it says so. */
async function memoryOf(source: ThrowawaySource): Promise<number> {
  const path = source.kind === 'rdb' ? source.path : await findBase(source.dir)
  return path === undefined ? 0 : Number((await readRdbHeader(path)).facts.get('used-mem') ?? 0)
}

async function findBase(dir: string): Promise<string | undefined> {
  const place = await findAofPlace(dir)
  const base = place && (await readAofFiles(place))?.files.find(({ type }) => type === 'base')
  return base && (await isSnapshot(base.path)) ? base.path : undefined
}

/** A folder that only we can enter, where the path of a socket is not too long. */
async function makeFolder(): Promise<string> {
  const fits = (dir: string): boolean =>
    Buffer.byteLength(`${dir}/rekindle-XXXXXX/s`) <= SOCKET_LIMIT && PLAIN.test(dir)
  const dir = [tmpdir(), '/tmp'].find(fits) as string
  return mkdtemp(join(dir, 'rekindle-'))
}

/** Waits until a server has loaded all; gives its version. */
async function untilLoaded(
  server: Tethered,
  socket: string,
  path: string,
  { signal, onProgress }: ThrowawayOptions,
): Promise<string> {
  let isOver = false
  void server.ended.then(() => {
    isOver = true
  })
  let redis: Redis | undefined
  try {
    for (;;) {
      signal.throwIfAborted()
      if (isOver) throw bootTrouble(path, server.log, await server.cut())
      // Until it answers it is asked again; if it ends instead, that is told above, with its log.
      redis ??= await connectRedis(socket, 'rekindle-throwaway').catch(() => undefined)
      // It may break off while it loads.
      const info = parseInfo((await redis?.info().catch(() => undefined)) ?? '')
      const version = info.get('redis_version')
      if (version !== undefined && info.get('loading') === '0') return version
      onProgress?.(Number(info.get('loading_loaded_perc') ?? 0) / 100)
      if (redis?.status === 'end') redis = undefined
      // Nothing but the signal cuts a delay short.
      await Promise.race([delay(PERIOD, undefined, { signal }), server.ended]).catch(() => signal.throwIfAborted())
    }
  } finally {
    redis?.disconnect()
  }
}

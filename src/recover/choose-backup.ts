import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { folderTrouble } from '../backup/folder-trouble.js'
import type { Manifest } from '../backup/manifest.js'
import { type Backup, ofServer, readBackup, readShelf, sourceName, worthTrying } from '../backup/shelf.js'
import type { Config } from '../config/schema.js'
import { Trouble } from '../errors.js'
import { passedOver } from './passed-over.js'
import { readRdbHeader } from './rdb-header.js'
import { sourceOf } from './source.js'
import type { ThrowawaySource } from './throwaway.js'

/** A backup to bring something back from. */
export interface Chosen {
  readonly path: string
  readonly source: ThrowawaySource
  /** In epoch ms. */
  readonly takenAt: number
  /** Of the Redis that wrote it, if it tells. */
  readonly version: string | undefined
  /** Undefined for a file that nobody has described, such as a dump.rdb from elsewhere. */
  readonly manifest: Manifest | undefined
  /** What one should know about it, a sentence each. */
  readonly warnings: readonly string[]
}

/**
 * The good backups of the Redis of the configuration, the best first: in the order in which to try them for keys of the wanted classes
 * (patterns, '' for no class; of any if there is none). One that is named comes first, whosever it is. Rejects with a Trouble if
 * there is none.
 */
export async function chooseBackups(
  { redis, backup: { dir } }: Pick<Config, 'redis' | 'backup'>,
  wanted: readonly string[],
  name?: string,
): Promise<[Chosen, ...Chosen[]]> {
  const named = name === undefined ? undefined : await chooseBackup(dir, name)
  // For a backup that is named, the others are only what could be tried next.
  const shelf = named ? await readShelf(dir).catch(() => []) : await readShelf(dir)
  const ours = ofServer(shelf, redis.url)
  const [best, ...rest] = worthTrying(ours, wanted)
  if (named) {
    const others = best ? [best, ...rest].filter(({ path }) => path !== named.path) : []
    return [warnOfSource(named, redis.url), ...others.map(describe)]
  }
  if (!best) throw noBackup(dir, shelf, ours, redis.url)
  const chosen = describe(best)
  return [{ ...chosen, warnings: [...chosen.warnings, ...passedOver(best, ours, wanted)] }, ...rest.map(describe)]
}

/** The backup of this name, of a path or of the folder of the backups. Rejects with a Trouble if there is none. */
export async function chooseBackup(dir: string, name: string): Promise<Chosen> {
  const path = await findFile(dir, name)
  const backup = await readDescribed(path)
  return backup ? describe(backup) : chooseFile(path)
}

/** The full name of a backup that is named by its path, or by its name in the folder of the backups. */
export async function findFile(dir: string, name: string): Promise<string> {
  for (const path of [resolve(name), resolve(join(dir, name))]) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
      throw folderTrouble(error, path)
    })
    if (found) return path
  }
  throw new Trouble('no_backup', `${name}: no such backup`, 'rekindle backup list names them', false)
}

/** The backup of this path, undefined if it has no manifest. Rejects with a Trouble if it may not be read. */
export function readDescribed(path: string): Promise<Backup | undefined> {
  return readBackup(path).catch((error) => Promise.reject(folderTrouble(error, path)))
}

/** Says that only what has a manifest will do. */
export function notDescribed(path: string): Trouble {
  return new Trouble('no_backup', `${path} has no manifest`, 'name one of rekindle backup list', false)
}

/** Says why none of the backups of a folder will do; `naming` is what stands before the name of one. */
export function noBackup(
  dir: string,
  shelf: readonly Backup[],
  ours: readonly Backup[],
  url: string,
  naming = '--backup',
): Trouble {
  const [other] = shelf
  if (ours.length > 0)
    return none(
      `${dir}: every backup has failed its last proof`,
      'take one: rekindle backup; or name a file: --backup FILE',
    )
  if (!other) return none(`${dir}: there is no backup`, 'take one: rekindle backup; or name a file: --backup FILE')
  const sources = [...new Set(shelf.map(({ manifest }) => manifest.source))].join(', ')
  return none(
    `${dir}: there is no backup of ${sourceName(url)}, only of ${sources}`,
    `if that is the one you mean, name it: ${naming} ${basename(other.path)} (of ${other.manifest.source})`,
  )
}

function none(what: string, hint: string): Trouble {
  return new Trouble('no_backup', what, hint, false)
}

async function chooseFile(path: string): Promise<Chosen> {
  try {
    const stats = await stat(path)
    if (stats.isDirectory()) throw notDescribed(path)
    const { facts } = await readRdbHeader(path)
    return {
      path,
      source: { kind: 'rdb', path, modules: [] },
      takenAt: Number(facts.get('ctime') ?? 0) * 1000 || stats.mtimeMs,
      version: facts.get('redis-ver'),
      manifest: undefined,
      warnings: [`${path} has no manifest: it is taken as it is, unproved`],
    }
  } catch (error) {
    throw folderTrouble(error, path)
  }
}

function warnOfSource(chosen: Chosen, url: string): Chosen {
  const source = chosen.manifest?.source
  if (source === undefined || source === sourceName(url)) return chosen
  return { ...chosen, warnings: [...chosen.warnings, `${chosen.path} is of ${source}, and not of ${sourceName(url)}`] }
}

function describe(backup: Backup): Chosen {
  const { path, manifest } = backup
  const hasFailed = manifest.proof?.ok === false
  return {
    path,
    source: sourceOf(backup),
    takenAt: Date.parse(manifest.taken_at),
    version: manifest.redis_version ?? undefined,
    manifest,
    warnings: hasFailed ? [`${path} has failed its last proof: ${manifest.proof?.differences.join('; ')}`] : [],
  }
}

import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { folderTrouble } from '../backup/folder-trouble.js'
import type { Manifest } from '../backup/manifest.js'
import { type Backup, newestGood, readBackup, readShelf } from '../backup/shelf.js'
import { Trouble } from '../errors.js'
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
 * The backup of this name, of a path or of the folder of the backups; or the newest good one. Rejects with a Trouble if there is none.
 */
export async function chooseBackup(dir: string, name: string | undefined): Promise<Chosen> {
  if (name !== undefined) return chooseFile(await findFile(dir, name))
  const backups = await readShelf(dir)
  const newest = newestGood(backups)
  if (newest) return describe(newest)
  const hint = 'take one: rekindle backup; or name a file: --backup FILE'
  const which = backups.length > 0 ? 'every backup has failed its last proof' : 'there is no backup'
  throw new Trouble('no_backup', `${dir}: ${which}`, hint, false)
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

async function chooseFile(path: string): Promise<Chosen> {
  const backup = await readDescribed(path)
  if (backup) return describe(backup)
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

/** Says that only what has a manifest will do. */
export function notDescribed(path: string): Trouble {
  return new Trouble('no_backup', `${path} has no manifest`, 'name one of rekindle backup list', false)
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

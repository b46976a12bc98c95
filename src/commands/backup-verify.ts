import { resolve } from 'node:path'
import { type Backup, ofServer, readShelf, worthProving } from '../backup/shelf.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import { readSymbols } from '../detect/roster.js'
import { Trouble } from '../errors.js'
import { findFile, noBackup, notDescribed, readDescribed } from '../recover/choose-backup.js'
import { type Drill, drill } from '../recover/drill.js'
import type { Answer } from './answer.js'
import { sayDuration } from './patience.js'
import { count, number } from './progress.js'
import { type Session, withSession } from './session.js'

/** A drill takes as long as it takes; nobody is waited for. In ms. */
const NO_LIMIT = 2 ** 31 - 1

/**
 * Proves the named backup, the newest of each kind of this Redis, or all of them, by booting each in a server of its own. Rejects with a
 * Trouble where nothing can be said about it.
 */
export async function verifyBackups(
  config: Config,
  { all = false }: { readonly all?: boolean },
  file: string | undefined,
): Promise<Answer> {
  if (all && file !== undefined) throw configError('--all', 'goes without a file')
  const backups = await choose(config, file, all)
  return withSession(config, NO_LIMIT, async (session) => {
    const drills: Drill[] = []
    try {
      for (const backup of backups) drills.push(await prove(session, backup))
    } catch (error) {
      if (!(error instanceof Trouble)) throw error
      return report(drills, error)
    }
    return report(drills)
  })
}

async function choose(
  { backup: { dir }, redis: { url } }: Config,
  file: string | undefined,
  all: boolean,
): Promise<Backup[]> {
  if (file !== undefined) {
    const path = await findFile(dir, file)
    const backup = await readDescribed(path)
    if (backup) return [backup]
    throw notDescribed(path)
  }
  const backups = await readShelf(dir)
  if (backups.length === 0)
    throw new Trouble('no_backup', `${resolve(dir)}: there is no backup`, 'rekindle backup takes one', false)
  if (all) return backups
  const ours = ofServer(backups, url)
  if (ours.length === 0) throw noBackup(dir, backups, ours, url, 'rekindle backup verify')
  return worthProving(ours)
}

function prove({ config, db, datasets, patience, progress }: Session, backup: Backup): Promise<Drill> {
  const truth = { db, datasets, readSymbols: () => readSymbols(db, config) }
  const onProgress = (share: number): void => progress.show('Booting', share, [backup.path])
  const onChecking = (share: number): void => progress.show('Checking', share, [backup.path])
  const { signal } = patience
  return drill(backup, { truth: datasets.length > 0 ? truth : undefined, signal, onChecking, onProgress })
}

function report(drills: readonly Drill[], end?: Trouble): Answer {
  const bad = drills.flatMap(({ backup: { path }, proof }) =>
    proof.differences.map(
      (difference) => new Trouble('bad_backup', `${path}: ${difference}`, 'use another: rekindle backup list', false),
    ),
  )
  return {
    lines: drills.flatMap(say),
    data: { backups: drills.map(tell) },
    troubles: [...bad, ...(end ? [end] : [])],
  }
}

function say({ backup: { path }, proof, shares, remarks }: Drill): string[] {
  if (!proof.ok) return [`${path} is BAD.`]
  const { keys, took_ms, redis_version } = proof
  const booted = `redis-server ${redis_version} had its ${count(keys, 'key')} after ${sayDuration(took_ms)}`
  return [
    `${path} is proved: ${booted}.`,
    ...shares.map(
      ({ dataset, wanted, found }) =>
        `  ${dataset}: ${number(found)} of ${count(wanted, 'key')} that PostgreSQL wants now`,
    ),
    ...remarks.map((remark) => `  ${remark}`),
  ]
}

function tell({ backup: { path, manifest }, proof, shares, remarks }: Drill): object {
  return { path, taken_at: manifest.taken_at, ...proof, postgres: shares, remarks }
}

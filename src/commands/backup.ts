import { resolve } from 'node:path'
import { Option } from 'commander'
import { pruneBackups } from '../backup/prune.js'
import { backUp, type Round, withBackup } from '../backup/round.js'
import { type Backup, readShelf } from '../backup/shelf.js'
import { sayBytes } from '../backup/space.js'
import { parseDuration } from '../config/duration.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import { connectWire } from '../redis/connect.js'
import { ask } from '../redis/wire.js'
import type { Answer } from './answer.js'
import { type ActName, type BackupOptions, readCall } from './backup-call.js'
import { showBackups } from './backup-list.js'
import { verifyBackups } from './backup-verify.js'
import type { Add } from './command.js'
import { insistOnRedis } from './insist.js'
import { sayDuration } from './patience.js'
import { count, type Progress } from './progress.js'
import { type Session, troubleOf, withSession } from './session.js'

/** One thing to do with backups, in the folder of the configuration; `file` is what stands behind it. */
export type BackupAct = (config: Config, options: BackupOptions, file: string | undefined) => Promise<Answer>

export const ACTS: Readonly<Record<ActName, BackupAct>> = {
  now: backupNow,
  list: listBackups,
  prune,
  verify: verifyBackups,
}

/** How long Redis may be away or silent, in ms. */
const SILENCE = 60_000

export function addBackup(add: Add): void {
  add<BackupOptions>(
    'backup [act] [file]',
    'take, list, prove and clear up backups of Redis',
    'now (also if nothing is said) takes a backup over the network, checks it and removes what backup.keep no longer ' +
      'keeps; list shows what there is; prune only removes; verify boots the newest, or the named one, in a redis-server ' +
      'of its own and exits with 1 if it is bad. Needs no access to the files of Redis, but for --aof.',
    (config, options, args) => ACTS[readCall(options, args)](withBackup(config, options), options, args[1]),
  )
    .option('--dir <folder>', 'the folder of the backups; else backup.dir')
    .option('--aof', 'with now: copy the append-only file, too, where the data directory of Redis is at hand')
    .option('--all', 'with verify: every backup')
    .option('--dry-run', 'with prune: only name what would be removed')
    .addOption(
      new Option(
        '-t, --timeout <duration>',
        'with now: how long to wait while Redis is away or says nothing; else 60s',
      ).argParser(readTimeout),
    )
}

function readTimeout(value: string): number {
  try {
    return parseDuration(value)
  } catch (error) {
    throw configError('--timeout', `${JSON.stringify(value)} ${(error as Error).message}`)
  }
}

/** Takes a backup now, with all that belongs to it. Rejects with a Trouble if none could be taken. */
function backupNow(config: Config, { timeout = SILENCE }: BackupOptions): Promise<Answer> {
  return withSession(config, timeout, async (session) => {
    await awaitRedis(session)
    const { progress, patience, server } = session
    const onCheck = (): void => progress.say('Checking …')
    const options = { config, signal: patience.signal, silence: timeout, onProgress: showProgress(progress), onCheck }
    try {
      return tellRound(await backUp(options))
    } catch (error) {
      throw troubleOf(error, server)
    }
  })
}

/** Draws how much has come, and how fast since the first byte came. */
function showProgress(progress: Progress): (bytes: number, total: number | undefined) => void {
  let begunAt: number | undefined
  return (bytes, total) => {
    if (bytes > 0) begunAt ??= Date.now()
    if (!progress.isDue) return
    const rate = `${sayBytes(Math.round((bytes / Math.max(1, Date.now() - (begunAt ?? 0))) * 1000))}/s`
    if (bytes === 0) progress.say('Waiting for Redis to begin …')
    else if (total) progress.show('Backing up', bytes / total, [`${sayBytes(bytes)} of ${sayBytes(total)}`, rate])
    else progress.say(`Backing up ${sayBytes(bytes)} · ${rate}`)
  }
}

/** Waits, within the time allowed, until Redis can be reached and has its data; from then on only its silence counts. */
async function awaitRedis({ config, patience, server }: Session): Promise<void> {
  await insistOnRedis(patience, config.redis.url, async () => {
    try {
      const wire = await connectWire(config.redis.url, 'rekindle-backup')
      await ask(wire, 'PING').finally(() => wire.close())
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOPERM')) return
      throw troubleOf(error, server)
    }
  })
  patience.close()
}

function tellRound({ taken, removed, troubles }: Round): Answer {
  const warnings = taken.flatMap((each) => each.warnings)
  return {
    lines: [
      ...taken.map(({ backup }) => sayTaken(backup)),
      ...warnings.map((warning) => `Warning: ${warning}.`),
      ...(removed.length > 0 ? [`Removed ${count(removed.length, 'backup')} that backup.keep no longer keeps.`] : []),
    ],
    data: {
      backups: taken.map(({ backup }) => tellBackup(backup)),
      warnings,
      removed: removed.map(({ path }) => path),
    },
    troubles,
  }
}

function sayTaken({ path, manifest: { kind, keys, bytes, took_ms, checked } }: Backup): string {
  const what = kind === 'aof' ? 'the append-only file' : keys ? count(keys.total, 'key') : 'Redis'
  const state = checked === 'ok' ? 'checked' : 'unchecked'
  return `Backed up ${what} (${sayBytes(bytes)}, ${state}) in ${sayDuration(took_ms)}: ${path}`
}

/** Shows all backups of the folder, newest first. */
async function listBackups({ backup: { dir } }: Config): Promise<Answer> {
  const backups = await readShelf(dir)
  return {
    lines: backups.length > 0 ? showBackups(backups, Date.now()) : [`There are no backups in ${resolve(dir)}.`],
    data: { dir: resolve(dir), backups: backups.map(tellBackup) },
    troubles: [],
  }
}

async function prune(
  { redis: { url }, backup: { dir, keep } }: Config,
  { dryRun = false }: BackupOptions,
): Promise<Answer> {
  const { removed, kept } = await pruneBackups({ dir, url, keep, dryRun })
  const act = dryRun ? 'Would remove' : 'Removed'
  return {
    lines: [
      ...removed.map(({ path }) => `${act} ${path}`),
      `${act} ${count(removed.length, 'backup')}, ${dryRun ? 'keep' : 'kept'} ${kept.length}.`,
    ],
    data: { dry_run: dryRun, removed: removed.map(({ path }) => path), kept: kept.map(({ path }) => path) },
    troubles: [],
  }
}

function tellBackup({ path, manifest }: Backup): object {
  return { path, ...manifest }
}

import { Option } from 'commander'
import { pruneBackups } from '../backup/prune.js'
import { withBackup } from '../backup/round.js'
import { parseDuration } from '../config/duration.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import type { Answer } from './answer.js'
import { type ActName, type BackupOptions, readCall } from './backup-call.js'
import { listBackups } from './backup-list.js'
import { backUpNow } from './backup-now.js'
import { verifyBackups } from './backup-verify.js'
import type { Add } from './command.js'
import { count } from './progress.js'

/** One thing to do with backups, in the folder of the configuration; `file` is what stands behind it. */
export type BackupAct = (config: Config, options: BackupOptions, file: string | undefined) => Promise<Answer>

export const ACTS: Readonly<Record<ActName, BackupAct>> = {
  now: backUpNow,
  list: listBackups,
  prune,
  verify: verifyBackups,
}

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

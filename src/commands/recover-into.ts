import type { Config } from '../config/schema.js'
import { chooseBackups } from '../recover/choose-backup.js'
import { classesWanted } from '../recover/choose-keys.js'
import { type Prepared, prepareDirectory } from '../recover/data-directory.js'
import type { Answer } from './answer.js'
import { nameNext } from './next-backup.js'
import { withSession } from './session.js'

/** Copying takes as long as it takes. In ms. */
const NO_LIMIT = 2 ** 31 - 1

/** Prepares the data directory of a stopped server, and says what to do next. Rejects with a Trouble. */
export function recoverInto(config: Config, dir: string, file: string | undefined): Promise<Answer> {
  return withSession(config, NO_LIMIT, async ({ patience, progress }) => {
    const [backup, ...others] = await chooseBackups(config, classesWanted(config, []), file)
    const prepared = await prepareDirectory({
      dir,
      backup,
      redisUrl: config.redis.url,
      signal: patience.signal,
      onProgress: (share) => progress.show('Copying', share, [backup.path]),
    }).catch((error) => Promise.reject(nameNext(error, others)))
    const taken = new Date(backup.takenAt).toISOString()
    const { snapshots, aof, aside = null } = prepared
    const warnings = [...backup.warnings, ...prepared.warnings]
    return {
      lines: [
        ...warnings.map((warning) => `Warning: ${warning}.`),
        `Prepared ${prepared.dir} from ${backup.path}, which was taken at ${taken}.`,
        ...nextSteps(prepared),
      ],
      data: {
        backup: backup.path,
        taken_at: taken,
        warnings,
        dir: prepared.dir,
        snapshots,
        aof,
        aside,
      },
      troubles: [],
    }
  })
}

function nextSteps({ dir, snapshots, aof, aside, isForeign }: Prepared): string[] {
  return [
    ...(aside ? [`What stood there lies in ${aside}; remove it when all is well.`] : []),
    ...(isForeign ? [`The files are yours, but ${dir} is not: let the user of the server read and write them.`] : []),
    'Start the server now:',
    `  with appendonly yes it loads ${aof}`,
    snapshots.length > 0
      ? `  with appendonly no it loads ${snapshots.join(' or ')}`
      : '  with appendonly no it would start empty: this backup is an append-only file',
    'If its dbfilename, appenddirname or appendfilename are others, rename these first.',
    'Then rekindle restore brings what PostgreSQL has up to date.',
  ]
}

import { basename } from 'node:path'
import { Cron } from 'croner'
import { type Backup, newestGood, ofServer, readShelf } from '../backup/shelf.js'
import type { Config } from '../config/schema.js'
import type { BackupFacts } from '../decide/risks-facts.js'
import { Trouble } from '../errors.js'

export interface BackupsRead {
  readonly facts: BackupFacts | undefined
  /** The newest backup of this server that has not failed its proof. */
  readonly newest: Backup | undefined
  /** All of this server, newest first. */
  readonly all: readonly Backup[]
  /** Why the folder could not be read. */
  readonly trouble?: Trouble
}

/** How long after its time a backup may still be on its way, in ms. */
const GRACE = 3_600_000

/** Reads which backups of the Redis in the configuration there are; nothing is known where the folder cannot be read. */
export async function readBackups({ redis, backup }: Config, now: number): Promise<BackupsRead> {
  const { dir, schedule, drill } = backup
  let shelf: Backup[]
  try {
    shelf = await readShelf(dir)
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return { facts: undefined, newest: undefined, all: [], trouble: error }
  }
  const ours = ofServer(shelf, redis.url)
  const taken = ({ manifest }: Backup): number => Date.parse(manifest.taken_at)
  const proofs = ours
    .flatMap(({ path, manifest: { proof } }) => (proof ? [{ path, proof, at: Date.parse(proof.at) }] : []))
    .sort((a, b) => b.at - a.at)
  const [last] = proofs
  const newest = newestGood(ours)
  const oldest = ours.at(-1)
  return {
    newest,
    all: ours,
    facts: {
      dir,
      scheduled: schedule !== undefined,
      due: schedule === undefined ? undefined : lastTime(schedule, now - GRACE),
      alertAfter: drill ? drill.alert_after : undefined,
      newest: newest && taken(newest),
      oldest: oldest && taken(oldest),
      proved: proofs.find(({ proof }) => proof.ok)?.at,
      failed:
        last && !last.proof.ok
          ? { file: basename(last.path), why: last.proof.differences[0] ?? 'it does not hold what it should' }
          : undefined,
    },
  }
}

function lastTime(schedule: string, before: number): number | undefined {
  return new Cron(schedule, { paused: true }).previousRuns(1, new Date(before))[0]?.getTime()
}

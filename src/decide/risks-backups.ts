/** Findings about backups: whether there are any, how old, and whether one was ever proved. */

import type { Risk } from '../model.js'
import { type BackupFacts, isAtStake, type RiskFacts } from './risks-facts.js'
import { saySpan, sayStake } from './risks-words.js'

const DAY = 86_400_000

/** Libraries that a Redis which comes back empty would lack. Of a cache that nobody backs up, nothing is asked. */
export function* functionRisks({ stake, backups, functions }: RiskFacts): Generator<Risk> {
  const { missing = [] } = functions ?? {}
  const isBackedUp = backups !== undefined && (backups.scheduled || backups.newest !== undefined)
  if (missing.length === 0 || !(isBackedUp || isAtStake(stake))) return
  const names = missing.join(', ')
  yield {
    code: 'functions_unsaved',
    severity: 'note',
    message: `No good backup holds the function ${missing.length === 1 ? 'library' : 'libraries'} ${names}: a Redis that comes back empty would not know ${missing.length === 1 ? 'it' : 'them'}.`,
    mend: 'rekindle backup; or have whoever deploys them load them after each start of Redis',
  }
}

export function* backupRisks({ at, stake, backups, host }: RiskFacts): Generator<Risk> {
  if (!backups || !isAtStake(stake)) return
  const { dir, scheduled, newest, due, failed } = backups
  if (newest === undefined) {
    yield {
      code: 'no_backup',
      severity: 'risk',
      message: `There is no ${failed ? 'good ' : ''}backup of this server in ${dir}, for ${sayStake(stake)}.`,
      mend: 'rekindle backup',
    }
  } else if (due !== undefined && newest < due) {
    yield {
      code: 'backup_old',
      severity: 'risk',
      message: `The newest good backup is ${saySpan(at - newest)} old; by the schedule there should be one of ${saySpan(at - due)} ago.`,
      mend: 'rekindle backup; and see that rekindle watch is running',
    }
  }
  if (!scheduled) {
    const isWanted = stake.backup > 0 || (stake.absent ?? []).length > 0
    const isFresh = newest !== undefined && at - newest < DAY
    yield {
      code: 'no_schedule',
      severity: isWanted && !isFresh ? 'risk' : 'note',
      message: 'No backups are scheduled: the configuration has no backup.schedule.',
      mend: 'backup: { schedule: "0 2 * * *" }, and rekindle watch',
    }
  }
  if (failed) {
    yield {
      code: 'proof_failed',
      severity: 'risk',
      message: `The last proof failed: ${failed.file}: ${failed.why}.`,
      mend: 'rekindle backup, then rekindle backup verify',
    }
  }
  yield* proofRisks(at, backups)
  if (host?.sharesDisk && newest !== undefined) {
    yield {
      code: 'backup_same_disk',
      severity: 'note',
      message: `The backups in ${dir} are on the same disk as the data: they are lost together.`,
      mend: 'backup: { dir: … } on another disk, or backup: { after: [ … ] } to copy them away',
    }
  }
}

function* proofRisks(at: number, { alertAfter, newest, oldest, proved }: BackupFacts): Generator<Risk> {
  if (alertAfter === undefined || newest === undefined) return
  const mend = 'rekindle backup verify'
  if (proved !== undefined) {
    if (at - proved <= alertAfter) return
    const message = `The last proof that a backup can be restored is ${saySpan(at - proved)} old.`
    yield { code: 'proof_old', severity: 'risk', message, mend }
    return
  }
  const isLate = oldest !== undefined && at - oldest > alertAfter
  const message = 'No backup was ever proved by restoring it.'
  yield { code: 'proof_old', severity: isLate ? 'risk' : 'note', message, mend }
}

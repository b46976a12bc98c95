import { Trouble } from '../errors.js'
import type { Chosen } from '../recover/choose-backup.js'

/** Where a backup is bad: names the next one that is not known to be. Any other error stays as it is. */
export function nameNext(error: unknown, [next]: readonly Chosen[]): unknown {
  if (!(error instanceof Trouble && error.code === 'bad_backup') || !next) return error
  const taken = new Date(next.takenAt).toISOString()
  return new Trouble(error.code, error.message, `use the next one, of ${taken}: --backup ${next.path}`, error.passing)
}

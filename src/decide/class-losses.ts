import type { Recovery } from '../model.js'
import { shellQuote } from './shell-quote.js'

/** One class of keys as it was last counted; `match` and `recovery` null for the keys of which nobody has said anything. */
export interface ClassCount {
  readonly match: string | null
  readonly recovery: Recovery | null
  readonly impact: string | undefined
  readonly keys: number
  /** When they were counted, in epoch ms. */
  readonly at: number
}

/** What a loss took of one class. */
export interface ClassShare extends ClassCount {
  /** How many keys are gone, as far as is known; undefined where it is not. */
  readonly gone: number | undefined
}

/**
 * How many keys of a class are gone, judged by a sample of those that were there: `asked` of them should still stand, `missing` do
 * not. Without any to ask, nothing is known.
 */
export function goneOf({ keys }: Pick<ClassCount, 'keys'>, asked: number, missing: number): number | undefined {
  if (keys === 0) return 0
  return asked === 0 ? undefined : Math.round((keys * missing) / asked)
}

/** What is gone of a class that counts as wiped out: its writers may have begun anew in the moment until it was noticed. */
const WIPED_OUT = 0.9

/**
 * True if next to nothing of a class is left of what there was. Where more is left, an old backup would bring back what was removed
 * on purpose.
 */
export function isWipedOut({ keys, gone }: Pick<ClassShare, 'keys' | 'gone'>): boolean {
  return keys > 0 && gone !== undefined && gone >= WIPED_OUT * keys
}

/** What brings a class back, in a few words with the command; `newest` is the newest good backup that is known of. */
export function comesBack(
  { match, recovery }: Pick<ClassCount, 'match' | 'recovery'>,
  newest: { readonly path: string; readonly takenAt: string } | undefined,
  auto: boolean,
  isOfDataset = true,
  isReadable = true,
): string {
  if (recovery === 'postgres')
    return isOfDataset ? 'from PostgreSQL, by itself, now' : 'from PostgreSQL, but by no dataset of Rekindle'
  if (recovery === 'itself') return 'by its own writers'
  if (!newest && !isReadable)
    return 'perhaps from a backup: backup.dir cannot be read; `rekindle undo` may find what Redis kept'
  if (!newest) return 'by nothing: there is no backup; `rekindle undo` may still find what Redis kept'
  if (recovery === null) return `unknown: no class matches; a backup of ${newest.takenAt} may hold it`
  const from = `from the backup of ${newest.takenAt}`
  return auto
    ? `${from}, by itself, if nothing is left`
    : `${from}: rekindle recover --match ${shellQuote(match ?? '')}`
}

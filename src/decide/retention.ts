import type { Recovery } from '../model.js'

/** What retention needs to know of a backup. */
export interface Keepable {
  readonly kind: string
  /** ISO 8601. */
  readonly taken_at: string
  /** The database that the classes are about. */
  readonly database: number
  readonly keys: {
    readonly databases: Readonly<Record<string, number>>
    /** Every key of that database is in one of these, but for Rekindle's own. */
    readonly classes: readonly {
      readonly match: string | null
      readonly recovery: Recovery | null
      readonly keys: number
    }[]
  } | null
  readonly proof: { readonly ok: boolean } | null
}

const DAY = 24 * 3600_000

/**
 * Those of one server's backups that are no longer to be kept, oldest last. One is kept, among those of its kind and database, while
 * it is one of the `last` newest or younger than `days`. What failed its proof or holds no key takes no place from the others: a
 * Redis that has lost everything and is backed up night after night must not drive the good backups out.
 *
 * Never given are, whatever their age: the newest good one, the newest that was proved, the newest that holds keys, and for each
 * class that only a backup brings back, the newest that still holds keys of it.
 */
export function expendable<T extends Keepable>(
  backups: readonly T[],
  { last, days }: { readonly last: number; readonly days: number },
  now: number,
): T[] {
  const newestFirst = [...backups].sort((a, b) => Date.parse(b.taken_at) - Date.parse(a.taken_at))
  return newestFirst.filter((backup, i) => {
    const isKin = ({ kind, database }: T): boolean => kind === backup.kind && database === backup.database
    const kin = newestFirst.filter(isKin)
    const newer = newestFirst.slice(0, i).filter(isKin)
    const places = isWorthy(backup) ? newer.filter(isWorthy) : newer
    const isYoung = now - Date.parse(backup.taken_at) < days * DAY
    return places.length >= last && !isYoung && !treasures(kin).has(backup)
  })
}

/** Those of kin, newest first, that are never removed. */
function treasures<T extends Keepable>(kin: readonly T[]): ReadonlySet<T> {
  const good = kin.filter(isGood)
  const classes = (kin[0]?.keys?.classes ?? []).filter(({ recovery }) => recovery === 'backup')
  const kept = [
    good[0],
    kin.find(({ proof }) => proof?.ok),
    good.find(isWorthy),
    ...classes.map(({ match }) => good.find((backup) => keysOf(backup, match) > 0)),
  ]
  return new Set(kept.filter((backup) => backup !== undefined))
}

function isGood({ proof }: Keepable): boolean {
  return proof?.ok ?? true
}

function isWorthy(backup: Keepable): boolean {
  return isGood(backup) && keysHeld(backup) !== 0
}

/** How many keys a backup holds, without the marks that Rekindle itself writes into an empty Redis; undefined if that is unknown. */
export function keysHeld({ database, keys }: Pick<Keepable, 'database' | 'keys'>): number | undefined {
  if (!keys) return undefined
  const others = Object.entries(keys.databases).filter(([db]) => Number(db) !== database)
  return [...others.map(([, count]) => count), ...keys.classes.map((each) => each.keys)].reduce((a, b) => a + b, 0)
}

function keysOf({ keys }: Keepable, match: string | null): number {
  return keys?.classes.find((each) => each.match === match)?.keys ?? 0
}

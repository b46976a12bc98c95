import { type Backup, newestGood } from '../backup/shelf.js'
import type { GoneClass } from '../decide/risks-facts.js'
import type { KeyClass } from '../model.js'
import type { Census } from './census.js'

/**
 * The classes of recovery `backup` of which a census that saw every key has none, while the newest good backup that counted them holds
 * some that had no time to live. `backups` are of this server, newest first.
 */
export function goneClasses(
  declared: readonly KeyClass[],
  { classes, exact }: Pick<Census, 'classes' | 'exact'>,
  backups: readonly Backup[],
  database: number,
): GoneClass[] {
  if (!exact) return []
  const present = new Set(classes.flatMap(({ class: its, keys }) => (its && keys > 0 ? [its.match] : [])))
  return declared.flatMap(({ match, recovery, impact }): GoneClass[] => {
    if (recovery !== 'backup' || present.has(match)) return []
    const countOf = ({ manifest: { keys, ...its } }: Backup) =>
      its.database === database ? keys?.classes.find((each) => each.match === match) : undefined
    const newest = newestGood(backups.filter((backup) => countOf(backup)))
    const counted = newest && countOf(newest)
    const keys = counted ? counted.keys - counted.expiring : 0
    return newest && keys > 0 ? [{ match, impact, keys, takenAt: Date.parse(newest.manifest.taken_at) }] : []
  })
}

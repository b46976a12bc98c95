import { basename } from 'node:path'
import type { Backup } from '../backup/shelf.js'

/** How many are named. */
const NAMED = 3
/** An append-only file is copied after the snapshot of the same round, in ms: it is no newer to speak of. */
const ROUND = 60_000

/**
 * Says which backups of the same server are newer than the one that was chosen, and why they were passed over, in a sentence; none
 * if there are none. `ours` is newest first.
 */
export function passedOver(chosen: Backup, ours: readonly Backup[], wanted: readonly string[]): string[] {
  const newer = ours
    .slice(0, ours.indexOf(chosen))
    .filter((each) => each.manifest.kind === 'rdb' || takenAt(each) - takenAt(chosen) > ROUND)
  if (newer.length === 0) return []
  const reasons = newer.slice(0, NAMED).map((each) => `${basename(each.path)} ${reason(each, wanted)}`)
  const more = newer.length > NAMED ? [`and ${newer.length - NAMED} more`] : []
  return [`newer backups were passed over: ${[...reasons, ...more].join('; ')}`]
}

function reason({ manifest: { proof, kind, keys } }: Backup, wanted: readonly string[]): string {
  if (proof?.ok === false) return 'has failed its last proof'
  if (keys?.total === 0) return 'holds no key at all'
  if (kind === 'aof') return 'is an append-only file, whose keys nobody has counted'
  const names = wanted.filter((match) => match !== '')
  return names.length > 0 ? `holds no key of ${names.join(' or ')}` : 'holds no key that is wanted'
}

function takenAt({ manifest }: Backup): number {
  return Date.parse(manifest.taken_at)
}

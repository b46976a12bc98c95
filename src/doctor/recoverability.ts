import type { Backup } from '../backup/shelf.js'
import type { KeyClass, Recovery } from '../model.js'
import type { Census, SizedClass } from './census.js'

export interface HoldingBackup {
  /** In epoch ms. */
  readonly takenAt: number
  readonly provedAt: number | undefined
  /** How many keys of the class it holds; undefined where its manifest does not say. */
  readonly keys: number | undefined
}

/** What would become of the keys of one class if Redis lost everything now. */
export interface Fate {
  /** Undefined: the keys of no class. */
  readonly class: KeyClass | undefined
  readonly keys: number
  readonly exact: boolean
  readonly bytes: number | undefined
  readonly from: Recovery | 'nothing'
  /** Of the newest good backup, where that is what brings them back. */
  readonly backup: HoldingBackup | undefined
}

/** Ordered by how much there is to worry about. */
const ORDER: readonly Fate['from'][] = ['nothing', 'backup', 'itself', 'postgres']

/** The fate of each class present, the worst first. A backup only counts for a class if it holds keys of it. */
export function fatesOf({ classes }: Pick<Census, 'classes'>, newest: Backup | undefined, database: number): Fate[] {
  const fates = classes.map((its) => fateOf(its, newest?.manifest.database === database ? newest : undefined))
  return fates.sort((a, b) => ORDER.indexOf(a.from) - ORDER.indexOf(b.from) || b.keys - a.keys)
}

function fateOf({ class: its, keys, exact, bytes }: SizedClass, newest: Backup | undefined): Fate {
  const fate = { class: its, keys, exact, bytes }
  if (its && its.recovery !== 'backup') return { ...fate, from: its.recovery, backup: undefined }
  const held = newest && heldBy(newest, its)
  if (!newest || held === 0) return { ...fate, from: 'nothing', backup: undefined }
  const { taken_at, proof } = newest.manifest
  const provedAt = proof?.ok ? Date.parse(proof.at) : undefined
  return { ...fate, from: 'backup', backup: { takenAt: Date.parse(taken_at), provedAt, keys: held } }
}

/** How many keys of a class a backup holds; a manifest does not know classes that were named after it was written. */
function heldBy({ manifest: { keys } }: Backup, its: KeyClass | undefined): number | undefined {
  if (keys?.total === 0) return 0
  return keys?.classes.find(({ match }) => match === (its?.match ?? null))?.keys
}

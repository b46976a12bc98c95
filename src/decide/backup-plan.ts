/** When the daemon takes a backup it has missed, and when it proves one. Times in epoch ms, durations in ms. */

/** True if a scheduled backup was missed, for instance while the machine was off: the newest is older than the last time one was due. */
export function isBackupMissed(newestTakenAt: number | undefined, lastDue: number | undefined): boolean {
  // Where there is none yet, the schedule is new, and its first time comes.
  return newestTakenAt !== undefined && lastDue !== undefined && newestTakenAt < lastDue
}

/** True if a backup is to be proved: there is one, and the last proof of any, good or bad, is at least `every` ago. */
export function isDrillDue(provedAt: readonly (number | undefined)[], every: number, now: number): boolean {
  const last = Math.max(...provedAt.map((at) => at ?? Number.NEGATIVE_INFINITY))
  return provedAt.length > 0 && now - last >= every
}

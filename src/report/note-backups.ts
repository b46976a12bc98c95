import type { Backups } from './board.js'
import type { LogEvent } from './events.js'
import { cut } from './ring.js'

/** Takes in what an event tells about backups. */
export function noteBackups(backups: Backups, event: LogEvent, at: number): void {
  switch (event.event) {
    case 'backups_seen':
      backups.count = event.count
      backups.newestAt = time(event.newest_taken_at)
      backups.newestBytes = event.newest_bytes
      backups.provedAt = time(event.last_proved_at)
      backups.proofOk = event.last_proof_ok
      backups.proofMs = event.last_proof_took_ms
      return
    case 'backup':
      backups.count = Math.max(0, (backups.count ?? 0) + 1 - event.removed.length)
      backups.newestAt = at
      backups.newestBytes = event.bytes
      if (backups.failure?.stage !== 'drill') backups.failure = undefined
      return
    case 'drill':
      backups.provedAt = at
      backups.proofOk = true
      backups.proofMs = event.took_ms
      if (backups.failure?.stage === 'drill') backups.failure = undefined
      return
    case 'backup_failed': {
      const { stage, code } = event
      backups.failure = { at, stage, code, reason: cut(event.reason), hint: cut(event.hint) }
      if (stage === 'drill') backups.proofOk = false
      return
    }
    case 'kept_aside':
      backups.keptAside = { at, what: event.what, path: cut(event.path) }
  }
}

function time(text: string | undefined): number | undefined {
  const at = Date.parse(text ?? '')
  return Number.isNaN(at) ? undefined : at
}

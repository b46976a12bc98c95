import type { Recovery } from '../model.js'

/** What a loss took of one class of keys. */
export interface ClassLoss {
  /** The pattern of the class; null for the keys of which the configuration says nothing. */
  match: string | null
  /** What would bring its keys back, as the configuration says. */
  recovery: Recovery | null
  /** What the configuration says that their loss means for users. */
  impact: string | undefined
  /** How many keys there were when they were last counted. */
  keys_before: number
  /** About how many of these are gone; absent where that is not known. */
  keys_gone: number | undefined
  /** When they were counted, as of ISO 8601. */
  counted_at: string
  /** What brings them back, and from where. */
  comes_back: string
}

/** The log's events about what PostgreSQL cannot give back, part of the same contract. */
export type KeepingEvent =
  /** The keys were counted, those of Rekindle left out. */
  | {
      event: 'counted'
      keys: number
      /** Whether each was seen, or the classes were judged by a sample. */
      exact: boolean
      /** The same class by class; null for the keys of which the configuration says nothing. */
      classes: { match: string | null; recovery: Recovery | null; keys: number }[]
      /** Whether nothing was missing meanwhile, so that an alert can refer to it. */
      whole: boolean
    }
  /** What the folder of the backups holds, looked at now and then. */
  | {
      event: 'backups_seen'
      count: number
      /** When the newest good one was taken, as of ISO 8601; absent if there is none. */
      newest_taken_at: string | undefined
      /** Its size. */
      newest_bytes: number | undefined
      /** When one was last booted to prove it, as of ISO 8601; absent if none ever was. */
      last_proved_at: string | undefined
      /** Whether it held what it should. */
      last_proof_ok: boolean | undefined
      /** How long that took. */
      last_proof_took_ms: number | undefined
    }
  /** Something now stands between the data and its recovery. */
  | {
      event: 'persistence_risk'
      /** Its code, as `rekindle doctor` gives it: `aof_off`, … */
      finding: string
      /** `note` where it may well be meant so. */
      severity: 'risk' | 'note'
      reason: string
      hint: string
    }
  /** A finding is over. */
  | { event: 'persistence_ok'; finding: string; after_ms: number }
  /** A backup was taken and checked. */
  | {
      event: 'backup'
      /** The backup. */
      file: string
      /** Its size. */
      bytes: number
      /** How many it holds; absent where they could not be counted. */
      keys: number | undefined
      took_ms: number
      /** `ok`: redis-check-rdb has read it; `unchecked`: there is none here, or it is older than the file. */
      checked: string
      /** Those that were no longer to be kept. */
      removed: string[]
      /** What is less than it should be, for people. */
      warnings: string[]
    }
  /** A backup could not be taken, checked, copied away by the user's command, or proved; earlier ones are untouched. */
  | {
      event: 'backup_failed'
      /** `after` is the user's command, `drill` the proof. */
      stage: 'take' | 'after' | 'drill'
      code: string
      reason: string
      hint: string
    }
  /** A backup was booted in a server of its own and holds what it should. */
  | {
      event: 'drill'
      file: string
      keys: number
      took_ms: number
      /** The moment that it shows, as of ISO 8601. */
      taken_at: string
    }
  /** A dump.rdb or the append-only file of Redis was linked aside before it could be replaced. */
  | {
      event: 'kept_aside'
      /** A snapshot or the append-only file. */
      what: 'rdb' | 'aof'
      /** Where it is now. */
      path: string
      bytes: number
    }
  /** Lost keys were brought back from a backup, or from what the server itself had kept. */
  | {
      event: 'keys_recovered'
      incident: number
      file: string
      taken_at: string
      /** How many are back. */
      keys: number
      /** How many stood in Redis already, and stay as they are. */
      kept: number
      /** Why nothing newer was taken, such as the moment before the flush; absent where there was nothing newer. */
      passed_over?: string[]
      /** Libraries of functions that were loaded, since Redis had lost all of its own. */
      functions: string[]
      took_ms: number
    }
  /** Lost keys could not be brought back. */
  | { event: 'recover_failed'; incident: number; code: string; reason: string; hint: string }

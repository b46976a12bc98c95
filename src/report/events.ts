import type { Cause, Recovery } from '../model.js'

/** What a loss took of one class of keys. */
export interface ClassLoss {
  /** Null for the keys of which the configuration says nothing. */
  match: string | null
  recovery: Recovery | null
  impact: string | undefined
  /** How many keys there were when they were last counted, and about how many of these are gone; absent where that is not known. */
  keys_before: number
  keys_gone: number | undefined
  counted_at: string
  /** What brings them back, and from where. */
  comes_back: string
}

/**
 * The log's events: a contract, people grep and alert on them. Each becomes one JSON object a line with these fields, `event` among
 * them. Names of servers never hold a password.
 */
export type LogEvent =
  /** The daemon begins; configuration as far as it matters here. */
  | {
      event: 'starting'
      version: string
      redis: string
      postgres: string
      layout: string | undefined
      datasets: string[]
    }
  /** Everything is whole, for the first time in this life of Redis or after the last incident of an interrupted one. */
  | { event: 'watching'; run_id: string | undefined; symbols: number; keys: number }
  /** Redis cannot be used; at the change of state and then once a minute. */
  | { event: 'redis_down'; code: string; reason: string; hint: string; down_for_ms: number }
  | {
      event: 'redis_up'
      run_id: string | undefined
      previous_run_id: string | undefined
      version: string | undefined
      down_for_ms: number
    }
  | { event: 'postgres_down'; code: string; reason: string; hint: string; down_for_ms: number }
  | { event: 'postgres_up'; down_for_ms: number }
  /** Something may have been lost; nothing is confirmed. */
  | { event: 'suspicion'; signals: string[]; symbols: number | 'all'; key_events: Record<string, number> }
  /** A survey has confirmed a loss: one for one incident. */
  | {
      event: 'data_loss'
      incident: number
      cause: Cause
      run_id: string | undefined
      previous_run_id: string | undefined
      keys_lost: number
      /** Keys that stand but lack their newest values, have a hole, differ, or hold another type. */
      keys_incomplete: Record<string, number>
      symbols_lost: number
      symbols: string[]
      last_seen_whole_at: string | undefined
      time_to_detect_ms: number
      /** Class by class, those of no dataset too: what is gone, and what brings it back. Empty where none are configured. */
      classes: ClassLoss[]
      evidence: Record<string, unknown>
    }
  | { event: 'symbol_healed'; incident: number | undefined; symbol: string }
  /** Everything that an incident lost is back and verified. */
  | {
      event: 'healed'
      incident: number
      /** Earlier incidents that were still open when this one came, and are over with it. */
      supersedes: number[]
      cause: Cause
      time_to_detect_ms: number
      time_to_heal_ms: number
      keys: number
      samples: number
      fields: number
      symbols: number
      left_out: number
      superseded: number
    }
  /** Redis and PostgreSQL differ without any sign of a loss; it is being mended. `keys` and `symbols` begin with the first few names. */
  | {
      event: 'drift'
      dataset: string
      kinds: Record<string, number>
      keys: string[]
      keys_drifted: number
      symbols: string[]
      missing: number
      differing: number
    }
  /** A change in PostgreSQL has reached Redis. */
  | { event: 'sync'; symbol: string; dataset: string; samples: number; fields: number; latency_ms: number }
  /** Changes in PostgreSQL may have been missed between these times; what changed is being caught up. */
  | { event: 'gap'; reason: string; deaf_for_ms: number }
  /** Enabled symbols came or went. */
  | { event: 'symbols'; total: number; added: string[]; removed: string[] }
  /** Rekindle works, but with less: what is missing, what that costs, and how to mend it. */
  | { event: 'degraded'; what: string; code: string; reason: string; hint: string; since_ms: number }
  | { event: 'recovered'; what: string; after_ms: number }
  /** Notifications on our channel that are not ours, since the last such line. */
  | { event: 'foreign_notifications'; count: number; example: string }
  /** Values that PostgreSQL holds but Redis cannot (NULL, NaN, infinity): left out of these symbols. */
  | { event: 'left_out'; dataset: string; values: number; symbols: string[] }
  /** A symbol (or the rows of a dataset that stand for themselves) has become whole, or is so no longer. */
  | { event: 'symbol_ready'; symbol: string }
  | { event: 'symbol_lost'; symbol: string }
  /** A look at some symbols, or all, is done. */
  | { event: 'surveyed'; symbols: number | 'all'; lacks: number; took_ms: number }
  /** The keys were counted, those of Rekindle left out; `whole` if nothing was missing meanwhile, so that an alert can refer to it. */
  | {
      event: 'counted'
      keys: number
      exact: boolean
      classes: { match: string | null; recovery: Recovery | null; keys: number }[]
      whole: boolean
    }
  /** What the folder of the backups holds, looked at now and then. */
  | {
      event: 'backups_seen'
      count: number
      newest_taken_at: string | undefined
      newest_bytes: number | undefined
      last_proved_at: string | undefined
      last_proof_ok: boolean | undefined
      last_proof_took_ms: number | undefined
    }
  /** The configuration was read again at SIGHUP; `changed` are its sections. */
  | { event: 'reloaded'; changed: string[] }
  /** The new configuration is wrong, or something outside Redis and PostgreSQL could not be set up; the old goes on. */
  | { event: 'reload_failed'; reason: string }
  /** Something now stands between the data and its recovery: `finding` is a code of `rekindle doctor`. */
  | { event: 'persistence_risk'; finding: string; severity: 'risk' | 'note'; reason: string; hint: string }
  | { event: 'persistence_ok'; finding: string; after_ms: number }
  /** A backup was taken and checked. */
  | {
      event: 'backup'
      file: string
      bytes: number
      keys: number | undefined
      took_ms: number
      checked: string
      /** Those that were no longer to be kept. */
      removed: string[]
      warnings: string[]
    }
  /** A backup could not be taken, checked, copied away by the user's command, or proved; earlier ones are untouched. */
  | {
      event: 'backup_failed'
      stage: 'take' | 'after' | 'drill'
      code: string
      reason: string
      hint: string
    }
  /** A backup was booted in a server of its own and holds what it should. */
  | { event: 'drill'; file: string; keys: number; took_ms: number; taken_at: string }
  /** A dump.rdb or the append-only file of Redis was linked aside before it could be replaced. */
  | { event: 'kept_aside'; what: 'rdb' | 'aof'; path: string; bytes: number }
  /** Lost keys were brought back from a backup. */
  | {
      event: 'keys_recovered'
      incident: number
      file: string
      taken_at: string
      keys: number
      kept: number
      took_ms: number
    }
  | { event: 'recover_failed'; incident: number; code: string; reason: string; hint: string }
  | { event: 'stopping'; signal: string }

export type Emit = (event: LogEvent) => void

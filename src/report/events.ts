import type { ChangeSource } from '../decide/change-sources.js'
import type { IdentityChange } from '../decide/identity.js'
import type { KeepingEvent } from './events-keeping.js'
import type { LossEvent } from './events-losses.js'

export type { ClassLoss } from './events-keeping.js'

/**
 * The log's events: a contract, people grep and alert on them. Each becomes one JSON object a line with these fields, `event` among
 * them. Names of servers never hold a password. A field means what is said of it where its name and type come first.
 */
export type LogEvent =
  /** The daemon begins; configuration as far as it matters here. */
  | {
      event: 'starting'
      /** Of Rekindle. */
      version: string
      /** The address of the server. */
      redis: string
      /** The address of the server and the name of the database. */
      postgres: string
      /** `candles.layout`; absent without candles. */
      layout: string | undefined
      /** Their names, such as `candles.m1`. */
      datasets: string[]
    }
  /** Everything is whole, for the first time in this life of Redis or after the last incident of an interrupted one. */
  | {
      event: 'watching'
      /** Which process of Redis this is, as INFO says; absent where INFO is not allowed. */
      run_id: string | undefined
      /** How many there are. */
      symbols: number
      /** How many there are. */
      keys: number
      /** The incident that is open though everything is back, as more may be lost; absent if there is none. */
      incident?: number | undefined
      /** True for one of many while the connection breaks again and again: then it is of level `debug`. */
      repeated?: boolean
    }
  /** Redis cannot be used; at the change of state and then once a minute. */
  | {
      event: 'redis_down'
      /** What is wrong, for scripts: `redis_unreachable`, … */
      code: string
      /** What is wrong, for people. */
      reason: string
      /** The command, setting or permission that mends it. */
      hint: string
      /** For how long it has been away, or had been. */
      down_for_ms: number
      /** How often it went away, this time included, each soon after it had come back; absent for a first time. */
      times?: number
      /** Within how long; absent for a first time. */
      within_ms?: number
      /** True for one of many in a short time: then it is of level `debug`. */
      repeated?: boolean
    }
  /** Redis can be used. One that goes away again and again is said to be up once it has been so for a while. */
  | {
      event: 'redis_up'
      run_id: string | undefined
      /** The process that answered before; absent if there was none. */
      previous_run_id: string | undefined
      /** Of Redis. */
      version: string | undefined
      down_for_ms: number
      times?: number
      within_ms?: number
      repeated?: boolean
      /** For how long it has been up: where that was waited for; absent if it was not. */
      stable_for_ms?: number
    }
  /** PostgreSQL cannot be used; at the change of state and then once a minute. */
  | {
      event: 'postgres_down'
      code: string
      reason: string
      hint: string
      down_for_ms: number
      times?: number
      within_ms?: number
      repeated?: boolean
    }
  /** PostgreSQL can be used again. */
  | {
      event: 'postgres_up'
      down_for_ms: number
      times?: number
      within_ms?: number
      repeated?: boolean
      stable_for_ms?: number
    }
  /**
   * Another PostgreSQL answers than before, or it has gone back in time. Redis is made equal to it all the same: PostgreSQL is the truth.
   * Level `info` where the standby that answered before was promoted.
   */
  | {
      event: 'postgres_changed'
      /**
       * `system`: another server; `database`: dropped and made again; `rewound`: what was committed last is gone; `timeline`: another
       * server was promoted or restored, which may lack what was committed last; `promoted`: the standby that answered before was.
       */
      change: IdentityChange
      /** Its system identifier, as `pg_control_system()` tells it. */
      system: string
      /** That of the one before. */
      previous_system: string
      /** Its timeline, as `pg_control_checkpoint()` tells it. */
      timeline: number
      /** That of the one before. */
      previous_timeline: number
      /** By how many bytes of WAL it is behind the position that was last seen; 0 where that cannot be compared. */
      behind_bytes: number
    }
  /** Something may have been lost; nothing is confirmed. */
  | {
      event: 'suspicion'
      /** What made us look: `life`, `flush`, `poll`, `key_event`, `scrub`. */
      signals: string[]
      /** How many are looked at. */
      symbols: number | 'all'
      /** Keyspace events on our keys that led here, by name: `{ del: 3 }`. */
      key_events: Record<string, number>
    }
  | LossEvent
  /** Redis and PostgreSQL differ without any sign of a loss; it is being mended. */
  | {
      event: 'drift'
      /** Its name, such as `candles.m1`. */
      dataset: string
      /** How many keys by what is wrong: `missing`, `wrong_type`, `stale_tail`, `hole`, `differs`. */
      kinds: Record<string, number>
      /** The first few names. */
      keys: string[]
      /** How many keys differ. */
      keys_drifted: number
      symbols: string[]
      /** How many samples, members or fields are not there. */
      missing: number
      /** How many samples, members or fields are others than in PostgreSQL. */
      differing: number
    }
  /**
   * Keys that PostgreSQL wanted and wants no longer, where nothing was lost: they are left in Redis, but would not come back. Level `warn`
   * where they are many: a tenth of a dataset and ten keys, or all that it had.
   */
  | {
      event: 'unwanted'
      dataset: string
      /** How many. */
      keys_unwanted: number
      /** How many keys of the dataset PostgreSQL still wants. */
      keys_left: number
      /** The first few names of those that it does not. */
      unwanted_keys: string[]
    }
  /** A change in PostgreSQL has reached Redis. */
  | {
      event: 'sync'
      symbol: string
      dataset: string
      samples: number
      fields: number
      /** From the notice of the change to its value verified in Redis. */
      latency_ms: number
    }
  /** Changes in PostgreSQL may have been missed for a while that is over; what changed is being caught up. */
  | {
      event: 'gap'
      reason: string
      /** How long it lasted. */
      deaf_for_ms: number
    }
  /** How changes in PostgreSQL are found, table by table: at the start, and when that is another way. */
  | {
      event: 'change_sources'
      /** What finds the changes of each, and within what time. */
      tables: ChangeSource[]
    }
  /** The WAL is read, through a temporary slot. */
  | {
      event: 'wal_opened'
      /** Its name in `pg_replication_slots`. */
      slot: string
      /** What decodes the WAL for it: `pgoutput` where there is a publication that tells all, else `test_decoding`. */
      plugin: string
      /** That publication. */
      publication: string | undefined
    }
  /** How that slot stands. */
  | {
      event: 'wal_slot'
      slot: string
      /** From what was confirmed to the end of the WAL. */
      lag_bytes: number
      /** From what the server keeps for it to the end of the WAL. */
      held_bytes: number
      /** Since when it is there. */
      age_ms: number
    }
  /** The WAL is read no longer, and the slot is gone with its session. */
  | {
      event: 'wal_closed'
      slot: string
      /** For how long it was read. */
      read_for_ms: number
    }
  /** Enabled symbols came or went. */
  | {
      event: 'symbols'
      /** How many there are now. */
      total: number
      /** The first ten that came. */
      added: string[]
      /** The first ten that went; their keys are left alone. */
      removed: string[]
    }
  /** Rekindle works, but with less: what is missing, what that costs, and how to mend it. */
  | {
      event: 'degraded'
      /** Which part: a dataset, or `listener`, `triggers`, `http`, … */
      what: string
      code: string
      reason: string
      hint: string
      /** For how long. */
      since_ms: number
      times?: number
      within_ms?: number
      repeated?: boolean
    }
  /** A part works again. */
  | {
      event: 'recovered'
      what: string
      /** How long it had not. */
      after_ms: number
      times?: number
      within_ms?: number
      repeated?: boolean
      stable_for_ms?: number
    }
  /** Notifications on our channel that are not ours, since the last such line. */
  | {
      event: 'foreign_notifications'
      /** How many there are. */
      count: number
      /** The text of one. */
      example: string
    }
  /** Values that PostgreSQL holds but Redis cannot (NULL, NaN, infinity): left out of these symbols. */
  | {
      event: 'left_out'
      dataset: string
      /** How many. */
      values: number
      symbols: string[]
    }
  /** A symbol (or the rows of a dataset that stand for themselves) has become whole. */
  | { event: 'symbol_ready'; symbol: string }
  /** A symbol (or the rows of a dataset that stand for themselves) is whole no longer. */
  | { event: 'symbol_lost'; symbol: string }
  /** A look at some symbols, or all, is done. */
  | {
      event: 'surveyed'
      symbols: number | 'all'
      /** How many keys lack something. */
      lacks: number
      /** How long it took. */
      took_ms: number
    }
  /** The configuration was read again at SIGHUP. */
  | {
      event: 'reloaded'
      /** The sections that are others than before. */
      changed: string[]
    }
  /** The new configuration is wrong, or something outside Redis and PostgreSQL could not be set up; the old goes on. */
  | { event: 'reload_failed'; reason: string }
  | KeepingEvent
  /** The daemon ends. */
  | {
      event: 'stopping'
      /** What ended it: `SIGTERM`, … */
      signal: string
    }

export type Emit = (event: LogEvent) => void

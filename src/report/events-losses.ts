import type { Cause } from '../model.js'
import type { ClassLoss } from './events-keeping.js'

/** The log's events about losses, part of the same contract. */
export type LossEvent =
  /** A survey has confirmed a loss: one for one incident, and one more where a loss follows soon after `healed`. */
  | {
      event: 'data_loss'
      /** Its number since Rekindle started: the same in every event about it. */
      incident: number
      /** What most likely happened. */
      cause: Cause
      /** The same, and those of the incident that it takes over. */
      causes: Cause[]
      /** True if an incident that was healed is open again, since the same happened soon after its end. */
      reopened: boolean
      run_id: string | undefined
      previous_run_id: string | undefined
      /** How many keys of datasets are gone. */
      keys_lost: number
      /** Keys that stand but lack their newest values, have a hole, differ, or hold another type. */
      keys_incomplete: Record<string, number>
      /** How many symbols lack something. */
      symbols_lost: number
      /** The first few names. */
      symbols: string[]
      /** When everything was last known to be whole, as of ISO 8601; absent if it never was. */
      last_seen_whole_at: string | undefined
      /** From the earliest moment at which it can have happened to this line. */
      time_to_detect_ms: number
      /** Class by class, those of no dataset too: what is gone, and what brings it back. Empty where none are configured. */
      classes: ClassLoss[]
      /** What Redis told, and what the cause was concluded from: signals, counters of INFO, the client that flushed. */
      evidence: Record<string, unknown>
    }
  /** One more loss of an incident that is open. An incident is told at its start, now and then while it goes on, and at its end. */
  | {
      event: 'loss_joined'
      incident: number
      cause: Cause
      keys_lost: number
      keys_incomplete: Record<string, number>
      /** How many symbols have lost something since the incident began. */
      symbols_lost: number
      /** How many of these lack something now. */
      symbols_lacking: number
      time_to_detect_ms: number
      classes: ClassLoss[]
    }
  /**
   * More was lost since the incident was last told of: after 5 s, 10 s, … at most once a minute, and within a second where another cause,
   * dataset or class is among it.
   */
  | {
      event: 'data_loss_continues'
      incident: number
      /** Why the first loss came about. */
      cause: Cause
      /** Why any of the losses came about. */
      causes: Cause[]
      /** How many there were since the incident began. */
      losses: number
      /** For how long it has been going on. */
      for_ms: number
      /** How many keys of datasets were lost so far, each counted once. */
      keys_lost: number
      /** How many of these stand again. */
      keys_back: number
      symbols_lost: number
      symbols: string[]
      /** Those that lost something. */
      datasets: string[]
      /** Class by class, what all the losses took together. */
      classes: ClassLoss[]
    }
  /** Everything is back, but the incident stays open for a while, as more may be lost. */
  | {
      event: 'all_back'
      incident: number
      /** For how long nothing more must be lost. */
      hold_ms: number
    }
  /** A symbol that an incident touched is whole again. */
  | {
      event: 'symbol_healed'
      /** The incident. */
      incident: number | undefined
      /** Its name; `rows.<name>` for the rows of a dataset that stand for themselves. */
      symbol: string
    }
  /** An incident is over: everything that it lost is back and verified, or no longer wanted by PostgreSQL. Level `warn` for the latter, and where something could not be seen. */
  | {
      event: 'healed'
      incident: number
      /** Earlier incidents that were still open when this one came, and are over with it. */
      supersedes: number[]
      cause: Cause
      causes: Cause[]
      /** How many losses there were. */
      losses: number
      time_to_detect_ms: number
      /** From the same moment to the last key verified. */
      time_to_heal_ms: number
      /** How many keys of datasets were gone, each counted once. */
      keys_lost: number
      /** How many of these stand again. */
      keys_back: number
      /** How many of these would have expired before they were back. */
      keys_expired: number
      /** How many of these PostgreSQL no longer wants: their rows are gone, or the symbol is no longer enabled. */
      keys_unwanted: number
      /** These by dataset. */
      unwanted: Record<string, number>
      /** The first few names of these. */
      unwanted_keys: string[]
      /** Datasets that could not be compared at the last look: whether they are whole is not known. */
      unseen: string[]
      /** How many were written. */
      keys: number
      /** Samples of series that were written. */
      samples: number
      /** Fields, members and other values that were written. */
      fields: number
      /** How many had lost something. */
      symbols: number
      /** Values that Redis cannot hold: NULL, NaN, infinity. */
      left_out: number
      /** Values left alone, since a live writer had changed them meanwhile. */
      superseded: number
    }

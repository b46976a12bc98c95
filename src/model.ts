/**
 * The words everyone speaks in: plain data, no behaviour, no imports. Times are milliseconds since the epoch unless said otherwise, by
 * the steady clock of this process where they are when something happened, and by Redis' own where they are when a key expires.
 */

/** Why data was lost. `corruption` is a key of ours that holds another type; `replacement` a different, empty server at the same address. */
export type Cause =
  | 'flush'
  | 'swapdb'
  | 'restart'
  | 'replacement'
  | 'failover'
  | 'eviction'
  | 'deletion'
  | 'corruption'
  | 'unknown'

/** Who writes the values of a dataset first: live workers into Redis, or whoever writes PostgreSQL; `auto` finds out key by key. */
export type Writers = 'redis' | 'postgres' | 'auto'

/** What made us look. A suspicion alarms nobody before a survey has confirmed it. */
export type Signal = 'life' | 'flush' | 'poll' | 'key_event' | 'scrub'

export interface Suspicion {
  readonly signals: ReadonlySet<Signal>
  /** Symbols to look at, or everything. */
  readonly scope: ReadonlySet<string> | 'all'
  /** The earliest moment at which the loss can have happened, as far as the signal tells. */
  readonly since: number
  /** When the signal reached us. */
  readonly at: number
  /** Keyspace events on our keys that led here, by name: `{ del: 3 }`. */
  readonly keyEvents: Readonly<Record<string, number>>
}

/** What INFO told about the server, reduced to what can serve as evidence. */
export interface ServerFacts {
  /** When it was read, by our steady clock. */
  readonly at: number
  /** What Redis' own clock showed then. */
  readonly time: number | undefined
  readonly runId: string | undefined
  readonly version: string | undefined
  readonly role: 'master' | 'replica' | undefined
  readonly loading: boolean
  readonly cluster: boolean
  readonly uptimeSeconds: number | undefined
  readonly configFile: string | undefined
  /** Where the server keeps its files; known only if CONFIG GET is allowed. */
  readonly directory: string | undefined
  readonly replicationId: string | undefined
  readonly previousReplicationId: string | undefined
  readonly aofEnabled: boolean | undefined
  /** `always`, `everysec` or `no`; known only if CONFIG GET is allowed. */
  readonly appendfsync: string | undefined
  /** Whether the last write to the append-only file succeeded: `ok` or `err`. */
  readonly aofLastWriteStatus: string | undefined
  readonly rdbLastSaveAt: number | undefined
  readonly rdbChangesSinceSave: number | undefined
  readonly rdbLastStatus: string | undefined
  readonly keysLoaded: number | undefined
  readonly evictedKeys: number | undefined
  readonly expiredKeys: number | undefined
  readonly usedMemory: number | undefined
  readonly maxMemory: number | undefined
  readonly maxMemoryPolicy: string | undefined
  /** Calls since the server started, of the commands that can lose everything at once. */
  readonly calls: Readonly<Record<'flushall' | 'flushdb' | 'swapdb' | 'del' | 'unlink', number>> | undefined
}

/** What would bring a key back: the heal from PostgreSQL, a backup, or its own writers within a while. */
export type Recovery = 'postgres' | 'backup' | 'itself'

/** Keys that share a fate, by a pattern as of Redis' KEYS. The first class that matches a key is its class. */
export interface KeyClass {
  readonly match: string
  readonly recovery: Recovery
  /** What their loss means for users. */
  readonly impact?: string
}

/** What stands between the data and its loss, or its recovery: `note` where it may well be meant so. */
export interface Risk {
  /** Stable, for scripts: `aof_off`, `no_save_points`, … */
  readonly code: string
  readonly severity: 'risk' | 'note'
  readonly message: string
  /** The command or setting that mends it. */
  readonly mend: string
}

/** What one key lacks compared with PostgreSQL. Counts are samples, members or fields. */
export interface Lack {
  readonly symbol: string
  readonly dataset: string
  readonly key: string
  readonly kind: 'missing' | 'wrong_type' | 'stale_tail' | 'hole' | 'differs'
  readonly missing: number
  readonly differing: number
  /** What is lacking, value by value, as text: two looks that give the same text saw the same. Absent where the whole key is. */
  readonly picture?: string
}

/** A key that was seen whole in Redis. */
export interface Held {
  readonly key: string
  /** The moment at which it expires, in epoch ms; absent: never. */
  readonly expires?: number
}

/** One piece of work: make `dataset` of `symbol` whole. */
export interface Task {
  readonly symbol: string
  readonly dataset: string
  readonly why: 'loss' | 'sync' | 'drift' | 'roster'
  /** Only these parts (what a part is, the dataset decides), or everything the dataset has for the symbol. */
  readonly parts: ReadonlySet<string> | undefined
  /** Keys that were lost whole: what stands there now was written by a live worker since then, and stays. Absent: none. */
  readonly gone?: ReadonlySet<string>
  /** Compare value by value rather than by digest. */
  readonly thorough: boolean
  /** Heal it in a batch of its own, since a batch with it failed in a way that may be its fault. */
  readonly alone: boolean
  /** How often this task has failed already. */
  readonly attempt: number
  /** When the reason for it was noticed. */
  readonly since: number
}

/** What a heal wrote. `superseded` counts values that a live writer changed meanwhile and that were therefore left alone. */
export interface Tally {
  readonly keys: number
  readonly samples: number
  readonly fields: number
  readonly superseded: number
  /** Values that PostgreSQL holds but Redis cannot: NULL, NaN, infinity. */
  readonly leftOut: number
}

export const NOTHING: Tally = { keys: 0, samples: 0, fields: 0, superseded: 0, leftOut: 0 }

export function addTallies(a: Tally, b: Tally): Tally {
  return {
    keys: a.keys + b.keys,
    samples: a.samples + b.samples,
    fields: a.fields + b.fields,
    superseded: a.superseded + b.superseded,
    leftOut: a.leftOut + b.leftOut,
  }
}

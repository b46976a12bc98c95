import type { Recovery } from '../model.js'

/** How many keys a backup holds. */
export interface KeyCounts {
  readonly total: number
  /** Those with a time to live: fewer may be left when the backup is used. */
  readonly expiring: number
  /** Database number -> keys. */
  readonly databases: Readonly<Record<string, number>>
  /** The names of its libraries of functions; absent where an earlier Rekindle took it. */
  readonly functions?: readonly string[]
  /** Of the manifest's database, class by class, without Rekindle's own; `match` null for the keys of no class. */
  readonly classes: readonly {
    readonly match: string | null
    readonly recovery: Recovery | null
    readonly keys: number
    readonly expiring: number
  }[]
}

/** What came of booting a backup in a server of its own. */
export interface Proof {
  /** ISO 8601. */
  readonly at: string
  readonly ok: boolean
  /** From the start of the server until all was loaded. */
  readonly took_ms: number
  readonly keys: number
  readonly redis_version: string
  /** What was not as it should be. */
  readonly differences: readonly string[]
}

/** The small JSON file `<backup>.json` that lies beside each backup. It holds no secret. */
export interface Manifest {
  readonly version: 1
  readonly kind: 'rdb' | 'aof'
  /** `host:port` of the Redis, without user and password. */
  readonly source: string
  /** The database of `redis.url`, which the classes are about. */
  readonly database: number
  readonly run_id: string | null
  readonly redis_version: string | null
  /** When the snapshot was begun: later changes are not in it. ISO 8601. */
  readonly taken_at: string
  readonly took_ms: number
  readonly bytes: number
  /** Of the file, in hex. */
  readonly sha256: string
  /** `ok`: redis-check-rdb has read it. `unchecked`: there is none here, or it is older than the file. */
  readonly checked: 'ok' | 'unchecked'
  /** Server modules without which it cannot be loaded. */
  readonly modules: readonly { readonly name: string; readonly version: number; readonly path?: string }[]
  /** Null where the file holds what we cannot count, such as a type newer than Rekindle. */
  readonly keys: KeyCounts | null
  readonly proof: Proof | null
}

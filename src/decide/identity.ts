/** Which PostgreSQL it is that answers, and how far it has come. */
export interface PostgresIdentity {
  /** Given by initdb: a copy of the data has the same, a database restored from a dump elsewhere has another. */
  readonly system: string
  /** Of the database: another when it was dropped and made again. */
  readonly database: string
  /** It grows when a standby is promoted, and when a server is restored to a point in time. */
  readonly timeline: number
  /** True on a standby. */
  readonly recovering: boolean
  /** How many bytes of WAL it has written, or replayed. */
  readonly position: bigint
}

/**
 * How it differs from the one before. `system`, `database`: another one. `rewound`: it has gone back, as after a restore from a backup or
 * a failover to a standby that lagged: what was committed last is gone. `promoted`: the standby that answered before is the primary now.
 * `timeline`: another server has gone on from where this one was, or from before: positions of two timelines cannot be compared.
 */
export type IdentityChange = 'system' | 'database' | 'rewound' | 'timeline' | 'promoted'

/** Undefined where it is the one that it was. */
export function identityChange(before: PostgresIdentity, now: PostgresIdentity): IdentityChange | undefined {
  if (now.system !== before.system) return 'system'
  if (now.database !== before.database) return 'database'
  // Of standbys each lags in its own way.
  if (!now.recovering && now.position < before.position) return 'rewound'
  if (now.timeline === before.timeline) return undefined
  return before.recovering ? 'promoted' : 'timeline'
}

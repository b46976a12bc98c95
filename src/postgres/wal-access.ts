import type { Trouble } from '../errors.js'
import { clientConfig, type Database } from './database.js'
import type { Query } from './relations.js'
import { notReadable } from './wal-trouble.js'

interface Access {
  readonly level: string
  readonly version: number
  readonly standby: boolean
  readonly right: boolean | null
  readonly encoding: string
  readonly synchronous: string
  readonly full: boolean
}

/**
 * `rds_replication` is the role of a service in the cloud, where nobody is given the attribute itself. A slot of ours may be the very one
 * that is read.
 */
const ACCESS = `
  SELECT current_setting('wal_level') AS level, current_setting('server_version_num')::int AS version,
    pg_is_in_recovery() AS standby, pg_encoding_to_char(encoding) AS encoding,
    current_setting('synchronous_standby_names') AS synchronous,
    current_setting('max_replication_slots')::int <=
      (SELECT count(*) FROM pg_catalog.pg_replication_slots WHERE slot_name NOT LIKE 'rekindle\\_%') AS full,
    (SELECT rolsuper OR rolreplication OR EXISTS (
       SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = 'rds_replication' AND pg_has_role(u.oid, r.oid, 'MEMBER')
     ) FROM pg_catalog.pg_roles AS u WHERE u.rolname = coalesce($1, current_user)) AS right
  FROM pg_catalog.pg_database WHERE datname = current_database()`

/**
 * Why the WAL cannot be read, as far as the database tells; undefined if nothing speaks against it. `url` is that of the session which
 * would read it. Rejects as `query` does.
 */
export async function walHindrance(query: Query, url: string, server: string): Promise<Trouble | undefined> {
  const user = clientConfig(url).user ?? null
  const [access] = await query<Access>(ACCESS, [user])
  const [why, hint] = access ? reasonOf(access, user) : []
  return why === undefined ? undefined : notReadable(server, why, hint ?? '')
}

function reasonOf(access: Access, user: string | null): [why: string, hint: string] | [] {
  const { level, version, standby, right, encoding, synchronous, full } = access
  if (level !== 'logical')
    return [`wal_level is ${level}`, 'ALTER SYSTEM SET wal_level = logical, and restart PostgreSQL']
  if (version < 130_000) return ['that needs PostgreSQL 13 or later', 'set sync.source to auto, triggers or poll']
  if (standby && version < 160_000)
    return ['this is a standby, of which only PostgreSQL 16 and later decode it', 'postgres.url should be the primary']
  if (right === false)
    return [
      'the user has no right to',
      `ALTER ROLE ${user ?? '…'} REPLICATION (see docs/security.md for what that allows)`,
    ]
  // The server sends the texts as they are stored.
  if (encoding !== 'UTF8')
    return [`the database's encoding is ${encoding}, not UTF8`, 'set sync.source to auto, triggers or poll']
  // Commits would wait until we have confirmed them, and count as replicated.
  if (/(^|[^\w])"?\*"?/.test(synchronous))
    return [
      `synchronous_standby_names is ${synchronous}, so that Rekindle would be taken for a standby`,
      'name the standbys in it',
    ]
  if (full)
    return [
      'all replication slots are in use',
      'raise max_replication_slots, or drop a slot that is not needed (pg_replication_slots)',
    ]
  return []
}

/** How a slot stands. */
export interface SlotState {
  /** From what was confirmed to the end of the WAL, in bytes. */
  readonly lag: number
  /** From what the server keeps for it to the end of the WAL, in bytes. */
  readonly held: number
}

const SLOT = `
  SELECT pg_wal_lsn_diff(at, confirmed_flush_lsn)::float8 AS lag, pg_wal_lsn_diff(at, restart_lsn)::float8 AS held
  FROM pg_catalog.pg_replication_slots,
    LATERAL (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS at) AS now
  WHERE slot_name = $1`

/** Undefined if there is no such slot. Rejects with a Trouble. */
export async function readSlot(db: Database, slot: string): Promise<SlotState | undefined> {
  const [state] = await db.query<SlotState>(SLOT, [slot])
  return state && { lag: Math.max(0, state.lag), held: Math.max(0, state.held) }
}

import type pg from 'pg'
import type { PostgresIdentity } from '../decide/identity.js'
import type { Database } from './database.js'

/** Functions that any role may call, unless somebody has taken that right away. */
const IDENTITY = `SELECT s.system_identifier::text AS system, c.timeline_id AS timeline, pg_catalog.pg_is_in_recovery() AS recovering,
    (SELECT oid::text FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) AS database,
    (CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
      ELSE pg_catalog.pg_current_wal_insert_lsn() END - '0/0')::text AS position
  FROM pg_catalog.pg_control_system() AS s, pg_catalog.pg_control_checkpoint() AS c`

type Row = Omit<PostgresIdentity, 'position'> & { readonly position: string | null }

function identityOf([found]: readonly Row[]): PostgresIdentity | undefined {
  return found && { ...found, position: BigInt(found.position ?? 0) }
}

/** Asks again who answers, and how far it has come since. */
export async function askIdentity(db: Database): Promise<PostgresIdentity | undefined> {
  return identityOf(await db.query<Row>(IDENTITY, []))
}

/** Asks who answers; undefined where this role may not ask, which `grants.sql` never takes away. Rejects if the connection fails. */
export async function readIdentity(client: pg.ClientBase): Promise<PostgresIdentity | undefined> {
  try {
    return identityOf((await client.query<Row>(IDENTITY)).rows)
  } catch (error) {
    // 42501: the right was taken away; 42883: managed servers that are no PostgreSQL through and through lack some of them.
    if (/^(42501|42883|0A000)$/.test((error as { code?: string }).code ?? '')) return undefined
    throw error
  }
}

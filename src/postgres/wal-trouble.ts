import { Trouble } from '../errors.js'
import { postgresTrouble } from './trouble.js'

/** What mends it that the WAL cannot be read, by SQLSTATE, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const HINTS: Readonly<Record<string, string>> = {
  '42501': 'ALTER ROLE … REPLICATION for this user (see docs/security.md for what that allows)',
  '53300': 'raise max_wal_senders, or end a replication connection that is not needed (pg_stat_replication)',
  '53400': 'raise max_replication_slots, or drop a slot that is not needed (pg_replication_slots)',
  '55P03':
    'a transaction that has been writing for long holds up the slot (backend_xid in pg_stat_activity), or, on a standby, its primary is idle (there: SELECT pg_log_standby_snapshot())',
  '58P01':
    'install the output plugin test_decoding, of the contrib modules of PostgreSQL; or CREATE PUBLICATION for all tables of the configuration, by which pgoutput tells the same',
  '28000': 'pg_hba.conf must let this user into this database from here, as for any other session',
  '08P01': 'a pooler does not let replication through: postgres.listen_url (DATABASE_LISTEN_URL) should lead past it',
}

/** Says what an error on the session that reads the WAL means. `server` is `host:port/database`. */
export function walTrouble(error: unknown, server: string): Trouble {
  if (error instanceof Trouble) return error
  const { code = '', message } =
    error instanceof Error ? (error as Error & { code?: string }) : { message: String(error) }
  const hint = HINTS[code]
  if (hint !== undefined) return notReadable(server, message, hint)
  return postgresTrouble(error, server)
}

/** The WAL of this server cannot be read. */
export function notReadable(server: string, why: string, hint: string): Trouble {
  return new Trouble('postgres_wal', `PostgreSQL ${server}: the WAL cannot be read: ${why}`, hint, false)
}

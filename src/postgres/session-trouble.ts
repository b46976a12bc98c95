import { Trouble } from '../errors.js'

/** The fields of an error that PostgreSQL, or a pooler in front of it, has sent. */
interface ServerError {
  readonly code?: string
  readonly message: string
  /** The function in PostgreSQL's source that raised it: unlike the message it is never translated. */
  readonly routine?: string
}

/** What a session meets that is filtered, pooled or on a standby; undefined for all else. `tables` as for `postgresTrouble`. */
export function sessionTrouble(
  error: ServerError,
  server: string,
  tables: Readonly<Record<string, string>>,
): Trouble | undefined {
  const { code, message, routine } = error
  const about = `PostgreSQL ${server}: ${message}`
  if (code === '42501' && (routine === 'check_enable_rls' || /row-level security/.test(message))) {
    const chosen = Object.entries(tables).map(([key, table]) => `${key}: ${table}`)
    const where = chosen.length > 0 ? chosen.join(', ') : 'symbols.query'
    return new Trouble('postgres_schema', `${about} (${where})`, rowSecurityHint(), false)
  }
  if (code === '25006' && (routine === 'PreventCommandDuringRecovery' || /during recovery/.test(message))) {
    return new Trouble('postgres_standby', about, STANDBY, false)
  }
  const parameter = /unsupported startup parameter(?: in options)?: (\S+)/.exec(message)?.[1]
  if (parameter !== undefined) {
    const hint = `leave it out of postgres.url, or set ignore_startup_parameters = ${parameter} in the configuration of PgBouncer`
    return new Trouble('postgres_refused', about, hint, false)
  }
  if (/statement pooling/.test(message)) {
    const hint = 'Rekindle reads in transactions: pool_mode should be session or transaction'
    return new Trouble('postgres_refused', about, hint, false)
  }
  return undefined
}

function rowSecurityHint(): string {
  return 'its policies would hide rows: ALTER ROLE … BYPASSRLS for this user; or, if what they show is all that Redis should hold, postgres.row_security: allow'
}

const STANDBY =
  'this is a standby: changes are found by polling; postgres.url should be the primary to hear of them at once, or, from PostgreSQL 16 on, sync.source wal with wal_level = logical; after a promotion they are heard by themselves'

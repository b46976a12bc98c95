import { Trouble } from '../errors.js'

/** SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REFUSED: Readonly<Record<string, string>> = {
  '28P01': 'check the user and the password in postgres.url (DATABASE_URL)',
  '28000': 'this user may not log in from here: see pg_hba.conf, and sslmode in postgres.url',
  '3D000': 'check the database name in postgres.url (DATABASE_URL)',
}

/**
 * Says what an error from PostgreSQL means. `server` is `host:port/database`; `tables` are the tables of the query, by the
 * configuration key that chose each, so that a missing one can be named by it.
 */
export function postgresTrouble(
  error: unknown,
  server: string,
  tables: Readonly<Record<string, string>> = {},
): Trouble {
  if (error instanceof Trouble) return error
  const { code = '', message } =
    error instanceof Error ? (error as Error & { code?: string }) : { message: String(error) }
  const text = message || code
  const hint = REFUSED[code]
  if (hint) return new Trouble('postgres_refused', `PostgreSQL ${server}: ${text}`, hint, false)
  if (code === '42501') {
    return new Trouble('postgres_schema', `PostgreSQL ${server}: ${text}`, 'GRANT SELECT on it to this user', false)
  }
  // 42: a table or column is missing, or of another type than the query needs; 22: a value does not fit.
  if (/^(42|22|3F)/.test(code)) {
    const chosen = Object.entries(tables).map(([key, table]) => `${key}: ${table}`)
    const where = chosen.length > 0 ? chosen.join(', ') : 'symbols.query'
    return new Trouble('postgres_schema', `PostgreSQL ${server}: ${text}`, `check ${where} in the configuration`, false)
  }
  if (/SSL|TLS|certificate|self.signed/i.test(text)) {
    return new Trouble(
      'postgres_refused',
      `PostgreSQL ${server}: ${text}`,
      'check sslmode and sslrootcert in postgres.url',
      false,
    )
  }
  return new Trouble(
    'postgres_unreachable',
    `PostgreSQL ${server}: ${text}`,
    'is it running, and is postgres.url (DATABASE_URL) right?',
    true,
  )
}

import { Trouble } from '../errors.js'
import { readable, type TlsSettings, tlsHint } from '../tls-hints.js'
import { sessionTrouble } from './session-trouble.js'

/** SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html */
const REFUSED: Readonly<Record<string, string>> = {
  '28P01': 'check the user and the password in postgres.url (DATABASE_URL)',
  '28000': 'this user may not log in from here: see pg_hba.conf, and sslmode in postgres.url',
  '3D000': 'check the database name in postgres.url (DATABASE_URL)',
}

/** How people write the settings of TLS: as parameters of the URL. */
const POSTGRES_TLS: TlsSettings = { url: 'postgres.url', ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' }
const TLS = /SSL|TLS|certificate|self.signed|key values mismatch|PEM routines|DECODER|no start line/i

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
  const text = readable(message || code)
  const session = error instanceof Error && sessionTrouble(error, server, tables)
  if (session) return session
  const unread = unreadFile(error, server)
  if (unread) return unread
  const hint = (code === '28000' && tlsHint(text, POSTGRES_TLS)) || REFUSED[code]
  if (hint) return new Trouble('postgres_refused', `PostgreSQL ${server}: ${text}`, hint, false)
  if (code === '42501') {
    const right = /denied for (database|schema)/.exec(text)?.[1]
    if (right === 'database')
      return new Trouble('postgres_refused', `PostgreSQL ${server}: ${text}`, 'GRANT CONNECT on it to this user', false)
    const mend = `GRANT ${right === 'schema' ? 'USAGE' : 'SELECT'} on it to this user`
    return new Trouble('postgres_schema', `PostgreSQL ${server}: ${text}`, mend, false)
  }
  // 42: a table or column is missing, or of another type than the query needs; 22: a value does not fit.
  if (/^(42|22|3F)/.test(code)) {
    const chosen = Object.entries(tables).map(([key, table]) => `${key}: ${table}`)
    const where = chosen.length > 0 ? chosen.join(', ') : 'symbols.query'
    return new Trouble('postgres_schema', `PostgreSQL ${server}: ${text}`, `check ${where} in the configuration`, false)
  }
  if (TLS.test(text)) {
    const mend = tlsHint(text, POSTGRES_TLS) ?? 'check sslmode and sslrootcert in postgres.url'
    return new Trouble('postgres_refused', `PostgreSQL ${server}: ${text}`, mend, false)
  }
  return new Trouble(
    'postgres_unreachable',
    `PostgreSQL ${server}: ${text}`,
    'is it running, and is postgres.url (DATABASE_URL) right?',
    true,
  )
}

/** node-postgres reads the files that the URL names for TLS whenever it connects. */
function unreadFile(error: unknown, server: string): Trouble | undefined {
  if (!(error instanceof Error)) return undefined
  const { syscall, path, code } = error as NodeJS.ErrnoException
  // What is read from a folder has no name.
  const isFile = path !== undefined ? /^(access|open)$/.test(syscall ?? '') : code === 'EISDIR'
  if (!isFile) return undefined
  return new Trouble(
    'postgres_refused',
    `PostgreSQL ${server}: ${path ?? 'a folder'} cannot be read (${code})`,
    'sslrootcert, sslcert and sslkey in postgres.url should name files that this user may read',
    false,
  )
}

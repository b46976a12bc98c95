import { verdictOf } from '../decide/sqlstate.js'
import { Trouble } from '../errors.js'
import { readable, type TlsSettings, tlsHint } from '../tls-hints.js'
import { sessionTrouble } from './session-trouble.js'

/** How people write the settings of TLS: as parameters of the URL. */
const POSTGRES_TLS: TlsSettings = { url: 'postgres.url', ca: 'sslrootcert', cert: 'sslcert', key: 'sslkey' }
const TLS = /SSL|TLS|certificate|self.signed|key values mismatch|PEM routines|DECODER|no start line/i

/** The tables of a query, by the configuration key that chose each. */
export type Tables = Readonly<Record<string, string>>

/** Says what an error from PostgreSQL means. `server` is `host:port/database`; `tables` let what is missing or failing be named by its key. */
export function postgresTrouble(error: unknown, server: string, tables: Tables = {}): Trouble {
  return endsSession(error) ? connectionTrouble(error, server) : queryTrouble(error, server, tables)
}

/** True unless PostgreSQL says that it was this query which failed, and not the connection. */
export function endsSession(error: unknown): boolean {
  if (error instanceof Trouble) return error.code === 'postgres_unreachable' || error.code === 'postgres_refused'
  const state = sqlstateOf(error)
  if (state === undefined) return true
  const { whose } = verdictOf(state)
  return whose === 'server' || whose === 'login'
}

/** Says what an error means of a query, by a session that goes on. */
export function queryTrouble(error: unknown, server: string, tables: Tables): Trouble {
  if (error instanceof Trouble) return error
  const { message: text } = error as Error
  const session = sessionTrouble(error as Error, server, tables)
  if (session) return session
  const state = sqlstateOf(error) ?? ''
  if (state === '42501') return rightTrouble(text, server)
  const chosen = Object.entries(tables).map(([key, table]) => `${key}: ${table}`)
  const where = chosen.length > 0 ? chosen.join(', ') : 'symbols.query'
  const about = `PostgreSQL ${server}: ${text}`
  const { whose, passing, hint } = verdictOf(state)
  if (whose === 'schema') return new Trouble('postgres_schema', about, `check ${where} in the configuration`, false)
  const mend = (whose === 'query' ? hint : ELSEWHERE) ?? 'look at what this query reads'
  return new Trouble('postgres_query', about, `${mend} (${where})`, passing)
}

/** Codes of a connection that stands: not ours, then. */
const ELSEWHERE = 'this query asks another server, which fails'

function rightTrouble(text: string, server: string): Trouble {
  const about = `PostgreSQL ${server}: ${text}`
  const right = /denied for (database|schema)/.exec(text)?.[1]
  if (right === 'database') return new Trouble('postgres_refused', about, 'GRANT CONNECT on it to this user', false)
  const mend = `GRANT ${right === 'schema' ? 'USAGE' : 'SELECT'} on it to this user`
  return new Trouble('postgres_schema', about, mend, false)
}

/** Says what an error means of the connection: it cannot be had, or it broke. */
export function connectionTrouble(error: unknown, server: string): Trouble {
  if (error instanceof Trouble) return error
  const { code = '', message } =
    error instanceof Error ? (error as Error & { code?: string }) : { message: String(error) }
  const text = readable(message || code)
  const about = `PostgreSQL ${server}: ${text}`
  const session = error instanceof Error && sessionTrouble(error, server, {})
  if (session) return session
  const unread = unreadFile(error, server)
  if (unread) return unread
  const state = sqlstateOf(error)
  if (state === '42501') return rightTrouble(text, server)
  const { whose, hint } = state === undefined ? {} : verdictOf(state)
  const byTls = tlsHint(text, POSTGRES_TLS)
  if (whose === 'login') {
    const isOfTls = state === '28000' && byTls
    return new Trouble('postgres_refused', about, (isOfTls || hint) ?? LOOK, false)
  }
  if (state === undefined && TLS.test(text)) {
    const mend = byTls ?? 'check sslmode and sslrootcert in postgres.url'
    return new Trouble('postgres_refused', about, mend, false)
  }
  const mend = state === '57014' ? SLOW : whose === 'server' ? hint : undefined
  return new Trouble('postgres_unreachable', about, mend ?? LOOK, true)
}

/** A session of ours has no limit of its own before its settings are made. */
const SLOW =
  'a statement_timeout of the role or the database is too short to begin with: ALTER ROLE … SET statement_timeout'
const LOOK = 'is it running, and is postgres.url (DATABASE_URL) right?'

/** Undefined for what did not come from a server, as errors of sockets, whose codes look alike. */
export function sqlstateOf(error: unknown): string | undefined {
  const { code, severity } = error instanceof Error ? (error as Error & { code?: string; severity?: string }) : {}
  return severity === undefined ? undefined : code
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

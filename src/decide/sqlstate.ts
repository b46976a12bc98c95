/** What an SQLSTATE says of whoever met it. Classes and codes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
export interface Verdict {
  /**
   * `server`: PostgreSQL is not there, or ends the session; `login`: it will not have us; `schema`: a table, a column, a right or a
   * value is not as the query needs it; `query`: this one query failed, and says nothing of any other.
   */
  readonly whose: 'server' | 'login' | 'schema' | 'query'
  /** True where the same query may well succeed in a while, with nobody mending anything. */
  readonly passing: boolean
  /** What mends it, for a person; undefined where the text of the error has to say it. */
  readonly hint?: string
}

const SERVER: Verdict = { whose: 'server', passing: true }
const LOGIN: Verdict = { whose: 'login', passing: false }
const SCHEMA: Verdict = { whose: 'schema', passing: false }
const QUERY: Verdict = { whose: 'query', passing: false }
const PASSING: Verdict = { whose: 'query', passing: true }

/** By the longest beginning that fits. What is not here is the query's own: better one dataset too few than PostgreSQL called down. */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  // Connection exceptions, poolers' own errors among them (08P01).
  '08': SERVER,
  // A value of another type than the query needs it; the rest of class 22 is data that the query cannot work with.
  '22007': SCHEMA,
  '22P02': SCHEMA,
  // The server ends sessions that idle in a transaction, or whose transaction takes too long.
  '25P03': SERVER,
  '25P04': SERVER,
  '25006': { ...QUERY, hint: 'Rekindle only reads, and what it reads calls something that writes' },
  '28': { ...LOGIN, hint: 'this user may not log in from here: see pg_hba.conf, and sslmode in postgres.url' },
  '28P01': { ...LOGIN, hint: 'check the user and the password in postgres.url (DATABASE_URL)' },
  '3D': { ...LOGIN, hint: 'check the database name in postgres.url (DATABASE_URL)' },
  '3F': SCHEMA,
  // A deadlock, or a serialization failure, as of a standby that must go on replaying.
  '40': PASSING,
  '42': SCHEMA,
  '53': { ...PASSING, hint: 'PostgreSQL lacks memory, disk or temporary files' },
  '53300': {
    ...SERVER,
    hint: 'raise max_connections of PostgreSQL, or let fewer sessions stay open: it has no room for ours',
  },
  '55P03': PASSING,
  '57014': { ...QUERY, hint: 'it took longer than 60 s, or somebody cancelled it; an index may help' },
  '57P': SERVER,
  '57P04': { ...LOGIN, hint: 'the database was dropped: check its name in postgres.url (DATABASE_URL)' },
  '58': { ...QUERY, hint: 'PostgreSQL cannot read its files: look at its log, and at its disk' },
  '72': PASSING,
  // A foreign table, whose own server may be away.
  HV: { ...PASSING, hint: 'a foreign table: is the server behind it running?' },
  XX: { ...QUERY, hint: 'PostgreSQL met an error of its own: look at its log' },
  XX001: { ...QUERY, hint: 'data of PostgreSQL is damaged: look at its log, and at its disk' },
  XX002: { ...QUERY, hint: 'an index of PostgreSQL is damaged: REINDEX' },
}

/** Decides by code alone. A query may also raise codes of a connection, as dblink does: whether ours stands has to be tried. */
export function verdictOf(sqlstate: string): Verdict {
  for (let length = sqlstate.length; length > 0; length--) {
    const verdict = VERDICTS[sqlstate.slice(0, length)]
    if (verdict) return verdict
  }
  return QUERY
}

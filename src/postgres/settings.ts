import { quoteLiteral } from './identifiers.js'

/** Whether row-level security may leave rows out without a word. */
export type RowSecurity = 'refuse' | 'allow'

/** For the server to run one statement, in ms. */
const STATEMENT_TIMEOUT = 60_000

/**
 * What our sessions run with, whatever the role, the database and the server have been set to: limits, what the planner must not do,
 * and everything that changes how a value is written as text, or what a query of the configuration means.
 */
const PINNED: Readonly<Record<string, string>> = {
  statement_timeout: String(STATEMENT_TIMEOUT),
  lock_timeout: '0',
  // JIT would spend longer compiling these queries than running them; a bitmap scan would read all of history to sort its end.
  jit: 'off',
  enable_bitmapscan: 'off',
  enable_seqscan: 'off',
  // With extra_float_digits at 0, as some databases have it, a double's text loses its last digits.
  extra_float_digits: '1',
  TimeZone: 'UTC',
  DateStyle: 'ISO, MDY',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  lc_numeric: 'C',
  lc_monetary: 'C',
  lc_time: 'C',
  xmlbinary: 'base64',
  xmloption: 'content',
  quote_all_identifiers: 'off',
  array_nulls: 'on',
  standard_conforming_strings: 'on',
  transform_null_equals: 'off',
}

/** Only read, and see each time what is committed. */
const READING: Readonly<Record<string, string>> = {
  default_transaction_read_only: 'on',
  default_transaction_isolation: 'read committed',
}

/**
 * The role's own search path, so that a table is found where a user of that role finds it; but built-in functions and operators come
 * first, and temporary tables, which may be those of another client of a pooler, last.
 */
const SEARCH_PATH = "pg_catalog.concat('pg_catalog, ', pg_catalog.current_setting('search_path'), ', pg_temp')"

/**
 * SQL that pins the settings for the session if its backend is `processId`, as it is where nobody stands between, and else changes
 * nothing that lasts: then a pooler stands there, and the next transaction may be in a session that other clients use.
 * One row, with `own`.
 */
export function pinSession(processId: number, rowSecurity: RowSecurity): string {
  const own = `(pg_catalog.pg_backend_pid() OPERATOR(pg_catalog.=) ${processId})`
  return `SELECT ${own} AS own, ${settings({ ...READING, ...PINNED }, rowSecurity, `NOT ${own}`)}`
}

/** SQL that pins the settings for a session that is ours alone. */
export function pinOwn(): string {
  return `SELECT ${settings({ ...READING, ...PINNED }, 'refuse', 'false')}`
}

/** SQL that begins a transaction that can only read, with the settings pinned for as long as it lasts. */
export function beginPinned(rowSecurity: RowSecurity): string {
  return `BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY; SELECT ${settings(PINNED, rowSecurity, 'true')}`
}

function settings(all: Readonly<Record<string, string>>, rowSecurity: RowSecurity, isLocal: string): string {
  const values = Object.entries({ ...all, row_security: rowSecurity === 'allow' ? 'on' : 'off' }).map(
    ([name, value]) => [name, quoteLiteral(value)] as const,
  )
  return [...values, ['search_path', SEARCH_PATH] as const]
    .map(([name, value]) => `pg_catalog.set_config('${name}', ${value}, ${isLocal})`)
    .join(', ')
}

import { access, constants } from 'node:fs/promises'
import pg from 'pg'
import { parseIntoClientConfig } from 'pg-connection-string'
import { readPostgresUrl } from '../config/postgres-url.js'
import { postgresTrouble } from './trouble.js'

/** Reads from PostgreSQL; rejects with a Trouble. */
export interface Database {
  /** `tables`: those the query reads, by the configuration key that chose each, for the error if one is missing. */
  query<Row>(sql: string, values: readonly unknown[], tables?: Readonly<Record<string, string>>): Promise<Row[]>
}

/** Limits in ms: to connect, for the server to run a statement, and for its answer to arrive. */
const CONNECT_TIMEOUT = 5_000
const STATEMENT_TIMEOUT = 60_000
const QUERY_TIMEOUT = 65_000
const POOL_SIZE = 5

/**
 * Connection settings shared by the pool and the listener. `sslmode` means what it means to libpq. Reads the files of TLS that the URL
 * names, and throws where one cannot be read.
 */
export function clientConfig(url: string): pg.ClientConfig {
  const address = readPostgresUrl(url)
  if (!address) throw new Error('this is not the URL of a PostgreSQL')
  const { params, ...where } = address
  const search = new URLSearchParams(params)
  if (search.has('sslmode')) search.set('uselibpqcompat', 'true')
  return {
    application_name: 'rekindle',
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    // Its parser knows what the parameters mean; but it does not read all addresses that libpq reads.
    ...parseIntoClientConfig(`postgres:///?${search}`),
    ...where,
  }
}

export interface OpenDatabase extends Database {
  close(): Promise<void>
}

/**
 * Opens a small pool whose sessions can only read: nothing flows back to PostgreSQL, and the server holds us to it.
 * `server` is `host:port/database`, for errors.
 */
export function openDatabase(url: string, server: string): OpenDatabase {
  /** Reads the files of TLS anew, so that renewed ones count. */
  class Client extends pg.Client {
    constructor(config: pg.ClientConfig = {}) {
      super({ ...config, ...clientConfig(url) })
    }
  }
  const pool = new pg.Pool({
    Client,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    max: POOL_SIZE,
    statement_timeout: STATEMENT_TIMEOUT,
    // JIT would spend longer compiling these queries than running them; a bitmap scan would read all of history to sort its end.
    // With extra_float_digits at 0, as some databases have it, a double's text loses its last digits.
    options:
      '-c default_transaction_read_only=on -c jit=off -c enable_bitmapscan=off -c enable_seqscan=off -c extra_float_digits=1',
  })
  // An idle connection that dies is not news: the next query opens another or reports why it cannot.
  pool.on('error', () => undefined)
  const files = namedFiles(url)
  return {
    async query<Row>(
      sql: string,
      values: readonly unknown[],
      tables?: Readonly<Record<string, string>>,
    ): Promise<Row[]> {
      try {
        // A pool that opens a connection for a query that had to wait would throw where nobody can catch it.
        for (const file of files) await access(file, constants.R_OK)
        return (await pool.query(sql, [...values])).rows as Row[]
      } catch (error) {
        throw postgresTrouble(error, server, tables)
      }
    },
    close: () => pool.end(),
  }
}

/** The files of TLS that a URL names; node-postgres reads them at each connection, so that renewed ones count. */
function namedFiles(url: string): string[] {
  const params = readPostgresUrl(url)?.params ?? {}
  return ['sslrootcert', 'sslcert', 'sslkey'].flatMap((name) => params[name] ?? [])
}

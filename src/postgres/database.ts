import { access, constants } from 'node:fs/promises'
import pg from 'pg'
import { parseIntoClientConfig } from 'pg-connection-string'
import { readPostgresUrl } from '../config/postgres-url.js'
import type { PostgresIdentity } from '../decide/identity.js'
import { readIdentity } from './identity.js'
import { beginPinned, pinSession, type RowSecurity } from './settings.js'
import { connectionTrouble, endsSession, queryTrouble, sqlstateOf, type Tables } from './trouble.js'

/** Reads from PostgreSQL; rejects with a Trouble. */
export interface Database {
  /** `tables`: those the query reads, by the configuration key that chose each, for the error if one is missing. */
  query<Row>(sql: string, values: readonly unknown[], tables?: Tables): Promise<Row[]>
}

/** Limits in ms: to connect, and for the answer to arrive. */
const CONNECT_TIMEOUT = 5_000
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

export interface DatabaseOptions {
  /** Whether policies may leave rows out without a word; `refuse` unless given. */
  readonly rowSecurity?: RowSecurity
  /** Told who answers on each new connection, before it is asked anything. */
  readonly onIdentity?: (identity: PostgresIdentity) => void
}

/**
 * Opens a small pool whose sessions can only read: nothing flows back to PostgreSQL, and the server holds us to it.
 * `server` is `host:port/database`, for errors.
 *
 * Poolers refuse settings at the start of a connection, so they are made afterwards: for the session where it is ours alone, else
 * for each transaction, since what is set in a pooled session stays for its next client.
 */
export function openDatabase(
  url: string,
  server: string,
  { rowSecurity = 'refuse', onIdentity }: DatabaseOptions = {},
): OpenDatabase {
  /** Reads the files of TLS anew, so that renewed ones count. */
  class Client extends pg.Client {
    constructor(config: pg.ClientConfig = {}) {
      super({ ...config, ...clientConfig(url) })
    }
  }
  const pooled = new WeakSet<pg.ClientBase>()
  const settle = async (client: pg.ClientBase): Promise<void> => {
    const { rows } = await client.query<{ own: boolean }>(pinSession(processIdOf(client), rowSecurity))
    if (!rows[0]?.own) pooled.add(client)
    if (!onIdentity) return
    const identity = await readIdentity(client)
    if (identity) onIdentity(identity)
  }
  const pool = new pg.Pool({
    Client,
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    max: POOL_SIZE,
    // It may be asynchronous, whatever its type says, and is awaited.
    ...{ onConnect: settle },
  })
  // An idle connection that dies is not news: the next query opens another or reports why it cannot.
  pool.on('error', () => undefined)
  // One that dies at work rejects the query.
  pool.on('connect', (client) => client.on('error', () => undefined))
  const files = namedFiles(url)
  return {
    async query<Row>(sql: string, values: readonly unknown[], tables: Tables = {}): Promise<Row[]> {
      const client = await connect()
      const run = pooled.has(client) ? runPooled : runOwn
      return await released(client, async () => {
        try {
          return await run<Row>(client, sql, values)
        } catch (error) {
          // What a query calls may raise any code, also those by which a server ends a session: whether ours stands has to be tried.
          const stands = sqlstateOf(error) !== undefined && (!endsSession(error) || (await answers(client)))
          throw stands ? queryTrouble(error, server, tables) : connectionTrouble(error, server)
        }
      })
    },
    close: () => pool.end(),
  }

  async function connect(): Promise<pg.PoolClient> {
    try {
      // A pool that opens a connection for a query that had to wait would throw where nobody can catch it.
      for (const file of files) await access(file, constants.R_OK)
      return await pool.connect()
    } catch (error) {
      throw connectionTrouble(error, server)
    }
  }

  async function runPooled<Row>(client: pg.ClientBase, sql: string, values: readonly unknown[]): Promise<Row[]> {
    await client.query(beginPinned(rowSecurity))
    const rows = await runOwn<Row>(client, sql, values)
    await client.query('COMMIT')
    return rows
  }
}

async function runOwn<Row>(client: pg.ClientBase, sql: string, values: readonly unknown[]): Promise<Row[]> {
  // The extended protocol takes one statement only: a query of the configuration cannot end the transaction that confines it to reading.
  const query = { text: sql, values: [...values], queryMode: 'extended' }
  return (await client.query(query)).rows as Row[]
}

/** True if the session goes on after an error; ends a transaction that the error may have left open. */
async function answers(client: pg.ClientBase): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    // The error that we have tells more than that of a connection which is gone.
    () => false,
  )
}

/** A connection on which something failed is not used again: a transaction may be open, an answer may still come. */
async function released<T>(client: pg.PoolClient, work: () => Promise<T>): Promise<T> {
  let failure: unknown
  try {
    return await work()
  } catch (error) {
    failure = error
    throw error
  } finally {
    client.release(failure !== undefined)
  }
}

/** The backend that the server said this connection has; a pooler says a number of its own. */
function processIdOf(client: pg.ClientBase): number {
  const { processID } = client as pg.ClientBase & { processID?: number | null }
  return processID ?? -1
}

/** The files of TLS that a URL names; node-postgres reads them at each connection, so that renewed ones count. */
function namedFiles(url: string): string[] {
  const params = readPostgresUrl(url)?.params ?? {}
  return ['sslrootcert', 'sslcert', 'sslkey'].flatMap((name) => params[name] ?? [])
}

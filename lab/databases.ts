import { randomBytes } from 'node:crypto'
import { Client } from 'pg'

/** Runs one statement over a connection of its own. */
export async function runSql(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** Creates a database beside the one that the URL names, copied from `template` if given, and returns its URL. */
export async function createDatabase(
  adminUrl: string,
  name = `rekindle_${randomBytes(6).toString('hex')}`,
  template = 'template0',
): Promise<string> {
  await runSql(adminUrl, `CREATE DATABASE ${quote(name)} TEMPLATE ${quote(template)}`)
  const url = new URL(adminUrl)
  url.pathname = `/${encodeURIComponent(name)}`
  return url.href
}

/** Drops a database, given by name or by the URL that `createDatabase` returned, and ends its connections. */
export async function dropDatabase(adminUrl: string, nameOrUrl: string): Promise<void> {
  const name = nameOrUrl.includes('://') ? decodeURIComponent(new URL(nameOrUrl).pathname.slice(1)) : nameOrUrl
  await runSql(adminUrl, `DROP DATABASE IF EXISTS ${quote(name)} WITH (FORCE)`)
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

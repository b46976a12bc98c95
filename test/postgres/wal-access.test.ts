import { Client } from 'pg'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { startPgBouncer } from '../../lab/pgbouncer.js'
import { type OpenDatabase, openDatabase } from '../../src/postgres/database.js'
import { Replication } from '../../src/postgres/replication.js'
import { readSlot, walHindrance } from '../../src/postgres/wal-access.js'
import { describePgBouncer } from '../support/pgbouncer.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useDatabase, usePostgres } from '../support/servers.js'

let db: OpenDatabase | undefined
afterEach(async () => {
  await db?.close()
  db = undefined
})

async function hindrance(url: string, listen = url) {
  await db?.close()
  db = openDatabase(url, 'here')
  const { query } = db
  return walHindrance((sql, values) => query(sql, values), listen, 'here')
}

const plugin = { name: 'test_decoding', options: { 'include-xids': '1' } } as const

describe('a server that writes less to its WAL', () => {
  const database = useDatabase()
  it('is told, with what mends it', async () => {
    expect(await hindrance(database.url)).toMatchObject({
      code: 'postgres_wal',
      message: expect.stringContaining('wal_level is replica'),
      hint: expect.stringContaining('ALTER SYSTEM SET wal_level = logical'),
    })
  })
})

describeOwnServers('what stands against reading the WAL', () => {
  const postgres = usePostgres({ settings: { wal_level: 'logical' } })
  const as = (user: string, url = postgres.url) => url.replace('postgres:rekindle@', `${user}:secret@`)

  beforeAll(async () => {
    await runSql(
      postgres.url,
      `CREATE ROLE plain LOGIN PASSWORD 'secret'; CREATE ROLE reader LOGIN REPLICATION PASSWORD 'secret';
       CREATE ROLE hostile LOGIN REPLICATION PASSWORD 'secret';
       ALTER ROLE hostile SET statement_timeout = '300ms'; ALTER ROLE hostile SET lock_timeout = '1ms';
       ALTER ROLE hostile SET "DateStyle" = 'German'; ALTER ROLE hostile SET default_transaction_read_only = on;
       ALTER ROLE hostile SET search_path = nowhere; ALTER ROLE hostile SET client_encoding = 'LATIN1'`,
    )
  })

  it('is nothing for a superuser, and for a role with no right but REPLICATION', async () => {
    expect(await hindrance(postgres.url)).toBeUndefined()
    expect(await hindrance(as('reader'))).toBeUndefined()
  })

  it('is the missing right of the role that would read it', async () => {
    expect(await hindrance(as('plain'))).toMatchObject({
      hint: expect.stringContaining('ALTER ROLE plain REPLICATION'),
    })
    // It is another one that would listen.
    expect(await hindrance(postgres.url, as('plain'))).toMatchObject({ code: 'postgres_wal' })
    expect(await hindrance(as('plain'), as('reader'))).toBeUndefined()
  })

  it('is another encoding', async () => {
    const admin = new URL(postgres.url)
    await runSql(postgres.url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    admin.pathname = '/latin'
    expect(await hindrance(admin.href)).toMatchObject({ message: expect.stringContaining('LATIN1') })
  })

  it('is that Rekindle would count as a standby', async () => {
    const set = async (names: string) => {
      await runSql(postgres.url, `ALTER SYSTEM SET synchronous_standby_names = '${names}'`)
      await runSql(postgres.url, 'SELECT pg_reload_conf()')
    }
    try {
      // Commits of our own must not wait for a standby that is not there.
      const wait = (value: boolean) => until(async () => ((await hindrance(postgres.url)) !== undefined) === value)
      await set('FIRST 1 (*)')
      await wait(true)
      await set('ANY 1 ("*", a)')
      await wait(true)
      await set('a, b')
      await wait(false)
    } finally {
      await runSql(postgres.url, 'ALTER SYSTEM RESET synchronous_standby_names')
      await runSql(postgres.url, 'SELECT pg_reload_conf()')
    }
  })

  it('are no settings of the role: they change nothing of what is read, and end nothing', async () => {
    await runSql(postgres.url, `CREATE TABLE dated (day date PRIMARY KEY, at timestamp, name text)`)
    const texts: string[] = []
    const errors: unknown[] = []
    const url = as('hostile')
    const replication = new Replication({
      url,
      server: 'here',
      plugin,
      take: (data) => texts.push(data.toString()),
      fail: (error) => errors.push(error),
    })
    await replication.open()
    try {
      db = openDatabase(url, 'here')
      expect(await readSlot(db, replication.slot)).toEqual({ lag: expect.any(Number), held: expect.any(Number) })
      expect(await readSlot(db, 'no such slot')).toBeUndefined()
      const client = new Client({ connectionString: postgres.url })
      await client.connect()
      await client.query(`INSERT INTO dated VALUES ('2024-12-31', '2024-12-31 10:11:12', 'ä€')`)
      // For longer than its statements may take.
      await client.query('SELECT pg_sleep(0.6)')
      await client.query(`DELETE FROM dated`)
      await client.end()
      await until(() => texts.filter((text) => text.startsWith('COMMIT')).length === 2)
      expect(texts.filter((text) => text.startsWith('table'))).toEqual([
        `table public.dated: INSERT: day[date]:'2024-12-31' at[timestamp without time zone]:'2024-12-31 10:11:12' name[text]:'ä€'`,
        `table public.dated: DELETE: day[date]:'2024-12-31'`,
      ])
      expect(errors).toEqual([])
    } finally {
      replication.close()
    }
  })
})

describePgBouncer('a pooler before the WAL', () => {
  const postgres = usePostgres({ settings: { wal_level: 'logical' } })

  it('is told from a server that is away', async () => {
    const pooler = await startPgBouncer(postgres.port, { pool_mode: 'transaction' })
    try {
      const url = pooler.url(postgres.url)
      const replication = new Replication({ url, server: 'here', plugin, take: () => {}, fail: () => {}, limit: 3_000 })
      await expect(replication.open()).rejects.toMatchObject({
        code: 'postgres_wal',
        hint: expect.stringContaining('postgres.listen_url'),
      })
    } finally {
      await pooler.stop()
    }
  })
})

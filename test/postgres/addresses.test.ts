import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { serverName } from '../../src/config/redact.js'
import { listen } from '../../src/detect/changes.js'
import { openDatabase } from '../../src/postgres/database.js'
import { rekindle } from '../commands/rekindle.js'
import { usePostgres } from '../support/servers.js'

const DATABASE = 'a/b?c#d%e f'
const PASSWORD = 'p/w:d@?#%+ &=ü'
const folder = mkdtempSync(join(tmpdir(), 'rk-socket-'))
chmodSync(folder, 0o777)

describe('an address that psql takes', () => {
  const postgres = usePostgres({ settings: { unix_socket_directories: folder } })
  const user = 'some user'

  beforeAll(async () => {
    await postgres.createDatabase('acme')
    await runSql(postgres.url, `CREATE DATABASE "${DATABASE}"`)
    await runSql(postgres.url, `CREATE ROLE "${user}" SUPERUSER LOGIN PASSWORD '${PASSWORD}'`)
    await runSql(postgres.url, "CREATE ROLE acme SUPERUSER LOGIN PASSWORD 's3cret'")
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const where = async (url: string): Promise<string> => {
    const db = openDatabase(url, serverName(url))
    try {
      const sql =
        "SELECT concat_ws('|', current_user, current_database(), coalesce(host(inet_server_addr()), 'socket')) AS it"
      const [row] = await db.query<{ it: string }>(sql, [])
      return row?.it ?? ''
    } finally {
      await db.close()
    }
  }

  it('leads to the server: over a socket, with names and passwords of all characters, with defaults', async () => {
    const { port } = postgres
    const [u, p, d] = [user, PASSWORD, DATABASE].map(encodeURIComponent)
    const dir = encodeURIComponent(folder)
    const forms: [string, string][] = [
      [`postgres://acme:s3cret@/acme?host=${folder}&port=${port}`, 'acme|acme|socket'],
      [`postgresql://acme:s3cret@${dir}:${port}/acme`, 'acme|acme|socket'],
      [`postgres:///acme?host=${dir}&port=${port}&user=acme&password=s3cret`, 'acme|acme|socket'],
      // Without a database it is the user's name, as with libpq.
      [`postgres://acme:s3cret@127.0.0.1:${port}`, 'acme|acme|127.0.0.1'],
      [`postgres://acme:s3cret@?host=127.0.0.1&port=${port}`, 'acme|acme|127.0.0.1'],
      [
        `postgres://nobody:wrong@h/nowhere?user=acme&password=s3cret&host=127.0.0.1&port=${port}&dbname=acme`,
        'acme|acme|127.0.0.1',
      ],
      [`postgres://${u}:${p}@127.0.0.1:${port}/${d}`, `${user}|${DATABASE}|127.0.0.1`],
      [`postgres://?host=${dir}&port=${port}&user=${u}&password=${p}&dbname=${d}`, `${user}|${DATABASE}|socket`],
    ]
    for (const [url, expected] of forms) expect(await where(url), url).toBe(expected)
  })

  it('is filled up from PGHOST, PGPORT, PGUSER, PGPASSWORD and PGDATABASE, and named so', async () => {
    const env = {
      PGHOST: folder,
      PGPORT: String(postgres.port),
      PGUSER: 'acme',
      PGPASSWORD: 'wrong',
      PGDATABASE: 'nowhere',
    }
    const { status, stderr } = await rekindle(['triggers', '--apply'], { DATABASE_URL: 'postgres://', ...env })
    expect(status).toBe(1)
    expect(stderr).toMatch(
      new RegExp(`^rekindle: PostgreSQL ${folder}:${postgres.port}/nowhere: password authentication failed`),
    )
  })

  it('is listened at, too', async () => {
    const url = `postgres://acme:s3cret@/acme?host=${folder}&port=${postgres.port}`
    const db = openDatabase(url, serverName(url))
    const notify = (sql: string): Promise<unknown> => db.query(sql, [])
    const heard = await new Promise((resolve, reject) => {
      const listening = listen({ url, server: serverName(url), channel: 'rekindle', notify }).subscribe({
        next: (each) => {
          listening.unsubscribe()
          resolve(each)
        },
        error: reject,
      })
    })
    await db.close()
    expect(heard).toEqual({ kind: 'listening' })
  })
})

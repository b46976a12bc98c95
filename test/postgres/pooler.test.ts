import { Client } from 'pg'
import { beforeAll, expect, it } from 'vitest'
import { createMarket } from '../../lab/market.js'
import { type RunningPgBouncer, startPgBouncer } from '../../lab/pgbouncer.js'
import { openDatabase } from '../../src/postgres/database.js'
import { SMALL } from '../support/daemon.js'
import { describePgBouncer } from '../support/pgbouncer.js'
import { usePostgres } from '../support/servers.js'

/** Settings that other clients of the pooler would feel, each with what they have by default. */
const FELT = {
  default_transaction_read_only: 'off',
  timezone: 'Asia/Kolkata',
  row_security: 'on',
  enable_seqscan: 'on',
}

describePgBouncer('through PgBouncer with its defaults', () => {
  const postgres = usePostgres({ settings: { timezone: 'Asia/Kolkata' } })
  let url: string
  beforeAll(async () => {
    url = await postgres.createDatabase('app')
    await createMarket(url, SMALL)
  })

  for (const mode of ['session', 'transaction']) {
    it(`pool_mode = ${mode}: what we read is pinned and read-only, and no other client feels it`, async () => {
      // One connection to the server for all.
      const pooler = await startPgBouncer(postgres.port, {
        pool_mode: mode,
        default_pool_size: '1',
        server_reset_query: '',
      })
      const db = openDatabase(pooler.url(url), 'here')
      expect(
        await db.query(
          "SELECT current_setting('statement_timeout') AS limit, current_setting('row_security') AS rls, $1::int AS one",
          [1],
        ),
      ).toEqual([{ limit: '1min', rls: 'off', one: 1 }])
      for (const write of [
        'CREATE TABLE mine (id int)',
        'DELETE FROM tickers',
        'SET TRANSACTION READ WRITE',
        'COMMIT; DELETE FROM tickers',
      ]) {
        await expect(db.query(write, []), write).rejects.toThrow(/read-only|read-write|multiple commands/)
      }
      expect(await db.query('SELECT FROM tickers', [])).not.toEqual([])
      if (mode === 'session') await db.close()
      expect(await settingsSeen(pooler, url)).toEqual(FELT)
      if (mode === 'transaction') await db.close()
      await pooler.stop()
    })
  }

  it('pool_mode = statement is refused in words', async () => {
    const pooler = await startPgBouncer(postgres.port, { pool_mode: 'statement' })
    const db = openDatabase(pooler.url(url), 'here')
    await expect(db.query('SELECT 1', [])).rejects.toMatchObject({
      code: 'postgres_refused',
      passing: false,
      hint: expect.stringContaining('pool_mode should be session or transaction'),
    })
    await db.close()
    await pooler.stop()
  })

  it('a parameter of the URL that PgBouncer refuses is named', async () => {
    const pooler = await startPgBouncer(postgres.port)
    const db = openDatabase(`${pooler.url(url)}?statement_timeout=1000`, 'here')
    await expect(db.query('SELECT 1', [])).rejects.toMatchObject({
      code: 'postgres_refused',
      passing: false,
      hint: expect.stringContaining('ignore_startup_parameters = statement_timeout'),
    })
    await db.close()
    await pooler.stop()
  })
})

async function settingsSeen(pooler: RunningPgBouncer, url: string): Promise<Record<string, string>> {
  const client = new Client({ connectionString: pooler.url(url) })
  await client.connect()
  const list = Object.keys(FELT).map((name) => `current_setting('${name}') AS ${name}`)
  const { rows } = await client.query<Record<string, string>>(`SELECT ${list.join(', ')}`)
  await client.end()
  return rows[0] ?? {}
}

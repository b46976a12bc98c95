import { existsSync } from 'node:fs'
import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { startPostgres } from '../../lab/postgres.js'
import { isAlive } from '../support/processes.js'
import { useDatabase } from '../support/servers.js'

describe('startPostgres', () => {
  it('keeps its data and port over a restart and a crash, and leaves nothing behind', async () => {
    const postgres = await startPostgres()
    const url = await postgres.createDatabase('kept')
    const [settings] = (await run(url, 'SHOW data_directory')) as { data_directory: string }[]
    const folder = settings?.data_directory ?? ''
    expect(existsSync(folder)).toBe(true)
    await run(url, 'CREATE TABLE t AS SELECT 42 AS answer')
    await postgres.restart()
    expect(await run(url, 'SELECT answer FROM t')).toEqual([{ answer: 42 }])
    await postgres.kill()
    await expect(run(url, 'SELECT 1')).rejects.toThrow(/ECONNREFUSED/)
    await postgres.start()
    const copy = await postgres.createDatabase('copied', 'kept')
    expect(await run(copy, 'SELECT answer FROM t')).toEqual([{ answer: 42 }])
    await postgres.dropDatabase(copy)
    await expect(run(copy, 'SELECT 1')).rejects.toThrow(/does not exist/)
    await expect(run(url.replace('rekindle@', 'wrong@'), 'SELECT 1')).rejects.toThrow(/password authentication failed/)
    const { pid } = postgres
    await postgres.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(folder)).toBe(false)
  })
})

describe('useDatabase', () => {
  const database = useDatabase((url) => run(url, 'CREATE TABLE t (a int)'))

  it('gives a database as it was prepared', async () => {
    await database.query('INSERT INTO t VALUES ($1)', [7])
    expect(await database.query('SELECT a FROM t')).toEqual([{ a: 7 }])
  })
})

async function run(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

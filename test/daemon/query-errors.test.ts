import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Config } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { type RunningDaemon, startDaemon, testConfig } from '../support/daemon.js'
import { until, useDatabase, useRedis } from '../support/servers.js'

const FAIL = `CREATE OR REPLACE FUNCTION price(n int) RETURNS numeric LANGUAGE plpgsql AS`

describe('an error of one query', () => {
  const redis = useRedis()
  const database = useDatabase(async () => undefined)
  let client: Redis
  let daemon: RunningDaemon

  const config = (): Config =>
    testConfig(redis.url, database.url, {
      poll: '100ms',
      scrub: '1s',
      more: {
        candles: false,
        indicators: false,
        rows: {
          priced: { query: 'SELECT id, price(id) AS price FROM items', key: 'price:{id}' },
          named: { table: 'names', key: 'name:{id}' },
        },
      },
    })

  beforeAll(async () => {
    await database.query(`
      CREATE DOMAIN filled AS text NOT NULL;
      CREATE TABLE items (id int PRIMARY KEY);
      CREATE TABLE names (id bigint PRIMARY KEY, name filled, note filled DEFAULT '-')`)
    client = new Redis(redis.url)
  })
  afterAll(() => client.disconnect())
  beforeEach(async () => {
    await client.flushall()
    await database.query('TRUNCATE items, names')
    await database.query('INSERT INTO items VALUES (1), (2)')
    await database.query(`INSERT INTO names VALUES (1, 'one'), (9007199254740993, 'big')`)
    await database.query(`${FAIL} $$ BEGIN RETURN n + 0.50; END $$`)
    await database.query(installSql(config()))
    daemon = startDaemon(config())
    await daemon.next('watching')
    daemon.passOver()
  })
  afterEach(() => daemon.stop())

  it('hides no loss: a key that is deleted meanwhile is missed, and what keeps it away is told', async () => {
    await until(async () => (await client.exists('price:1', 'price:2', 'rekindle:epoch')) === 3)
    daemon.passOver()
    await database.query(`${FAIL} $$ BEGIN RAISE EXCEPTION 'no price for %', n; END $$`)
    await client.del('price:1')
    expect(await daemon.next('data_loss')).toMatchObject({ cause: 'deletion', keys_lost: 1 })
    const told = await until(() => daemon.all('degraded').find(({ what }) => what.startsWith('rows.priced')))
    expect(told).toMatchObject({ code: 'postgres_query', hint: expect.stringContaining('rows.priced.query') })
    await database.query(`${FAIL} $$ BEGIN RETURN n + 0.25; END $$`)
    await daemon.next('healed')
    expect(await client.hget('price:1', 'price')).toBe('1.25')
  })

  it.each([
    ['a RAISE', `RAISE EXCEPTION 'no price for %', n;`, 'postgres_query'],
    ['a division by zero', 'RETURN 1 / 0;', 'postgres_query'],
    [
      'the code of another server that is away',
      `RAISE EXCEPTION 'no server' USING ERRCODE = '57P03';`,
      'postgres_query',
    ],
    ['a domain that forbids NULL', `PERFORM NULL::text::filled; RETURN 1;`, 'postgres_query'],
  ])('is that dataset’s, the others go on, and it is over when it is mended: %s', async (_, body, code) => {
    await database.query(`${FAIL} $$ BEGIN ${body} END $$`)
    const isIts = ({ what }: { what: string }) => what.startsWith('rows.priced')
    // Only a trouble that does not pass by itself is said at once.
    const isPassing = /another server/.test(_)
    await client.flushall()
    await daemon.next('data_loss')
    if (!isPassing) {
      const told = await daemon.next('degraded', isIts)
      expect(told).toMatchObject({ code, hint: expect.stringContaining('rows.priced.query') })
    }
    await until(async () => (await client.hget('name:1', 'name')) === 'one')
    await database.query(`UPDATE names SET name = 'eins' WHERE id = 1`)
    await until(async () => (await client.hget('name:1', 'name')) === 'eins')
    expect(await client.exists('rekindle:epoch')).toBe(0)
    await database.query(`${FAIL} $$ BEGIN RETURN n + 0.25; END $$`)
    await daemon.next('healed')
    expect(await client.hget('price:1', 'price')).toBe('1.25')
    expect(daemon.all('postgres_down')).toEqual([])
    const whats = daemon.all('degraded').map(({ what }) => what)
    expect(whats).toEqual([...new Set(whats)])
    expect(['rows.priced', 'rows.priced polling']).toEqual(expect.arrayContaining(whats))
  })

  it('rows of a table with a domain that forbids NULL are followed at once', async () => {
    const now = () => Promise.all([client.hgetall('name:1'), client.exists('name:9007199254740993', 'name:3')])
    await database.query(`UPDATE names SET name = 'uno' WHERE id = 1`)
    expect(await daemon.next('sync')).toMatchObject({ dataset: 'rows.named', fields: 1 })
    expect(await now()).toEqual([{ id: '1', name: 'uno', note: '-' }, 1])
    await database.query(`INSERT INTO names VALUES (3, 'drei')`)
    await until(async () => (await now())[1] === 2)
    // A number too large for a double is itself.
    await database.query(`UPDATE names SET name = 'large' WHERE id = 9007199254740993`)
    await until(async () => (await client.hget('name:9007199254740993', 'name')) === 'large')
    // Also when no row was left.
    await database.query('DELETE FROM names')
    await database.query(`INSERT INTO names VALUES (4, 'vier')`)
    await until(async () => (await client.hget('name:4', 'name')) === 'vier')
    expect(daemon.all('degraded')).toEqual([])
    expect(daemon.all('drift')).toEqual([])
  })
})

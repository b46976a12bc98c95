import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { configSchema } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { useDatabase } from '../support/servers.js'
import { type Listener, listen } from './listener.js'

describe('a writer', () => {
  const database = useDatabase()
  const feeder = `rekindle_feeder_${randomBytes(4).toString('hex')}`
  let listener: Listener
  let client: Client
  let minute = 0
  const insert = (table = 'public.indicator_values_v4') =>
    client.query(`INSERT INTO ${table} (instance_id, symbol, open_time, param_name, value)
      VALUES (1, 'BTCUSDT', '2026-01-01'::timestamp + interval '${++minute} minutes', 'ema', 1)`)
  const announced = { dataset: 'indicators', keys: [{ symbol: 'BTCUSDT', part: 'm1' }] }

  beforeAll(async () => {
    await createSchema({ query: async (sql) => ({ rows: await database.query(sql), rowCount: null }) })
    await database.query(installSql(configSchema.parse({})))
    await database.query(
      "INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe) VALUES (1, 'ema', 'BTCUSDT', 'm1')",
    )
    await database.query(`CREATE ROLE ${feeder}`)
    await database.query(`GRANT ${feeder} TO CURRENT_USER`)
    await database.query(`GRANT INSERT, UPDATE (value) ON indicator_values_v4 TO ${feeder}`)
    await database.query(`GRANT USAGE ON SEQUENCE indicator_values_v4_id_seq TO ${feeder}`)
    listener = await listen(database.url)
    client = new Client({ connectionString: database.url })
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await listener.close()
    await database.query(`DROP OWNED BY ${feeder}; DROP ROLE ${feeder}`)
  })

  it('who may write the values alone still can, and has the symbol announced', async () => {
    await client.query(`SET ROLE ${feeder}`)
    await expect(client.query('SELECT FROM indicator_instances_v4')).rejects.toThrow(/permission denied/)
    expect(await listener.announced(() => insert())).toEqual([{ dataset: 'indicators', keys: [{ symbol: 'BTCUSDT' }] }])
    expect(await listener.announced(() => client.query('UPDATE indicator_values_v4 SET value = 2'))).toEqual([
      { dataset: 'indicators', keys: [{ symbol: 'BTCUSDT' }] },
    ])
    await client.query('RESET ROLE')
  })

  it('who may read the instances has the timeframe announced', async () => {
    await database.query(`GRANT SELECT ON indicator_instances_v4 TO ${feeder}`)
    await client.query(`SET ROLE ${feeder}`)
    expect(await listener.announced(() => insert())).toEqual([announced])
    await client.query('RESET ROLE')
  })

  it.each(["''", 'pg_catalog', 'other', 'other, public'])('may have any search path: %s', async (path) => {
    await client.query('CREATE SCHEMA other CREATE TABLE indicator_instances_v4 (id int, timeframe text)')
    await client.query("INSERT INTO other.indicator_instances_v4 VALUES (1, 'wrong')")
    await client.query(`SET search_path = ${path}`)
    expect(await listener.announced(() => insert())).toEqual([announced])
    await client.query('RESET search_path')
    await client.query('DROP SCHEMA other CASCADE')
  })

  it('may have a temporary table of the same name', async () => {
    await client.query("CREATE TEMP TABLE indicator_instances_v4 AS SELECT 1 AS id, 'wrong'::text AS timeframe")
    expect(await listener.announced(() => insert())).toEqual([announced])
    await client.query('DROP TABLE pg_temp.indicator_instances_v4')
  })

  it('needs no right to notify', async () => {
    const functions = ['pg_notify(text, text)', 'pg_notification_queue_usage()']
    for (const name of functions) await database.query(`REVOKE EXECUTE ON FUNCTION ${name} FROM public`)
    await client.query(`SET ROLE ${feeder}`)
    expect(await listener.announced(() => insert())).toEqual([{ dataset: 'indicators', keys: 'all' }])
    await client.query('RESET ROLE')
    for (const name of functions) await database.query(`GRANT EXECUTE ON FUNCTION ${name} TO public`)
  })
})

import { Client } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createMarket } from '../../lab/market.js'
import { configSchema } from '../../src/config/schema.js'
import { installSql } from '../../src/postgres/triggers.js'
import { SMALL } from '../support/daemon.js'
import { useDatabase } from '../support/servers.js'
import { type Listener, listen } from './listener.js'

/** All that changes how a value is written as text, and a search path with another meaning of `||`. */
const HOSTILE = `SET timezone = 'Asia/Kolkata'; SET datestyle = 'German'; SET intervalstyle = 'sql_standard';
  SET bytea_output = 'escape'; SET extra_float_digits = -15; SET search_path = evil, public, pg_catalog`

const config = configSchema.parse({
  candles: false,
  indicators: {},
  rows: { odd: { table: 'odd', key: 'odd:{f}:{d}:{i}:{b}:{at}' } },
})

const database = useDatabase((url) => createMarket(url, SMALL))
let client: Client
let listener: Listener

beforeAll(async () => {
  client = new Client({ connectionString: database.url })
  await client.connect()
  await client.query(`CREATE TABLE odd (f double precision, d daterange, i interval, b bytea, at timestamptz);
    CREATE SCHEMA evil;
    CREATE FUNCTION evil.wrong(text, text) RETURNS text LANGUAGE sql AS $$ SELECT 'wrong' $$;
    CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.wrong)`)
  await client.query('SET search_path = evil, public, pg_catalog')
  await client.query(installSql(config))
  listener = await listen(database.url)
})
afterAll(async () => {
  await listener.close()
  await client.end()
})

it('what is announced does not depend on the settings of the writer', async () => {
  const insert = (): Promise<unknown> =>
    client.query(
      `INSERT INTO public.odd VALUES (0.1::float8 + 0.2::float8, '[2025-01-02,2025-02-03)', '1 day 2 hours', '\\x0102ff', '2025-06-01 12:00+00')`,
    )
  await client.query('RESET ALL')
  const plain = await listener.announced(insert)
  expect(plain).toMatchObject([{ keys: [{ part: expect.stringContaining('0.30000000000000004') }] }])
  await client.query(HOSTILE)
  expect(await listener.announced(insert)).toEqual(plain)
  await client.query('RESET ALL')
})

it('a policy that hides the instances from the writer hides no change', async () => {
  await client.query(`CREATE ROLE writer_${process.pid}; ALTER TABLE indicator_instances_v4 ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, DELETE ON indicator_values_v4, indicator_instances_v4 TO writer_${process.pid}`)
  await client.query(`SET ROLE writer_${process.pid}`)
  const gone = await listener.announced(() => client.query("DELETE FROM indicator_values_v4 WHERE symbol = 'BTCUSDT'"))
  await client.query('RESET ROLE')
  await client.query(`DROP OWNED BY writer_${process.pid}; DROP ROLE writer_${process.pid}`)
  expect(gone).toEqual([{ dataset: 'indicators', keys: [{ symbol: 'BTCUSDT' }] }])
})

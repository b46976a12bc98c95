import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LAST, useMarket } from '../support/daemon.js'
import { describeLayouts, useRedis } from '../support/servers.js'
import { rekindle, writeConfig } from './rekindle.js'

/** What two people may have set for their roles, and what each would write other bytes by. */
const SETTINGS = [
  {
    TimeZone: 'Asia/Tokyo',
    DateStyle: 'German, DMY',
    IntervalStyle: 'sql_standard',
    bytea_output: 'escape',
    extra_float_digits: '-15',
    lc_monetary: 'C.UTF-8',
    lc_numeric: 'C.UTF-8',
    xmlbinary: 'hex',
    array_nulls: 'off',
    quote_all_identifiers: 'on',
    standard_conforming_strings: 'off',
    transform_null_equals: 'on',
    search_path: 'elsewhere, public',
    client_encoding: 'LATIN1',
    default_transaction_isolation: 'serializable',
    default_transaction_read_only: 'off',
    statement_timeout: '1h',
    enable_indexscan: 'off',
  },
  {
    TimeZone: 'America/New_York',
    DateStyle: 'SQL, YMD',
    IntervalStyle: 'iso_8601',
    bytea_output: 'hex',
    extra_float_digits: '3',
    search_path: '"$user", public',
  },
] as const

const TYPES = `CREATE TABLE typed (id int PRIMARY KEY, zoned timestamptz, naive timestamp, day date, clock timetz, span interval,
    bytes bytea, double float8, single float4, exact numeric(20, 10), price money, many int[], words text[], range tstzrange,
    flag bool, body jsonb, raw json, doc text, until timestamptz, net inet, uid uuid, bits bit(4));
  INSERT INTO typed SELECT n, '2025-03-30 01:30:00.123456+00', '2025-03-30 02:30:00', '2025-01-02', '12:34:56+05:30',
    '1 year 2 mons 3 days 04:05:06.7', '\\x00ff5c27', 0.1::float8 + 0.2::float8, 1.1::float4, 12345.6789000000, 12.50, '{1,NULL,3}',
    '{"a,b","NULL",NULL}', '[2025-01-01,2025-02-01)', true, '{"a": 1.10}', '{"a":   "ä€😀"}', 'ä€😀 \\ '' "', now() + interval '1 day',
    '10.0.0.1/8', '00000000-0000-0000-0000-000000000001', B'1010' FROM generate_series(1, 20) AS n`

/** A table, a function and an operator that a search path could find first. */
const TRAPS = `CREATE SCHEMA elsewhere;
  CREATE FUNCTION elsewhere.to_json(anyelement) RETURNS json LANGUAGE sql AS $$ SELECT '"trap"'::json $$;
  CREATE FUNCTION elsewhere.min(text) RETURNS text LANGUAGE sql AS $$ SELECT 'trap'::text $$;
  CREATE FUNCTION elsewhere.same(text, text) RETURNS bool LANGUAGE sql AS 'SELECT false';
  CREATE OPERATOR elsewhere.= (LEFTARG = text, RIGHTARG = text, FUNCTION = elsewhere.same);
  GRANT USAGE ON SCHEMA elsewhere TO PUBLIC`

describe('roles with settings of their own', () => {
  const redis = useRedis()
  const { database } = useMarket()
  const roles = SETTINGS.map(() => `rekindle_${randomBytes(4).toString('hex')}`)
  const urls: string[] = []

  beforeAll(async () => {
    await database.query(TYPES)
    await database.query(TRAPS)
    for (const [i, settings] of SETTINGS.entries()) {
      const role = roles[i]
      await database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'x'`)
      await database.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${role}`)
      for (const [name, value] of Object.entries(settings)) {
        const list = name === 'search_path' ? value : `'${value}'`
        await database.query(`ALTER ROLE ${role} SET ${name} = ${list}`)
      }
      const url = new URL(database.url)
      url.username = role ?? ''
      url.password = 'x'
      urls.push(url.href)
    }
    // Settings of the address itself count no more than those of the role.
    const options =
      '-c TimeZone=Pacific/Auckland -c bytea_output=escape -c extra_float_digits=-15 -c statement_timeout=1'
    urls.push(`${database.url}?options=${encodeURIComponent(options)}`, database.url)
  })
  afterAll(async () => {
    for (const role of roles) await database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`)
  })

  describeLayouts('', (layout) => {
    it('read the same bytes: what one restores, each other finds whole', async () => {
      const rows = {
        hashes: { table: 'typed', key: 'h:{id}' },
        documents: { table: 'typed', key: 'j:{id}', type: 'json' },
        fields: {
          table: 'typed',
          key: 'f:{zoned}:{day}:{id}',
          fields: { at: 'zoned', bytes: 'bytes', d: 'double', s: 'span' },
        },
        texts: { table: 'typed', key: 's:{naive}:{id}', type: 'string', value: 'range', expires: 'until' },
        asked: {
          query: `SELECT id, zoned::text AS z, double::text AS d, '\\n' AS n FROM typed WHERE doc = doc`,
          key: 'q:{id}:{z}',
        },
      }
      const config = writeConfig({ candles: { layout, last: LAST }, rows })
      const env = (url: string) => ({ REDIS_URL: redis.url, DATABASE_URL: url, REKINDLE_CONFIG: config })
      const client = new Redis(redis.url)
      const dumps = new Set<string>()
      for (const writer of urls) {
        await client.flushall()
        expect(await rekindle(['restore'], env(writer))).toMatchObject({
          status: 0,
          stderr: expect.not.stringContaining('trap'),
        })
        dumps.add(
          JSON.stringify([await client.hgetall('h:1'), await client.get('j:1'), (await client.keys('[fsq]:*')).sort()]),
        )
        for (const reader of urls) {
          const { status, stderr } = await rekindle(['verify'], env(reader))
          expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
        }
      }
      client.disconnect()
      expect([...dumps]).toHaveLength(1)
      expect([...dumps][0]).not.toContain('trap')
      expect([...dumps][0]).toContain('0.30000000000000004')
    })
  })
})

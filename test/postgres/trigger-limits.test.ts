import { Client, Query } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { configSchema } from '../../src/config/schema.js'
import { parseAnnouncement } from '../../src/decide/announcement.js'
import { installSql } from '../../src/postgres/triggers.js'
import { useDatabase, usePostgres } from '../support/servers.js'
import { type Listener, listen } from './listener.js'

const config = configSchema.parse({})

describe('an announcement', () => {
  const database = useDatabase()
  let listener: Listener
  const run = (sql: string, values?: unknown[]) => database.query(sql, values)

  beforeAll(async () => {
    await createSchema({ query: async (sql) => ({ rows: await run(sql), rowCount: null }) })
    await run(installSql(config))
    listener = await listen(database.url)
  })
  afterAll(() => listener.close())
  beforeEach(async () => {
    await run('TRUNCATE ohlcv4_m1, indicator_instances_v4, indicator_values_v4')
  })

  async function symbolsOf(payloads: string[]): Promise<string[]> {
    return payloads.flatMap((payload) => {
      const announcement = parseAnnouncement(payload)
      if (!announcement || 'ping' in announcement || announcement.keys === 'all') throw new Error(payload)
      return announcement.keys.map(({ symbol }) => symbol)
    })
  }

  it('of 100,000 rows over 5,000 symbols comes in a few payloads, each below 8,000 bytes', async () => {
    await run(`INSERT INTO indicator_instances_v4 (id, indicator, symbol, timeframe)
      SELECT n, 'ema', 'SYM' || n || 'USDT', 'm15' FROM generate_series(1, 5000) AS n`)
    const payloads = await listener.payloads(() =>
      run(`INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
        SELECT n, 'SYM' || n || 'USDT', '2026-01-01'::timestamp + i * interval '1 minute', 'ema', i
        FROM generate_series(1, 5000) AS n, generate_series(1, 20) AS i`),
    )
    expect(payloads.length).toBeGreaterThan(1)
    expect(payloads.length).toBeLessThanOrEqual(64)
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8000)
    const symbols = await symbolsOf(payloads)
    expect(symbols).toHaveLength(5000)
    expect(new Set(symbols).size).toBe(5000)
  })

  it('of more keys than 64 payloads hold is one that says: everything', async () => {
    const insert =
      "INSERT INTO ohlcv4_m1 (symbol, open_time) SELECT md5(n::text), '2026-01-01' FROM generate_series(1, 15000) AS n"
    expect(await listener.announced(() => run(insert))).toEqual([{ dataset: 'candles.m1', keys: 'all' }])
  })

  it('counts bytes, not characters', async () => {
    const insert = `INSERT INTO ohlcv4_m1 (symbol, open_time)
      SELECT repeat('🚀', 50) || n, '2026-01-01' FROM generate_series(1, 500) AS n`
    const payloads = await listener.payloads(() => run(insert))
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8000)
    expect(await symbolsOf(payloads)).toHaveLength(500)
  })

  it('carries a symbol of 7,000 characters', async () => {
    const insert = "INSERT INTO ohlcv4_m1 (symbol, open_time) VALUES (repeat('x', 7000), '2026-01-01')"
    expect(await symbolsOf(await listener.payloads(() => run(insert)))).toEqual(['x'.repeat(7000)])
  })

  it('of a symbol that no payload can hold says: everything', async () => {
    const insert =
      "INSERT INTO ohlcv4_m1 (symbol, open_time) VALUES (repeat('x', 9000), '2026-01-01'), ('BTCUSDT', '2026-01-01')"
    expect(await listener.announced(() => run(insert))).toEqual([{ dataset: 'candles.m1', keys: 'all' }])
    expect(await run('SELECT symbol FROM ohlcv4_m1 WHERE length(symbol) = 9000')).toHaveLength(1)
  })

  it.each([
    'плюс/минус ¥',
    '🚀',
    'a "quoted" \\ one',
    "it's",
    'tab\tand\nline',
    '',
    ' ',
    '%s $1 {symbol}',
    '$rekindle$',
    '["a","b"]',
  ])('carries the symbol %j unharmed', async (symbol) => {
    const insert = () => run("INSERT INTO ohlcv4_m1 (symbol, open_time) VALUES ($1, '2026-01-01')", [symbol])
    expect(await listener.announced(insert)).toEqual([{ dataset: 'candles.m1', keys: [{ symbol }] }])
  })

  it('comes of COPY too', async () => {
    const rows = 'BTCUSDT\t2026-01-01\nETHUSDT\t2026-01-01\nBTCUSDT\t2026-01-02\n'
    expect(
      await listener.announced(() => copyIn(database.url, 'COPY ohlcv4_m1 (symbol, open_time) FROM STDIN', rows)),
    ).toEqual([{ dataset: 'candles.m1', keys: [{ symbol: 'BTCUSDT' }, { symbol: 'ETHUSDT' }] }])
  })

  it('of several statements of one transaction that say the same comes once, at the commit', async () => {
    const insert = (day: number) => `INSERT INTO ohlcv4_m1 (symbol, open_time) VALUES ('BTCUSDT', '2026-01-0${day}');`
    expect(await listener.announced(() => run(`BEGIN; ${insert(1)} ${insert(2)} ${insert(3)} COMMIT`))).toEqual([
      { dataset: 'candles.m1', keys: [{ symbol: 'BTCUSDT' }] },
    ])
    expect(await listener.announced(() => run(`BEGIN; ${insert(4)} ROLLBACK`))).toEqual([])
  })
})

describe('a notification queue that a listener does not read', () => {
  const postgres = usePostgres({ settings: { max_notify_queue_pages: '64' } })

  it('never fails a write', async () => {
    const [writer, sleeper] = [new Client(postgres.url), new Client(postgres.url)]
    await Promise.all([writer.connect(), sleeper.connect()])
    await createSchema(writer)
    await writer.query(installSql(config))
    await sleeper.query('LISTEN rekindle')
    await sleeper.query('BEGIN; SELECT 1')
    // Each announcement fills about one of the 64 pages.
    for (let minute = 0; minute < 100; minute++) {
      await writer.query(`INSERT INTO ohlcv4_m1 (symbol, open_time)
        SELECT 'S' || n || repeat('x', 20), '2026-01-01'::timestamp + interval '${minute} minutes' FROM generate_series(1, 250) AS n`)
    }
    const { rows } = await writer.query('SELECT pg_notification_queue_usage() > 0.9 AS full')
    expect(rows).toEqual([{ full: true }])
    await Promise.all([writer.end(), sleeper.end()])
  })
})

describe('two-phase commit', () => {
  const postgres = usePostgres({ settings: { max_prepared_transactions: '2' } })

  it('is refused after a write to a table with triggers, as `triggers --apply` says, and goes on without them', async () => {
    const writer = new Client(postgres.url)
    await writer.connect()
    await createSchema(writer)
    await writer.query(installSql(config, { candles: false }))
    const prepare = (table: string) =>
      writer.query(`BEGIN; INSERT INTO ${table} (symbol) VALUES ('A'); PREPARE TRANSACTION '${table}'`)
    await expect(prepare('tickers')).rejects.toThrow(/cannot PREPARE a transaction that has executed .*NOTIFY/)
    await writer.query('ROLLBACK')
    await writer.query('ALTER TABLE ohlcv4_m1 DROP CONSTRAINT ohlcv4_m1_pkey, ALTER open_time DROP NOT NULL')
    await prepare('ohlcv4_m1')
    await writer.query("COMMIT PREPARED 'ohlcv4_m1'")
    expect((await writer.query('SELECT symbol FROM ohlcv4_m1')).rows).toEqual([{ symbol: 'A' }])
    await writer.end()
  })
})

interface CopyConnection {
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

/** node-postgres leaves COPY … FROM STDIN to those who know its connection. */
async function copyIn(url: string, sql: string, rows: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const copy = Object.assign(new Query(sql), {
    handleCopyInResponse: (connection: CopyConnection) => {
      connection.sendCopyFromChunk(Buffer.from(rows))
      connection.endCopyFrom()
    },
  })
  await new Promise<void>((resolve, reject) => {
    client
      .query(copy)
      .on('end', () => resolve())
      .on('error', reject)
  })
  await client.end()
}

import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/postgres/database.js'
import { blankBoard } from '../../src/report/board.js'
import { note } from '../../src/report/note.js'
import { readinessOf, readinessOfSymbol } from '../../src/report/readiness.js'
import { rekindle, writeConfig } from '../commands/rekindle.js'
import { useApp } from '../support/app.js'
import { anyLayout, LAST, type RunningDaemon, startDaemon, testConfig, untilWhole } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'

describeOwnServers('a role that policies hide rows from', () => {
  const { postgres, redis, database: owner } = useApp()
  const layout = anyLayout()
  let url: string
  let daemon: RunningDaemon | undefined

  beforeAll(async () => {
    await owner.query(
      `CREATE ROLE reader LOGIN PASSWORD 'secret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader`,
    )
    url = `postgres://reader:secret@127.0.0.1:${postgres.port}/app`
  })
  beforeEach(() => owner.query('ALTER ROLE reader NOBYPASSRLS'))
  afterEach(async () => {
    daemon?.stop()
    for (const table of ['tickers', 'ohlcv4_m1']) {
      await owner.query(`DROP POLICY IF EXISTS "one" ON ${table}; ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY`)
    }
  })

  const hide = (table: string): Promise<unknown> =>
    owner.query(
      `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY; CREATE POLICY "one" ON ${table} USING (symbol = 'BTCUSDT')`,
    )
  const verify = (more: object = {}) =>
    rekindle(['verify'], {
      REDIS_URL: redis.url,
      DATABASE_URL: url,
      REKINDLE_CONFIG: writeConfig({ candles: { layout, last: LAST }, ...more }),
    })
  /** What /readyz answers after these events. */
  function readyz(symbol?: string): boolean {
    const board = blankBoard('test', Date.now())
    for (const event of daemon?.events ?? []) note(board, event, Date.now())
    return (symbol === undefined ? readinessOf(board) : readinessOfSymbol(board, symbol)).ready
  }

  function whyUnready(): string {
    const board = blankBoard('test', Date.now())
    for (const event of daemon?.events ?? []) note(board, event, Date.now())
    return readinessOf(board).reason
  }

  it('is told so, by the table and its key; nothing counts as whole until the right is there', async () => {
    await hide('ohlcv4_m1')
    daemon = startDaemon(testConfig(redis.url, url, { layout }))
    const { reason, hint, code } = await daemon.next('degraded', ({ what }) => what === 'candles.m1')
    expect(reason).toMatch(/row-level security policy for table "ohlcv4_m1" \(candles\.timeframes\.m1: ohlcv4_m1\)$/)
    expect(hint).toMatch(/ALTER ROLE … BYPASSRLS.*postgres\.row_security: allow/)
    expect(code).toBe('postgres_schema')
    // What can be seen is healed all the same.
    const client = new Redis(redis.url)
    await expect.poll(() => client.exists('indicator:BTCUSDT:m1'), { timeout: 20_000 }).toBe(1)
    expect(await client.hlen('rekindle:ready')).toBe(0)
    client.disconnect()
    expect([readyz(), readyz('BTCUSDT')]).toEqual([false, false])
    // What it lost of the rest is back, and it does not say more than that.
    expect((await daemon.next('healed')).unseen).toEqual(['candles.m1'])
    expect(await verify()).toMatchObject({ status: 1, stderr: expect.stringMatching(/candles\.m1.*BYPASSRLS/) })

    await owner.query('ALTER ROLE reader BYPASSRLS')
    await daemon.next('watching')
    await untilWhole(redis.url, owner, layout)
    expect(readyz()).toBe(true)
    expect(await verify()).toMatchObject({ status: 0, stderr: '' })
  })

  it('is told so while it runs, too, and what becomes hidden is not taken for gone', async () => {
    daemon = startDaemon(testConfig(redis.url, url, { layout, scrub: '1s' }))
    await daemon.next('watching')
    await hide('ohlcv4_m1')
    await daemon.next('degraded', ({ what }) => what === 'candles.m1')
    await owner.query('ALTER TABLE ohlcv4_m1 DISABLE ROW LEVEL SECURITY')
    await daemon.next('recovered', ({ what }) => what === 'candles.m1')
    await untilWhole(redis.url, owner, layout)
  })

  it('gets no list of symbols that is only a part of it', async () => {
    await hide('tickers')
    daemon = startDaemon(testConfig(redis.url, url, { layout }))
    const { reason } = await daemon.next('degraded', ({ what }) => what === 'symbols')
    expect(reason).toContain('table "tickers" (symbols.query)')
    expect(readyz()).toBe(false)
    expect(whyUnready()).toMatch(/^the symbols cannot be read: .*BYPASSRLS/)
    expect(await verify()).toMatchObject({ status: 1, stderr: expect.stringContaining('BYPASSRLS') })
    // Nothing tells that the right is there by now.
    await owner.query('ALTER ROLE reader BYPASSRLS')
    await daemon.next('watching')
    expect(readyz()).toBe(true)
  })

  it('may be confined to what its policies show, where the configuration says so', async () => {
    await hide('tickers')
    const postgresOptions = { url, row_security: 'allow' }
    daemon = startDaemon(testConfig(redis.url, '', { layout, more: { postgres: postgresOptions } }))
    await daemon.next('watching')
    const client = new Redis(redis.url)
    expect(await client.hkeys('rekindle:ready')).toEqual(['BTCUSDT'])
    client.disconnect()
    expect(await verify({ postgres: postgresOptions })).toMatchObject({ status: 0, stderr: '' })
  })

  describe('through a view', () => {
    const read = async (view: string): Promise<number> => {
      const db = openDatabase(url, 'here')
      try {
        return (await db.query(`SELECT FROM ${view}`, [], { 'rows.x.table': view })).length
      } finally {
        await db.close()
      }
    }
    const view = async (name: string, options = '', role = 'CURRENT_USER'): Promise<string> => {
      await owner.query(`CREATE VIEW ${name} ${options} AS SELECT * FROM ohlcv4_m1; ALTER VIEW ${name} OWNER TO ${role};
        GRANT SELECT ON ${name} TO reader`)
      return name
    }

    it('whose owner sees all, as the owner of the table does, all is seen', async () => {
      const [{ count } = { count: '' }] = await owner.query<{ count: string }>('SELECT count(*) FROM ohlcv4_m1')
      await hide('ohlcv4_m1')
      expect(await read(await view('as_owner'))).toBe(Number(count))
      expect(await read(await view('barrier', 'WITH (security_barrier)'))).toBe(Number(count))
    })

    it('with security_invoker, or whose owner is confined as well, it is an error', async () => {
      await owner.query(
        `CREATE ROLE confined; GRANT SELECT ON ohlcv4_m1 TO confined; GRANT CREATE ON SCHEMA public TO confined`,
      )
      await hide('ohlcv4_m1')
      for (const name of [
        await view('invoker', 'WITH (security_invoker)'),
        await view('as_confined', '', 'confined'),
      ]) {
        await expect(read(name), name).rejects.toMatchObject({
          code: 'postgres_schema',
          message: expect.stringContaining(`(rows.x.table: ${name})`),
          hint: expect.stringContaining('BYPASSRLS'),
        })
      }
    })
  })

  it('that may read some columns only needs those that are read', async () => {
    const columns = 'symbol, open_time, open, high, low, close'
    await owner.query(`REVOKE SELECT ON ohlcv4_m1 FROM reader; GRANT SELECT (${columns}) ON ohlcv4_m1 TO reader`)
    daemon = startDaemon(testConfig(redis.url, url, { layout }))
    const { reason } = await daemon.next('degraded', ({ what }) => what === 'candles.m1')
    expect(reason).toMatch(/permission denied for table ohlcv4_m1/)
    expect(await verify()).toMatchObject({ status: 1, stderr: expect.stringContaining('GRANT SELECT') })
    await owner.query('GRANT SELECT (volume) ON ohlcv4_m1 TO reader')
    await daemon.next('watching')
    expect(await verify()).toMatchObject({ status: 0, stderr: '' })
    await owner.query('GRANT SELECT ON ohlcv4_m1 TO reader')
  })
})

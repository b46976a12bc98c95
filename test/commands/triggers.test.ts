import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { type TriggersOptions, triggers } from '../../src/commands/triggers.js'
import { type Config, configSchema } from '../../src/config/schema.js'
import { ConfigError, Trouble } from '../../src/errors.js'
import { useDatabase } from '../support/servers.js'

describe('rekindle triggers', () => {
  const database = useDatabase()
  const configured = (more: object = {}): Config => configSchema.parse({ postgres: { url: database.url }, ...more })

  beforeAll(() => createSchema({ query: async (sql) => ({ rows: await database.query(sql), rowCount: null }) }))

  async function run(options: TriggersOptions, config = configured(), status = 0): Promise<string> {
    const printed: string[] = []
    expect(await triggers(config, options, (text) => printed.push(text))).toBe(status)
    return printed.join('\n')
  }

  /** The error's message and hint in one line. */
  async function troubleOf(options: TriggersOptions, config: Config): Promise<string> {
    const error = await triggers(config, options, () => {}).then(
      () => undefined,
      (error: unknown) => error,
    )
    if (!(error instanceof Trouble)) throw new Error(`no Trouble: ${error}`)
    return `${error.message}; ${error.hint}`
  }

  it('prints SQL that PostgreSQL runs, without connecting', async () => {
    const nowhere = configured({ postgres: { url: 'postgres://127.0.0.1:1/nowhere' } })
    const sql = await run({}, nowhere)
    expect(sql).toContain('ON "ohlcv4_m15"')
    expect(await run({ candles: true }, nowhere)).toBe(sql)
    expect(JSON.parse(await run({ json: true }, nowhere))).toEqual({ sql })
    const withoutCandles = await run({ candles: false }, nowhere)
    expect(withoutCandles).not.toContain('ON "ohlcv4')
    expect(withoutCandles).toContain('-- candles.timeframes.m1: ohlcv4_m1 is left out')
    await database.query(sql)
    expect(await run({ drop: true })).toMatch(/^removed rekindle_.*\(\) and its triggers$/m)
  })

  it('installs, and says which tables, which not, and what that means', async () => {
    const announced = [
      'indicators: changes of public.indicator_instances_v4 are announced on channel rekindle',
      'indicators: changes of public.indicator_values_v4 are announced on channel rekindle',
      'symbols: changes of public.tickers are announced on channel rekindle',
    ]
    const prepare =
      'PREPARE TRANSACTION fails after a write to one of these tables: PostgreSQL refuses it after a NOTIFY'
    const leftOut = (timeframe: string) =>
      `candles.timeframes.${timeframe}: ohlcv4_${timeframe} is left out; its changes are left to polling, unless it has triggers already`
    expect(await run({ apply: true, candles: false })).toBe(
      [...announced, ...['m1', 'm5', 'm15'].map(leftOut), prepare].join('\n'),
    )
    const status = await run({ status: true })
    expect(status).toContain('indicators: changes of indicator_values_v4 are found by triggers within 10 ms')
    expect(status).toContain(
      'candles.m1: changes of ohlcv4_m1 are found by polling within 1 s: it has no triggers of ours; run: rekindle triggers --apply',
    )
    const candles = ['m1', 'm5', 'm15'].map(
      (timeframe) => `candles.${timeframe}: changes of public.ohlcv4_${timeframe} are announced on channel rekindle`,
    )
    expect(await run({ apply: true })).toBe([...announced, ...candles, prepare].join('\n'))
    expect((await run({ status: true })).match(/by triggers within 10 ms/g)).toHaveLength(6)
  })

  it('tells of triggers that an earlier version installed, that are off, or are not there, and exits with 1', async () => {
    await run({ apply: true })
    const [{ source = '' } = {}] = await database.query<{ source: string }>(
      "SELECT pg_get_functiondef('rekindle_values_indicator_values_v4'::regproc) AS source",
    )
    await database.query(source.replace(/-- rekindle \w+/, ''))
    expect(await run({ status: true }, configured(), 1)).toMatch(
      /indicator_values_v4 are found by polling within 1 s: it has triggers of another version of Rekindle, or for other columns; run: rekindle triggers --apply/,
    )
    // The same where the columns are others by now.
    await run({ apply: true })
    const others = configured({ candles: { columns: { symbol: 'source' } } })
    const told = JSON.parse(await run({ status: true, json: true }, others, 1)) as {
      sources: Record<string, unknown>[]
    }
    expect(told.sources.filter(({ found_by }) => found_by === 'poll').map(({ dataset }) => dataset)).toEqual([
      'candles.m1',
      'candles.m5',
      'candles.m15',
    ])
    await database.query('ALTER TABLE ohlcv4_m5 DISABLE TRIGGER USER')
    expect(await run({ status: true }, configured(), 1)).toMatch(/ohlcv4_m5 are found by polling .* are disabled/)
    await run({ apply: true })
    await run({ status: true })
    await run({ drop: true })
    expect(await run({ status: true }, configured(), 1)).not.toContain('by triggers')
    const polled = configured({ sync: { source: 'poll' } })
    expect((await run({ status: true }, polled)).match(/by polling within 1 s: sync.source is poll/g)).toHaveLength(6)
  })

  it('answers in JSON', async () => {
    const config = configured({ symbols: { query: 'SELECT 1' }, candles: false })
    expect(JSON.parse(await run({ apply: true, json: true }, config))).toEqual({
      channel: 'rekindle',
      installed: [
        { dataset: 'indicators', table: 'public.indicator_instances_v4' },
        { dataset: 'indicators', table: 'public.indicator_values_v4' },
      ],
      left: { 'symbols.query': 'names no table after its first FROM; the symbols are left to polling' },
      sources: [
        ...['instances', 'values'].map((name) => ({
          dataset: 'indicators',
          key: `indicators.${name}`,
          table: `indicator_${name}_v4`,
          found_by: 'triggers',
          within_ms: 10,
        })),
        {
          dataset: 'symbols',
          key: 'symbols.query',
          table: 'symbols.query',
          found_by: 'poll',
          within_ms: 1000,
          why: 'it names no table after its first FROM',
        },
      ],
      notes: [expect.stringMatching(/^PREPARE TRANSACTION fails/)],
    })
  })

  it('removes, also twice', async () => {
    await run({ apply: true })
    const { dropped } = JSON.parse(await run({ drop: true, json: true })) as { dropped: string[] }
    expect(dropped).toHaveLength(6)
    expect(JSON.parse(await run({ drop: true, json: true }))).toEqual({ dropped: [] })
    expect(await run({ drop: true })).toBe('there was nothing to remove')
  })

  it('refuses to install and remove at once', async () => {
    await expect(run({ apply: true, drop: true })).rejects.toThrow(ConfigError)
    await expect(run({ apply: true, status: true })).rejects.toThrow(ConfigError)
  })

  it('names a missing table or column, and the configuration key that chose it', async () => {
    const troubles: [object, string][] = [
      [{ indicators: { values: 'nowhere' } }, 'table nowhere does not exist; correct indicators.values'],
      [{ symbols: { query: 'SELECT 1 FROM no.where' } }, 'table no.where does not exist; correct symbols.query'],
      [{ candles: { timeframes: { m1: 'gone' } } }, 'table gone does not exist; correct candles.timeframes.m1'],
      [
        { indicators: { columns: { value: { instance: 'inst' } } } },
        'column inst of table indicator_values_v4 does not exist; correct indicators.columns.value.instance',
      ],
    ]
    for (const [more, text] of troubles) {
      expect(await troubleOf({ apply: true }, configured(more))).toContain(text)
      await expect(database.query(await run({}, configured(more)))).rejects.toThrow(/does not exist/)
      expect(await run({ drop: true }, configured(more))).toBe('there was nothing to remove')
    }
  })

  it('says that a long transaction holds a table', async () => {
    const other = new Client({ connectionString: database.url })
    await other.connect()
    await other.query("BEGIN; INSERT INTO tickers (symbol) VALUES ('BTCUSDT')")
    expect(await troubleOf({ apply: true }, configured())).toMatch(
      /table public.tickers \(symbols.query\): .*lock timeout; a long transaction holds it/,
    )
    await other.query('ROLLBACK')
    await other.end()
    expect(await run({ drop: true })).toBe('there was nothing to remove')
  })

  it('names the server it cannot reach, the database that is unknown and a wrong password, but never the password', async () => {
    const { host, hostname } = new URL(database.url)
    const at = (change: (url: URL) => void): Config => {
      const url = new URL(database.url)
      change(url)
      return configured({ postgres: { url: url.href } })
    }
    const closed = await troubleOf(
      { apply: true },
      at((url) => Object.assign(url, { port: '1', password: 'hush' })),
    )
    expect(closed).toContain(`${hostname}:1/`)
    const unknown = await troubleOf(
      { drop: true },
      at((url) => Object.assign(url, { pathname: '/nowhere' })),
    )
    expect(unknown).toContain(`${host}/nowhere: database "nowhere" does not exist`)
    expect(closed + unknown).not.toMatch(/hush|rekindle:/)
  })

  describe('as a user without rights', () => {
    const guest = `rekindle_guest_${randomBytes(4).toString('hex')}`
    const asGuest = (): Config => {
      const url = Object.assign(new URL(database.url), { username: guest, password: 'sesame' })
      return configured({ postgres: { url: url.href } })
    }
    beforeAll(() => database.query(`CREATE ROLE ${guest} LOGIN PASSWORD 'sesame'`))
    afterAll(() => database.query(`DROP OWNED BY ${guest}; DROP ROLE ${guest}`))

    it('names the table and the right, and installs with no more than TRIGGER and CREATE', async () => {
      await database.query('REVOKE CREATE ON SCHEMA public FROM public')
      const trouble = await troubleOf({ apply: true }, asGuest())
      expect(trouble).toMatch(/permission denied for schema public; run this as the owner of table public\./)
      await database.query(`GRANT CREATE, USAGE ON SCHEMA public TO ${guest}`)
      expect(await troubleOf({ apply: true }, asGuest())).toMatch(
        /indicator_instances_v4 \(indicators.instances\): permission denied for .*; run this as the owner .* has TRIGGER on it/,
      )
      await database.query(`GRANT TRIGGER ON ALL TABLES IN SCHEMA public TO ${guest}`)
      await run({ apply: true }, asGuest())
      await run({ apply: true }, asGuest())
      expect(await troubleOf({ drop: true }, asGuest())).toMatch(/must be owner of .*; run this as the owner of table/)
      expect(await troubleOf({ apply: true }, Object.assign(asGuest(), { sync: { channel: 'other' } }))).not.toContain(
        'sesame',
      )
      await run({ drop: true })
    })
  })
})

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

  async function run(options: TriggersOptions, config = configured()): Promise<string> {
    const printed: string[] = []
    expect(await triggers(config, options, (text) => printed.push(text))).toBe(0)
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
    expect(sql).not.toContain('ohlcv4')
    const withCandles = await run({ candles: true }, nowhere)
    expect(withCandles).toContain('ohlcv4_m15')
    expect(JSON.parse(await run({ candles: true, json: true }, nowhere))).toEqual({ sql: withCandles })
    await database.query(withCandles)
    expect(await run({ drop: true })).toMatch(/^removed rekindle_.*\(\) and its triggers$/m)
  })

  it('installs, and says which tables', async () => {
    expect(await run({ apply: true })).toBe(
      [
        'indicators: changes of public.indicator_instances_v4 are announced on channel rekindle',
        'indicators: changes of public.indicator_values_v4 are announced on channel rekindle',
        'symbols: changes of public.tickers are announced on channel rekindle',
      ].join('\n'),
    )
  })

  it('answers in JSON', async () => {
    expect(JSON.parse(await run({ apply: true, json: true }, configured({ symbols: { query: 'SELECT 1' } })))).toEqual({
      channel: 'rekindle',
      installed: [
        { dataset: 'indicators', table: 'public.indicator_instances_v4' },
        { dataset: 'indicators', table: 'public.indicator_values_v4' },
      ],
      left: { 'symbols.query': 'names no table after its first FROM; the symbols are left to polling' },
    })
  })

  it('removes, also twice', async () => {
    await run({ apply: true, candles: true })
    const { dropped } = JSON.parse(await run({ drop: true, json: true })) as { dropped: string[] }
    expect(dropped).toHaveLength(6)
    expect(JSON.parse(await run({ drop: true, json: true }))).toEqual({ dropped: [] })
    expect(await run({ drop: true })).toBe('there was nothing to remove')
  })

  it('refuses to install and remove at once, and candles that are off', async () => {
    await expect(run({ apply: true, drop: true })).rejects.toThrow(ConfigError)
    await expect(run({ candles: true }, configured({ candles: false }))).rejects.toThrow(ConfigError)
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
      expect(await troubleOf({ apply: true, candles: true }, configured(more))).toContain(text)
      await expect(database.query(await run({ candles: true }, configured(more)))).rejects.toThrow(/does not exist/)
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
      await database.query(`GRANT TRIGGER ON tickers, indicator_instances_v4, indicator_values_v4 TO ${guest}`)
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

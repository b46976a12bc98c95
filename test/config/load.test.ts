import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig, PLACES } from '../../src/config/load.js'
import type { Config } from '../../src/config/schema.js'
import { ConfigError } from '../../src/errors.js'

const shipped = new URL('../../config/rekindle.yaml', import.meta.url).pathname

const defaults: Config = {
  redis: { url: 'redis://127.0.0.1:6379/0' },
  postgres: { url: 'postgres://127.0.0.1:5432/postgres', row_security: 'refuse' },
  symbols: { query: "SELECT symbol FROM tickers WHERE status = 'enabled' ORDER BY symbol" },
  candles: {
    layout: 'timeseries',
    last: 250,
    writers: 'auto',
    timeframes: { m1: 'ohlcv4_m1', m5: 'ohlcv4_m5', m15: 'ohlcv4_m15' },
    keys: {
      close: 'ohlcv:{symbol}:{timeframe}',
      open: 'ohlcv:{symbol}:{timeframe}:open',
      high: 'ohlcv:{symbol}:{timeframe}:high',
      low: 'ohlcv:{symbol}:{timeframe}:low',
      volume: 'ohlcv:{symbol}:{timeframe}:volume',
    },
    columns: {
      symbol: 'symbol',
      time: 'open_time',
      open: 'open',
      high: 'high',
      low: 'low',
      close: 'close',
      volume: 'volume',
    },
  },
  indicators: {
    instances: 'indicator_instances_v4',
    values: 'indicator_values_v4',
    key: 'indicator:{symbol}:{timeframe}',
    writers: 'auto',
    columns: {
      instance: { id: 'id', symbol: 'symbol', timeframe: 'timeframe', enabled: 'enabled' },
      value: {
        instance: 'instance_id',
        symbol: 'symbol',
        time: 'open_time',
        param: 'param_name',
        value: 'value',
        updated: 'updated_at',
      },
    },
  },
  rows: {},
  keys: [],
  watch: { poll: 1_000, scrub: 300_000, storm: 60_000 },
  sync: { source: 'auto', channel: 'rekindle', settle: 5_000 },
  backup: {
    dir: '/var/lib/rekindle/backups',
    keep: { last: 14, days: 30 },
    after: [],
    aof: false,
    drill: { every: 604_800_000, alert_after: 1_209_600_000 },
  },
  recover: { auto: false },
  http: { listen: '127.0.0.1:9808' },
  alerts: { webhook: { timeout: 5_000 } },
  log: { level: 'info' },
}

let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-config-'))
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function write(name: string, text: string): string {
  const file = join(folder, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  return file
}

function load(text: string, env: NodeJS.ProcessEnv = {}): Config {
  return loadConfig({ file: write('rekindle.yaml', text), env })
}

describe('the defaults', () => {
  test.each(['', '# nothing\n', '{}', 'watch:\n  # poll: 2s\nredis:\n', 'candles: { keys: , columns: }'])(
    '%j',
    (text) => {
      expect(load(text)).toStrictEqual(defaults)
    },
  )

  test('are what the file that comes with Rekindle says', () => {
    expect(loadConfig({ file: shipped, env: {} })).toStrictEqual(defaults)
  })

  test('are all written in that file, in the same order', () => {
    const written = parse(readFileSync(shipped, 'utf8'))
    // Durations are written with their units.
    written.watch = defaults.watch
    written.sync.settle = defaults.sync.settle
    written.backup.drill = defaults.backup.drill
    written.alerts = defaults.alerts
    expect(JSON.stringify(written)).toBe(JSON.stringify(defaults))
  })
})

describe('the file', () => {
  const level = (name: string) => write(name, `log: { level: ${/\w+(?=\.yaml)/.exec(name)?.[0]} }`)

  test('is the one that is named, then that of REKINDLE_CONFIG, then the usual places', () => {
    level('work/debug.yaml')
    level('work/trace.yaml')
    write('work/config/rekindle.yaml', 'log: { level: warn }')
    const cwd = join(folder, 'work')
    const env = { REKINDLE_CONFIG: 'trace.yaml' }
    expect(loadConfig({ file: 'debug.yaml', env, cwd }).log.level).toBe('debug')
    expect(loadConfig({ env, cwd }).log.level).toBe('trace')
    expect(loadConfig({ env: { REKINDLE_CONFIG: '' }, cwd }).log.level).toBe('warn')
    expect(PLACES).toEqual(['config/rekindle.yaml', '/etc/rekindle/rekindle.yaml'])
  })

  test.each([
    [{ file: 'none.yaml' }, '--config: "none.yaml" does not exist; it should be a YAML file'],
    [{ file: '' }, '--config: "" does not exist; it should be a YAML file'],
    [
      { env: { REKINDLE_CONFIG: 'none.yaml' } },
      'REKINDLE_CONFIG: "none.yaml" does not exist; it should be a YAML file',
    ],
    [{ file: '.' }, '.: cannot be read (EISDIR); it should be a file that this user may read'],
  ])('must be there if it is named: %j', (options, message) => {
    expect(() => loadConfig({ env: {}, cwd: folder, ...options })).toThrow(new ConfigError(message))
  })
})

describe('the environment', () => {
  const env = { REDIS_URL: 'rediss://r:1', DATABASE_URL: 'postgresql://p/db', LOG_LEVEL: 'error' }

  test('wins over the file', () => {
    const config = load('redis: { url: redis://other }\nlog: { level: debug }', env)
    expect(config).toStrictEqual({
      ...defaults,
      redis: { url: 'rediss://r:1' },
      postgres: { url: 'postgresql://p/db', row_security: 'refuse' },
      log: { level: 'error' },
    })
  })

  test('spares what it replaces from being checked', () => {
    expect(load('redis: { url: nonsense }', env).redis.url).toBe('rediss://r:1')
  })

  test('counts for nothing where it is empty', () => {
    expect(load('', { REDIS_URL: '', DATABASE_URL: '', LOG_LEVEL: '' })).toStrictEqual(defaults)
  })

  test.each([
    [{ REDIS_URL: 'http://h' }, 'REDIS_URL: redis.url: "http://h" is not the URL of a Redis; it should be redis://'],
    [{ PGSERVICE: 'acme' }, 'PGSERVICE: is set, which is not supported yet; DATABASE_URL should name the server'],
    [
      { PGSERVICE: 'acme', DATABASE_URL: 'postgres://u@/d' },
      'PGSERVICE: is set, which is not supported yet; DATABASE_URL',
    ],
    [{ DATABASE_URL: 'u:hunter2@h' }, 'DATABASE_URL: postgres.url: "***" is not the URL of a PostgreSQL; it should be'],
    [
      { LOG_LEVEL: 'INFO' },
      'LOG_LEVEL: log.level: "INFO" is no log level; it should be fatal, error, warn, info, debug',
    ],
  ])('is named in an error: %j', (wrong, message) => {
    expect(() => load('', wrong)).toThrow(message)
  })
})

describe('values', () => {
  test('are taken over', () => {
    const config = load(`
      symbols: { query: "SELECT s FROM t" }
      candles:
        layout: sortedset
        last: 100000
        timeframes: { h1: market.candles_h1, 1: minute, d1: '"odd name"' }
        keys: { close: "c:{{symbol}}:{timeframe}" }
        columns: { time: opened }
      indicators: { columns: { value: { param: name } } }
      watch: { poll: 50ms, scrub: 2h, storm: 0s }
      sync: { source: 'auto', channel: ${'é'.repeat(31)} }
    `)
    expect(config.candles?.timeframes).toEqual({ h1: 'market.candles_h1', 1: 'minute', d1: '"odd name"' })
    expect(config.candles).toMatchObject({
      layout: 'sortedset',
      last: 100_000,
      columns: { time: 'opened', open: 'open' },
    })
    expect(config.candles?.keys).toMatchObject({ close: 'c:{{symbol}}:{timeframe}', open: defaults.candles?.keys.open })
    expect(config.indicators?.columns.value).toMatchObject({ param: 'name', value: 'value' })
    expect(config.watch).toEqual({ poll: 50, scrub: 7_200_000, storm: 0 })
  })

  test.each(['candles', 'indicators'] as const)('%s: false switches the dataset off', (name) => {
    const { [name]: _, ...rest } = defaults
    expect(load(`${name}: false`)).toStrictEqual(rest)
  })

  test.each([
    'candles: { timeframes: { h1: t }, keys: { close: "c:{symbol}" } }',
    'candles: { layout: sortedset, keys: { open: "ohlcv:{symbol}:{timeframe}" } }',
    'candles: false\nindicators: { key: "ohlcv:{symbol}:{timeframe}" }',
    'candles: { keys: { close: "rekindler:{symbol}:{timeframe}" } }',
    'redis: { url: "redis://user:p%40ss@[::1]:6380/15?family=6" }',
    'redis: { url: "redis://h/" }',
    'postgres: { url: "postgres://u:p%2Fw@h:6543/my%20db?sslmode=verify-full&application_name=x" }',
    'postgres: { url: "postgres://u:p@/db?host=/run/postgresql" }',
    'postgres: { url: "postgres:///db" }',
  ])('that are rare but right: %s', (text) => {
    expect(() => load(text)).not.toThrow()
  })
})

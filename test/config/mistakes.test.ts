import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { ConfigError } from '../../src/errors.js'

let folder = ''

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rekindle-mistakes-'))
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

function mistakeIn(text: string, env: NodeJS.ProcessEnv = {}): string {
  writeFileSync(join(folder, 'r.yaml'), text)
  try {
    loadConfig({ file: 'r.yaml', env, cwd: folder })
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    const { message } = error as ConfigError
    expect(message).toMatch(/^[^\n\r]+$/)
    return message
  }
  throw new Error(`accepted: ${text}`)
}

type Table = readonly (readonly [yaml: string, message: string])[]

const unknownKeys: Table = [
  ['pol: 1s', 'pol: unknown key; did you mean log?'],
  ['poll: 1s', 'poll: unknown key; did you mean watch.poll?'],
  ['zzzzzzzzzzzz: 1', 'zzzzzzzzzzzz: unknown key; did you mean'],
  ['Redis: {}', 'Redis: unknown key; did you mean redis?'],
  ['watch: { pol: 1s }', 'watch.pol: unknown key; did you mean watch.poll?'],
  ['redis: { host: h, url: redis://h }', 'redis.host: unknown key; did you mean redis.url?'],
  ['postgres: { uri: x }', 'postgres.uri: unknown key; did you mean postgres.url?'],
  ['symbols: { querry: x }', 'symbols.querry: unknown key; did you mean symbols.query?'],
  ['candles: { timeframe: {} }', 'candles.timeframe: unknown key; did you mean candles.timeframes?'],
  ['candles: { keys: { closed: x } }', 'candles.keys.closed: unknown key; did you mean candles.keys.close?'],
  ['candles: { columns: { times: x } }', 'candles.columns.times: unknown key; did you mean candles.columns.time?'],
  ['indicators: { value: x }', 'indicators.value: unknown key; did you mean indicators.values?'],
  [
    'indicators: { columns: { values: {} } }',
    'indicators.columns.values: unknown key; did you mean indicators.columns.value?',
  ],
  [
    'indicators: { columns: { value: { parm: x } } }',
    'indicators.columns.value.parm: unknown key; did you mean indicators.columns.value.param?',
  ],
  ['sync: { chanel: x }', 'sync.chanel: unknown key; did you mean sync.channel?'],
  ['log: { lvl: x }', 'log.lvl: unknown key; did you mean log.level?'],
  ['log: { "a\\e[31m": x }', 'log."a\\u001b[31m": unknown key; did you mean log.level?'],
  [`log: { ${'k'.repeat(500)}: x }`, `log.${'k'.repeat(100)}…: unknown key`],
  ['log: { "a b": x }', 'log."a b": unknown key; did you mean log.level?'],
  ['log: { __proto__: x }', 'log.__proto__: unknown key; did you mean log.level?'],
]

const wrongTypes: Table = [
  [
    '[1, 2]',
    'a list is not a mapping; it should hold redis, postgres, symbols, candles, indicators, rows, keys, watch, sync, backup, recover, http, alerts, log',
  ],
  ['hello', 'a string is not a mapping; it should hold redis'],
  ['watch: 5', 'watch: 5 is not a mapping; it should hold poll, scrub'],
  ['redis: redis://u:hunter2@h', 'redis: "redis://u:***@h" is not a mapping; it should hold url'],
  ['redis: { url: 5 }', 'redis.url: a number is no URL; it should be text'],
  ['redis: { url: }', 'redis.url: null is no URL; it should be text'],
  [
    'candles:',
    'candles: null is not a mapping; it should be false, or hold layout, last, writers, timeframes, keys, columns',
  ],
  ['candles: no', 'candles: "no" is not a mapping; it should be false, or hold layout'],
  [
    'indicators: true',
    'indicators: true is not a mapping; it should be false, or hold instances, values, key, writers, columns',
  ],
  ['candles: { layout: list }', 'candles.layout: "list" is no layout; it should be timeseries or sortedset'],
  ['candles: { keys: [a] }', 'candles.keys: a list is not a mapping; it should hold close, open, high, low, volume'],
  ['candles: { keys: { low: 1 } }', 'candles.keys.low: 1 is no template; it should be text that holds {symbol}'],
  [
    'candles: { columns: { low: { a: b } } }',
    'candles.columns.low: a mapping is no name; it should be 1 to 63 bytes of text',
  ],
  [
    'candles: { timeframes: m1 }',
    'candles.timeframes: "m1" is not a mapping; it should name a table for each timeframe',
  ],
  ['indicators: { key: 7 }', 'indicators.key: 7 is no template; it should be text that holds {symbol} and {timeframe}'],
  ['symbols: { query: 1 }', 'symbols.query: 1 is no query; it should be a SELECT that gives one symbol a row'],
]

const missing: Table = [
  [
    'rows: { p: { key: "a:{id}" } }',
    'r.yaml: rows.p.table is missing; it should name a table, or there should be a query',
  ],
  ['rows: { p: { table: t } }', 'r.yaml: rows.p.key is missing; it should be text with columns, such as "user:{id}"'],
  [
    'rows: { p: { table: t, key: "a:{id}", type: string } }',
    'r.yaml: rows.p.value is missing; it should name the column',
  ],
  ['keys: [{ recovery: itself }]', 'r.yaml: keys.0.match is missing; it should be text such as "sub:user:*"'],
  ['keys: [{ match: x }]', 'r.yaml: keys.0.recovery is missing; it should be postgres, backup or itself'],
  [
    'rows: { "p q": { table: t, key: "a:{id}" } }',
    'rows."p q": "p q" is no name of a dataset; it should be of letters, digits, _ and - only',
  ],
]

const redisHint = 'it should be redis://127.0.0.1:6379/0'
const urls: Table = [
  ...['h', 'h:6379', '//h', 'redis:h', '"redis:/h"', 'http://h', '"redis+unix:///s"', 'postgres://h', '""'].map(
    (url) => [`redis: { url: ${url} }`, `is not the URL of a Redis; ${redisHint}`] as const,
  ),
  [
    'redis: { url: redis://h:0 }',
    'redis.url: "redis://h:0" has a bad port; it should be a whole number from 1 to 65535',
  ],
  ['redis: { url: redis://h:65536 }', 'has a bad port'],
  ['redis: { url: redis://h:63x79 }', 'redis.url: "redis://h:***" has a bad port'],
  ['redis: { url: redis://hunter2:hunter2 }', 'redis.url: "redis://hunter2:***" has a bad port'],
  [
    'redis: { url: redis://h/x }',
    'redis.url: "redis://h/x" has a bad database number; it should end in a whole number',
  ],
  ['redis: { url: redis://h/-1 }', 'has a bad database number'],
  ['redis: { url: redis://h/0/1 }', 'has a bad database number'],
  ['redis: { url: "redis://h?db=x" }', 'has a bad database number'],
  ['redis: { url: redis:///0 }', 'names no valid host'],
  ['redis: { url: redis://a b/0 }', 'redis.url: "redis://a%20b/0" names no valid host'],
  ['redis: { url: "redis://h?protocol=3" }', 'has the parameter protocol; it should have only db, family'],
  ['redis: { url: "redis://u:hun/ter2@h" }', 'redis.url: "redis://u:***@h" is not escaped rightly; it should write /'],
  ['redis: { url: "redis://u:12/hunter2@h" }', 'redis.url: "redis://u:***@h" is not escaped rightly'],
  ['redis: { url: "redis://u:1#hunter2@h" }', 'redis.url: "redis://u:***@h" is not escaped rightly'],
  ['redis: { url: "redis://u:hun%ter2@h" }', 'redis.url: "redis://u:***@h" is not escaped rightly'],
  [
    'postgres: { url: mysql://h }',
    'postgres.url: "mysql://h" is not the URL of a PostgreSQL; it should be postgres://',
  ],
  ['postgres: { url: host=h password=hunter2 }', 'postgres.url: "***" is not the URL of a PostgreSQL'],
  ['postgres: { url: "postgres://h:99999/db" }', 'has a bad port'],
  ['postgres: { url: "postgres://h/db?port=x" }', 'has a bad port'],
  ['postgres: { url: "postgres://a b/db" }', 'names no valid host'],
  ['postgres: { url: "postgres://h/db?sslmode=yes" }', 'has an unknown sslmode; it should be disable, allow, prefer'],
  ['postgres: { url: "postgres://h/db?password=hunter2&sslmode=yes" }', '"postgres://h/db?password=***&sslmode=yes"'],
]

const values: Table = [
  ...['0', '-1', '1.5', '100001', '"250"', '.inf', '.nan', 'many', ''].map(
    (last) => [`candles: { last: ${last} }`, 'is not in range; it should be a whole number from 1 to 100000'] as const,
  ),
  ['watch: { poll: 1000 }', 'watch.poll: 1000 has no unit; it should be 1000ms or 1000s, say'],
  ['watch: { poll: 49ms }', 'watch.poll: "49ms" is too short; it should be at least 50ms'],
  ['watch: { poll: soon }', 'watch.poll: "soon" is not a duration; it should be a whole number with ms, s, m, h or d'],
  ['watch: { poll: }', 'watch.poll: null is not a duration'],
  ['watch: { scrub: 0s }', 'watch.scrub: "0s" is too short; it should be at least 1ms'],
  ['watch: { scrub: 30d }', 'watch.scrub: "30d" is too long; it should be at most 24d'],
  ['sync: { channel: "" }', 'sync.channel: "" is no name; it should be 1 to 63 bytes of text'],
  [`sync: { channel: ${'é'.repeat(32)} }`, 'is no name; it should be 1 to 63 bytes of text'],
  ['sync: { channel: "a\\0b" }', 'sync.channel: "a\\u0000b" is no name'],
  [
    'log: { level: verbose }',
    'log.level: "verbose" is no log level; it should be fatal, error, warn, info, debug, trace or',
  ],
  ['symbols: { query: "  " }', 'symbols.query: " " is empty; it should be a SELECT'],
  ['candles: { timeframes: {} }', 'candles.timeframes: {} is empty; it should name a table for each timeframe'],
  [
    'candles: { timeframes: { "": t } }',
    'candles.timeframes: "" is no name of a timeframe; it should name a table for each',
  ],
  [
    'candles: { timeframes: { m1: "" } }',
    'candles.timeframes.m1: "" is no name of a table; it should be table or schema.table',
  ],
  ['candles: { timeframes: { m1: } }', 'candles.timeframes.m1: null is no name of a table'],
  ['candles: { timeframes: { m1: a.b.c } }', 'is no name of a table'],
  ['candles: { timeframes: { m1: a. } }', 'is no name of a table'],
  ['candles: { columns: { time: "" } }', 'candles.columns.time: "" is no name'],
  ['indicators: { values: "" }', 'indicators.values: "" is no name of a table'],
  ['indicators: { instances: " " }', 'indicators.instances: " " is no name of a table'],
  ['candles: false\nindicators: false', 'indicators: false leaves nothing to guard'],
  [`log: { level: ${'x'.repeat(500)} }`, `${'x'.repeat(100)}…" is no log level`],
  ['log: { level: "a\\u2028b\\e[31m\\nc" }', 'log.level: "a b\\u001b[31m\\nc" is no log level'],
  ['log: { level: "a\\u202eb" }', 'log.level: "a b" is no log level'],
]

const templates: Table = [
  ['candles: { keys: { low: "l:{timeframe}" } }', 'candles.keys.low: "l:{timeframe}" has no {symbol}; it should hold'],
  [
    'candles: { keys: { low: "{symbol}:{tf}" } }',
    'candles.keys.low: "{symbol}:{tf}" holds the unknown {tf}; it should use',
  ],
  [
    'candles: { keys: { low: "l:{symbol}" } }',
    '"l:{symbol}" gives one key for the timeframes m1 and m5; it should hold',
  ],
  ['indicators: { key: "i:{symbol}" }', 'indicators.key: "i:{symbol}" has no {timeframe}; it should hold {timeframe}'],
  ['indicators: { key: "i:{timeframe}" }', 'indicators.key: "i:{timeframe}" has no {symbol}'],
  [
    'candles: { keys: { low: "ohlcv:{symbol}:{timeframe}:high" } }',
    'candles.keys.low: "ohlcv:{symbol}:{timeframe}:high" gives the same key as candles.keys.high; it should give keys of its own',
  ],
  [
    'candles: { keys: { low: "x:{symbol}:m1:{timeframe}", high: "x:{symbol}:{timeframe}:m1" } }',
    'candles.keys.low: "x:{symbol}:m1:{timeframe}" gives the same key as candles.keys.high',
  ],
  [
    'candles: { timeframes: { m1: a, "m1:open": b } }',
    'candles.keys.close: "ohlcv:{symbol}:{timeframe}" gives the same key as candles.keys.open',
  ],
  [
    'indicators: { key: "ohlcv:{symbol}:{timeframe}" }',
    'indicators.key: "ohlcv:{symbol}:{timeframe}" gives the same key as candles.keys.close',
  ],
  [
    'candles: { keys: { close: "indicator:{symbol}:{timeframe}" } }',
    'candles.keys.close: "indicator:{symbol}:{timeframe}" gives the same key as indicators.key',
  ],
  [
    'rows: { a: { table: t, key: "user:{id}" }, b: { table: u, key: "user:{user_id}" } }',
    'rows.a.key: "user:{id}" gives the same key as rows.b.key; it should give keys of its own',
  ],
  [
    'rows: { a: { table: t, key: "ohlcv:{what}:{when}" } }',
    'rows.a.key: "ohlcv:{what}:{when}" gives the same key as candles.keys.close; it should give keys of its own',
  ],
  [
    'rows: { a: { table: t, key: "indicator:{coin}:m5" } }',
    'rows.a.key: "indicator:{coin}:m5" gives the same key as indicators.key',
  ],
  [
    'candles: { keys: { open: "rekindle:{symbol}:{timeframe}" } }',
    `candles.keys.open: "rekindle:{symbol}:{timeframe}" gives keys in Rekindle's own space; it should not begin with rekindle:`,
  ],
  [
    'candles: false\nindicators: { key: "rekindle:{symbol}:{timeframe}" }',
    'indicators.key: "rekindle:{symbol}:{timeframe}" gives keys in Rekindle\'s',
  ],
  [
    'candles: { timeframes: { rekindle: t }, keys: { open: "{timeframe}:ready{symbol}" } }',
    `candles.keys.open: "{timeframe}:ready{symbol}" gives keys in Rekindle's own space`,
  ],
]

const yaml: Table = [
  ['watch:\n  poll: 1s\n  poll: 2s\n', 'line 3: poll is written twice; it should be there once'],
  ['watch: {}\n\nwatch: {}\n', 'line 3: watch is written twice'],
  ['a: 1\nwatch: [1', 'line 2: '],
  ['\twatch: {}', 'line 1: Tabs are not allowed as indentation; it should be valid YAML'],
  ['log: *none', 'Unresolved alias'],
  ['\x1f\x8b\b\0 gzip', 'r.yaml: holds binary data; it should be a YAML file'],
  ['log: "\x1b[31m"', 'r.yaml: holds binary data; it should be a YAML file'],
  ['log: !odd x', 'line 1: Unresolved tag; it should be valid YAML'],
  ['log: {}\n---\nlog: {}', 'line 2: '],
  ['? [a]\n: 1', 'line 1: '],
  ['redis:\n  url: @redis://u:hunter2@h', 'line 2: '],
  ['redis: { url: *redis://u:hunter2@h }', 'Unresolved alias'],
  ['redis: { url:redis://u:hunter2@h }', 'unknown key; did you mean redis.url?'],
  ['redis:\n  url: redis://u:hunter2@h: x', 'line 2: '],
]

describe.each([
  ['an unknown key', unknownKeys],
  ['a wrong type', wrongTypes],
  ['what is missing or misnamed', missing],
  ['a bad URL', urls],
  ['a bad value', values],
  ['a bad template', templates],
  ['bad YAML', yaml],
])('%s', (_, table) => {
  test.each(table)('%s', (text, message) => {
    const line = mistakeIn(text)
    expect(line).toContain(message)
    expect(line.startsWith('r.yaml: ')).toBe(true)
    if (!text.includes('//hunter2')) expect(line).not.toContain('hunter2')
    expect(line).not.toContain('ter2@')
  })
})

describe('of several mistakes the first in the file is told', () => {
  test.each([
    ['log: { level: x }\nwatch: { poll: 1 }', 'log.level'],
    ['watch: { poll: 1 }\nlog: { level: x }', 'watch.poll'],
    ['watch: { scrub: 1, pol: 1s, poll: 1 }', 'watch.scrub'],
    ['watch: { pol: 1s, scrub: 1, poll: 1 }', 'watch.pol'],
    ['candles: { zzz: 1, last: 0 }', 'candles.zzz'],
    ['candles: { last: 0, zzz: 1 }', 'candles.last'],
    ['zz: 1\ncandles: { last: 0, zzz: 1 }', 'zz'],
  ])('%s', (text, key) => {
    expect(mistakeIn(text)).toContain(`r.yaml: ${key}: `)
  })

  test('and the file comes before the environment', () => {
    expect(mistakeIn('watch: { poll: 1 }\nredis: { url: x }', { REDIS_URL: 'y' })).toContain('r.yaml: watch.poll: ')
  })
})

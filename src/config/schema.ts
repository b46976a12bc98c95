/** The shape of a loaded configuration: every default filled in, durations in milliseconds, the environment applied. */

import type { z } from 'zod'
import type { KeyClass, Writers } from '../model.js'
import { findClashes } from './clashes.js'
import { type BackupConfig, backup, keys, type RecoverConfig, recover } from './keeping.js'
import {
  count,
  dataset,
  duration,
  name,
  oneOf,
  query,
  section,
  table,
  template,
  timeframeTables,
  timeframeTemplate,
  url,
  writers,
} from './kinds.js'
import { postgresUrlProblem } from './postgres-url.js'
import { type RowsConfig, rows } from './rows.js'
import { type AlertsConfig, alerts, type HttpConfig, http } from './telling.js'
import { tls, tlsProblem, withTls } from './tls.js'
import { redisUrlProblem } from './url.js'

export type Column = 'open' | 'high' | 'low' | 'close' | 'volume'

export interface Config {
  /** `redis.tls` is folded into the URL, so that whoever connects needs nothing else. */
  redis: { url: string }
  postgres: {
    url: string
    /** Where to LISTEN, where that is not `url`: past a pooler. */
    listen_url?: string
    /** What to do where policies of row-level security would leave rows out: fail, or take what they show for all that there is. */
    row_security: 'refuse' | 'allow'
  }
  symbols: { query: string }
  /** Absent when the file says `candles: false`. */
  candles?: CandlesConfig
  /** Absent when the file says `indicators: false`. */
  indicators?: IndicatorsConfig
  /** Tables and queries whose rows are keys, by the name of the dataset: `rows.<name>`. */
  rows: Record<string, RowsConfig>
  /** What becomes of keys that no dataset holds. */
  keys: KeyClass[]
  watch: { poll: number; scrub: number; storm: number }
  sync: {
    /** What tells of changes in PostgreSQL. */
    source: 'auto' | 'triggers' | 'wal' | 'poll'
    channel: string
    /** For how long both sides must stand still before a live worker's value is replaced. */
    settle: number
  }
  backup: BackupConfig
  recover: RecoverConfig
  http: HttpConfig
  alerts: AlertsConfig
  log: { level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent' }
}

export interface CandlesConfig {
  layout: 'timeseries' | 'sortedset'
  writers: Writers
  /** How many of the newest candles of each symbol and timeframe Redis must hold. */
  last: number
  /** Timeframe -> table (may be schema-qualified), in the order written: the first is healed first. */
  timeframes: Record<string, string>
  /** Key template a column; `sortedset` uses `close` only. */
  keys: Record<Column, string>
  columns: Record<'symbol' | 'time' | Column, string>
}

export interface IndicatorsConfig {
  instances: string
  values: string
  key: string
  writers: Writers
  columns: {
    instance: { id: string; symbol: string; timeframe: string; enabled: string }
    /** `updated` is accepted, and not read: earlier versions polled by it. */
    value: { instance: string; symbol: string; time: string; param: string; value: string; updated: string }
  }
}

const candles = dataset({
  layout: oneOf('layout', ['timeseries', 'sortedset']).default('timeseries'),
  last: count(100_000).default(250),
  writers,
  timeframes: timeframeTables.default({ m1: 'ohlcv4_m1', m5: 'ohlcv4_m5', m15: 'ohlcv4_m15' }),
  keys: section({
    close: template.default('ohlcv:{symbol}:{timeframe}'),
    open: template.default('ohlcv:{symbol}:{timeframe}:open'),
    high: template.default('ohlcv:{symbol}:{timeframe}:high'),
    low: template.default('ohlcv:{symbol}:{timeframe}:low'),
    volume: template.default('ohlcv:{symbol}:{timeframe}:volume'),
  }),
  columns: section({
    symbol: name.default('symbol'),
    time: name.default('open_time'),
    open: name.default('open'),
    high: name.default('high'),
    low: name.default('low'),
    close: name.default('close'),
    volume: name.default('volume'),
  }),
})

const indicators = dataset({
  instances: table.default('indicator_instances_v4'),
  values: table.default('indicator_values_v4'),
  key: timeframeTemplate.default('indicator:{symbol}:{timeframe}'),
  writers,
  columns: section({
    instance: section({
      id: name.default('id'),
      symbol: name.default('symbol'),
      timeframe: name.default('timeframe'),
      enabled: name.default('enabled'),
    }),
    value: section({
      instance: name.default('instance_id'),
      symbol: name.default('symbol'),
      time: name.default('open_time'),
      param: name.default('param_name'),
      value: name.default('value'),
      updated: name.default('updated_at'),
    }),
  }),
})

/** True if PostgreSQL gives anything back. */
export function hasDatasets({
  candles,
  indicators,
  rows,
}: {
  candles?: unknown
  indicators?: unknown
  rows: object
}): boolean {
  return Boolean(candles || indicators || Object.keys(rows).length > 0)
}

/** What a file may hold, as YAML gives it, to a `Config`. Each issue's message reads `<what is wrong>; <what it should be>`. */
export const configSchema: z.ZodType<Config> = section({
  redis: section({ url: url(redisUrlProblem).default('redis://127.0.0.1:6379/0'), tls }),
  postgres: section({
    url: url(postgresUrlProblem).default('postgres://127.0.0.1:5432/postgres'),
    listen_url: url(postgresUrlProblem).exactOptional(),
    row_security: oneOf('way to treat row-level security', ['refuse', 'allow']).default('refuse'),
  }),
  symbols: section({
    query: query('it should be a SELECT that gives one symbol a row').default(
      "SELECT symbol FROM tickers WHERE status = 'enabled' ORDER BY symbol",
    ),
  }),
  candles,
  indicators,
  rows: rows.default({}),
  keys: keys.default([]),
  watch: section({
    poll: duration(50).prefault('1s'),
    scrub: duration(1).prefault('5m'),
    storm: duration(0).prefault('1m'),
  }),
  sync: section({
    source: oneOf('source of changes', ['auto', 'triggers', 'wal', 'poll']).default('auto'),
    channel: name.default('rekindle'),
    settle: duration(1).prefault('5s'),
  }),
  backup,
  recover,
  http,
  alerts,
  log: section({
    level: oneOf('log level', ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  }),
})
  .superRefine((config, context) => {
    const url = withTls(config.redis.url, config.redis.tls ?? {})
    const message = tlsProblem(url)
    if (message) context.addIssue({ code: 'custom', path: ['redis', 'url'], input: config.redis.url, message })
    for (const { path, template, problem } of findClashes(config)) {
      context.addIssue({ code: 'custom', path, input: template, message: problem })
    }
    // With keys only, there are still backups to take.
    if (!hasDatasets(config) && config.keys.length === 0) {
      const message =
        'leaves nothing to guard, as candles and indicators are both off and there are no rows or keys; it should be on, or one of the others'
      context.addIssue({ code: 'custom', path: ['indicators'], input: false, message })
    }
  })
  .transform(
    ({ candles, indicators, redis, ...rest }): Config => ({
      redis: { url: withTls(redis.url, redis.tls ?? {}) },
      ...rest,
      ...(candles && { candles }),
      ...(indicators && { indicators }),
    }),
  )

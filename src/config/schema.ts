/** The shape of a loaded configuration: every default filled in, durations in milliseconds, the environment applied. */

export type Column = 'open' | 'high' | 'low' | 'close' | 'volume'

export interface Config {
  redis: { url: string }
  postgres: { url: string }
  symbols: { query: string }
  /** Absent when the file says `candles: false`. */
  candles?: CandlesConfig
  /** Absent when the file says `indicators: false`. */
  indicators?: IndicatorsConfig
  watch: { poll: number; scrub: number }
  sync: { channel: string }
  log: { level: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent' }
}

export interface CandlesConfig {
  layout: 'timeseries' | 'sortedset'
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
  columns: {
    instance: { id: string; symbol: string; timeframe: string; enabled: string }
    value: { instance: string; symbol: string; time: string; param: string; value: string; updated: string }
  }
}

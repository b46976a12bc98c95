import type { Config } from './schema.js'

/** True if anything belongs to symbols, so that their list must be read. */
export function needsSymbols({ candles, indicators, rows }: Pick<Config, 'candles' | 'indicators' | 'rows'>): boolean {
  return Boolean(candles) || Boolean(indicators) || Object.values(rows).some(({ symbol }) => symbol !== undefined)
}

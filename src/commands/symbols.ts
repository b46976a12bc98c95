import { closestMatch } from 'leven'
import { configError } from '../config/problem.js'
import { serverName } from '../config/redact.js'
import { readSymbols } from '../detect/roster.js'
import type { Session } from './session.js'

/** The enabled symbols, as soon as PostgreSQL tells; rejects with a Trouble if there are none or it stays away. */
export function awaitSymbols({ config, db, patience }: Session): Promise<string[]> {
  return patience.insist(`PostgreSQL ${serverName(config.postgres.url)}`, () => readSymbols(db, config))
}

/** The named ones of the enabled symbols and of what stands for itself, all if none is named; throws a ConfigError for any other. */
export function chooseSymbols(enabled: readonly string[], named: readonly string[]): readonly string[] {
  const known = new Set(enabled)
  const stranger = named.find((symbol) => !known.has(symbol))
  if (stranger !== undefined) {
    const guess = closestMatch(stranger, enabled)
    throw configError('--symbol', `${JSON.stringify(stranger)} is not enabled; did you mean ${guess}?`)
  }
  return named.length > 0 ? [...new Set(named)] : enabled
}

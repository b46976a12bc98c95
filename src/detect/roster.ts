import { needsSymbols } from '../config/needs-symbols.js'
import type { Config } from '../config/schema.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'

/**
 * The enabled symbols, in the order of the query, each once; empty names are left out. Rejects if there is none: an empty answer is
 * an alert, never a plan. Where nothing belongs to symbols there are none, and nobody is asked.
 */
export async function readSymbols(db: Database, config: Config): Promise<string[]> {
  if (!needsSymbols(config)) return []
  const { query } = config.symbols
  const rows = await db.query<Record<string, unknown>>(query, [])
  const names = rows.map((row) => Object.values(row)[0]).filter((name) => typeof name === 'string' && name !== '')
  const symbols = [...new Set(names as string[])]
  if (symbols.length > 0) return symbols
  throw new Trouble(
    'no_symbols',
    rows.length === 0 ? 'symbols.query returns no rows' : 'the first column of symbols.query holds no text',
    'enable a symbol, or correct symbols.query in the configuration',
    false,
  )
}

import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'

/**
 * The enabled symbols, in the order of the query, each once; empty names are left out. Rejects if there is none: an empty answer is
 * an alert, never a plan.
 */
export async function readSymbols(db: Database, query: string): Promise<string[]> {
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

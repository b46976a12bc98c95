import type { IndicatorsConfig } from '../config/schema.js'
import type { Database } from '../postgres/database.js'
import type { ReadOptions } from './dataset.js'
import { newestSql, tablesOf } from './indicators-sql.js'

/** The newest value of one parameter of one instance, as PostgreSQL prints it. */
export type NewestRow = { symbol: string; timeframe: string; param: string; value: string | null }

/**
 * Reads the newest values, quickly where that is known to miss nothing. A look at the whole history is needed the first time, and
 * for symbols with a parameter that was last written long ago; it is taken again by every scrub.
 */
export class NewestValues {
  /** Symbols of which the quick look found as much as the thorough one. */
  private readonly quick = new Set<string>()

  constructor(private readonly config: IndicatorsConfig) {}

  async read(db: Database, symbols: readonly string[], { thorough, parts }: ReadOptions): Promise<NewestRow[]> {
    const isQuick = (symbol: string): boolean => !thorough && this.quick.has(symbol)
    const rest = symbols.filter((symbol) => !isQuick(symbol))
    const [fast, slow] = await Promise.all([
      this.query(db, symbols.filter(isQuick), false, parts),
      this.query(db, rest, true, parts),
    ])
    if (!parts && rest.length > 0) this.learn(rest, slow, await this.query(db, rest, false, parts))
    return [...fast, ...slow]
  }

  private learn(symbols: readonly string[], all: readonly NewestRow[], some: readonly NewestRow[]): void {
    const missed = new Map(symbols.map((symbol) => [symbol, 0]))
    for (const { symbol } of all) missed.set(symbol, (missed.get(symbol) ?? 0) + 1)
    for (const { symbol } of some) missed.set(symbol, (missed.get(symbol) ?? 0) - 1)
    for (const [symbol, count] of missed) {
      if (count === 0) this.quick.add(symbol)
      else this.quick.delete(symbol)
    }
  }

  private async query(
    db: Database,
    symbols: readonly string[],
    thorough: boolean,
    parts: ReadonlySet<string> | undefined,
  ): Promise<NewestRow[]> {
    if (symbols.length === 0) return []
    const values = [symbols, parts ? [...parts] : null]
    return db.query<NewestRow>(newestSql(this.config, thorough), values, tablesOf(this.config))
  }
}

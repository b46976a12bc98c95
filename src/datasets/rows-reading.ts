import type { RowsConfig } from '../config/rows.js'
import { Trouble } from '../errors.js'
import { hasExpired } from '../holdings.js'
import type { Database } from '../postgres/database.js'
import type { Reading, ReadOptions, Wanted } from './dataset.js'
import { expiryOf } from './rows-expiry.js'
import { queryRows } from './rows-query.js'
import { type Row, rowsSql } from './rows-sql.js'

/** What one row makes of one key. */
export interface RowWanted extends Wanted {
  /** The text of a string, JSON text, or, for a hash, a JSON object of the texts of its fields, parsed only when it is compared. */
  readonly body: string
}

/** Reads rows, and remembers which keys more than one row gives: none of them is wanted, or they would be written by turns. */
export class RowsReader {
  /** Lane -> keys that are given more than once, as of the last look at all its rows. */
  private readonly shared = new Map<string, ReadonlySet<string>>()

  constructor(
    readonly name: string,
    readonly config: RowsConfig,
    /** Where rows without symbols go. */
    private readonly lane: string,
  ) {}

  async read(
    db: Database,
    symbols: readonly string[],
    { parts, time }: Pick<ReadOptions, 'parts' | 'time'>,
  ): Promise<Reading<RowWanted>> {
    const some = parts && this.config.table !== undefined ? await this.readParts(db, [...parts]) : undefined
    const rows = some ?? (await this.query(db, this.config.symbol === undefined ? [] : [symbols], false))
    const now = this.config.expires === undefined ? undefined : await time?.()
    const reading = new Collected(symbols, this.lane, rows, now)
    if (!some) for (const symbol of symbols) this.shared.set(symbol, reading.sharedOf(symbol))
    const isShared = ({ symbol, key }: RowWanted): boolean =>
      reading.sharedOf(symbol).has(key) || (this.shared.get(symbol)?.has(key) ?? false)
    const wanted = reading.wanted.filter((item) => !isShared(item))
    const stays = new Set(wanted.map(({ key }) => key))
    const defect = this.defect(reading.odd)
    return {
      wanted,
      leftOut: reading.leftOut,
      unwanted: rows.flatMap(({ asked }) => (asked === null || stays.has(asked) ? [] : [asked])),
      ...(defect && { defect }),
    }
  }

  /** Undefined where PostgreSQL cannot make rows of the parts, as of those that somebody else has announced. */
  private async readParts(db: Database, parts: readonly string[]): Promise<Row[] | undefined> {
    try {
      return await this.query(db, [parts], true)
    } catch (error) {
      if (error instanceof Trouble && /^postgres_(schema|query)$/.test(error.code)) return undefined
      throw error
    }
  }

  private query(db: Database, values: readonly unknown[], parts: boolean): Promise<Row[]> {
    return queryRows(db, this, rowsSql(this.config, parts), values)
  }

  private defect(odd: string | undefined): Trouble | undefined {
    const keys = [...this.shared.values()].flatMap((each) => [...each])
    if (keys.length > 0) {
      const what = keys.length === 1 ? 'a key' : `${keys.length} keys`
      const message = `more than one row gives ${what} of rows.${this.name}, ${keys[0]} for one; left alone`
      return new Trouble(
        'postgres_schema',
        message,
        `add a column to rows.${this.name}.key that tells them apart`,
        false,
      )
    }
    if (odd === undefined) return undefined
    const message = `rows.${this.name}: ${JSON.stringify(odd.slice(0, 40))} is no moment at which a key can expire; such rows are left out`
    const hint = `rows.${this.name}.expires should name a timestamp, or a number of seconds (not milliseconds) since 1970`
    return new Trouble('postgres_schema', message, hint, false)
  }
}

/** Rows as keys, by the lanes that were asked for. */
class Collected {
  readonly wanted: RowWanted[] = []
  readonly leftOut = new Map<string, number>()
  /** An expiry that is no moment. */
  odd: string | undefined
  private readonly shared = new Map<string, Set<string>>()

  /** What has expired at `now`, in epoch ms by Redis' clock, is left out. */
  constructor(symbols: readonly string[], lane: string, rows: readonly Row[], now = 0) {
    const lanes = new Set(symbols)
    const bodies = new Map<string, RowWanted>()
    for (const row of rows) {
      const symbol = row.symbol ?? lane
      // A part that no row is any more has neither key nor value.
      if (!lanes.has(symbol) || (row.asked !== null && row.key === null)) continue
      const item = this.itemOf(row, symbol)
      if (!item || hasExpired(item.expires, now)) continue
      const twin = bodies.get(item.key)
      if (row.shared || (twin && !isSame(twin, item)))
        for (const each of [item, twin ?? item]) this.share(each.symbol, each.key)
      if (twin) continue
      bodies.set(item.key, item)
      this.wanted.push(item)
    }
  }

  sharedOf(symbol: string): ReadonlySet<string> {
    return this.shared.get(symbol) ?? new Set()
  }

  private share(symbol: string, key: string): void {
    this.shared.set(symbol, (this.shared.get(symbol) ?? new Set()).add(key))
  }

  /** Undefined, and counted, for a row that gives no key, or whose key has nothing to hold. */
  private itemOf({ key, body, expires: text }: Row, symbol: string): RowWanted | undefined {
    const expires = expiryOf(text)
    if (expires === 'odd') this.odd ??= text ?? ''
    if (key !== null && body !== null && expires !== 'odd' && !key.startsWith('rekindle:'))
      return expires === undefined ? { symbol, key, body } : { symbol, key, body, expires }
    this.leftOut.set(symbol, (this.leftOut.get(symbol) ?? 0) + 1)
    return undefined
  }
}

function isSame(a: RowWanted, b: RowWanted): boolean {
  return a.symbol === b.symbol && a.body === b.body && a.expires === b.expires
}

import { steadyTime } from '../clock.js'
import type { Change } from '../decide/announcement.js'
import type { Hints } from '../decide/wal-hints.js'
import type { Place } from '../decide/wal-places.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'
import { quoteIdent, quoteTable } from '../postgres/identifiers.js'
import type { Instances } from '../postgres/trigger-sql.js'
import type { WatchedTarget } from '../postgres/wal-tables.js'

type Key = { readonly symbol: string; readonly part?: string }

/** All of a dataset is told no more often than this, in ms: each time everything is read. */
const ALL_AGAIN = 1_000
/** That a row may have moved from an unknown place is told within this time, with all the others that may have, in ms. */
const ELSEWHERE = 10_000

/** Tells what transactions that are visible have changed, in the words of the datasets. */
export class WalNews {
  private readonly toldAll = new Map<string, number>()
  private readonly due = new Map<string, { at: number; timer: NodeJS.Timeout }>()

  constructor(
    private readonly db: Database,
    private readonly tell: (change: Change, at: number) => void,
  ) {}

  /** Rejects with a Trouble where PostgreSQL is away. */
  async of(hints: Hints<WatchedTarget>): Promise<void> {
    for (const dataset of hints.all) this.all(dataset, hints.at)
    for (const dataset of hints.elsewhere) this.later(dataset, ELSEWHERE)
    const keys = new Map<string, Key[]>()
    for (const [target, places] of hints.placed) {
      const its = await this.keysOf(target, places)
      if (its.length > 0) keys.set(target.dataset, [...(keys.get(target.dataset) ?? []), ...its])
    }
    for (const [dataset, its] of keys) this.tell({ dataset, keys: its }, hints.at)
  }

  /** All of a dataset, now or soon. */
  all(dataset: string, at: number): void {
    const since = steadyTime() - (this.toldAll.get(dataset) ?? Number.NEGATIVE_INFINITY)
    // The list of symbols is short, and waited for.
    if (dataset !== 'symbols' && since < ALL_AGAIN) {
      this.later(dataset, ALL_AGAIN - since, at)
      return
    }
    clearTimeout(this.due.get(dataset)?.timer)
    this.due.delete(dataset)
    this.toldAll.set(dataset, steadyTime())
    this.tell({ dataset, keys: 'all' }, at)
  }

  close(): void {
    for (const { timer } of this.due.values()) clearTimeout(timer)
  }

  private later(dataset: string, wait: number, at?: number): void {
    const before = this.due.get(dataset)
    const due = steadyTime() + wait
    if (before && before.at <= due) return
    clearTimeout(before?.timer)
    const timer = setTimeout(() => {
      this.toldAll.delete(dataset)
      this.all(dataset, at ?? steadyTime())
    }, wait)
    this.due.set(dataset, { at: due, timer })
  }

  private async keysOf({ announced, dataset }: WatchedTarget, places: readonly Place[]): Promise<Key[]> {
    switch (announced.kind) {
      case 'symbols':
        return []
      case 'candles':
      case 'instances':
        return places.flatMap(([symbol, timeframe]) => keyOf(symbol, timeframe))
      case 'values': {
        const timeframes = await this.timeframesOf(announced.of, places)
        // Those of an instance that is gone: all timeframes of the symbol.
        return places.flatMap(([symbol, instance]) => keyOf(symbol, timeframes.get(instance ?? '')))
      }
      case 'rows': {
        const { symbol } = announced
        if (symbol === undefined) return places.map((part) => ({ symbol: dataset, part: JSON.stringify(part) }))
        return places.flatMap(([lane, ...part]) => keyOf(lane, JSON.stringify(part)))
      }
    }
  }

  /** By the instances' ids. */
  private async timeframesOf(
    { table, id, timeframe }: Instances,
    places: readonly Place[],
  ): Promise<Map<string, string>> {
    const ids = [...new Set(places.flatMap(([, instance]) => instance ?? []))]
    try {
      const rows = await this.db.query<{ id: string; timeframe: string | null }>(
        `SELECT ${quoteIdent(id)}::text AS id, ${quoteIdent(timeframe)}::text AS timeframe
         FROM ${quoteTable(table)} WHERE ${quoteIdent(id)} = ANY ($1)`,
        [ids],
      )
      return new Map(rows.flatMap((row) => (row.timeframe === null ? [] : [[row.id, row.timeframe] as const])))
    } catch (error) {
      // A table that cannot be read is told of by the dataset itself; a symbol alone means all its timeframes.
      if (error instanceof Trouble && error.code === 'postgres_schema') return new Map()
      throw error
    }
  }
}

/** None for a row without a symbol. */
function keyOf(symbol: string | null | undefined, part: string | null | undefined): Key[] {
  if (symbol === null || symbol === undefined) return []
  return [part === null || part === undefined ? { symbol } : { symbol, part }]
}

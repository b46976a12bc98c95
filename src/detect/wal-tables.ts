import type { Config } from '../config/schema.js'
import type { Database } from '../postgres/database.js'
import { type Catalog, readCatalog } from '../postgres/trigger-catalog.js'
import { readWalTables, type WatchedTable } from '../postgres/wal-tables.js'

/** How many tables of no interest are remembered as such. */
const MOST = 10_000

/** What is known of the tables that the WAL names. */
export class WalTables {
  private tables: ReadonlyMap<string, WatchedTable> = new Map()
  private catalog: Catalog | undefined
  private readonly ignored = new Set<string>()
  private readonly unsure = new Set<string>()

  constructor(
    private readonly config: Config,
    private readonly db: Database,
  ) {}

  get all(): Iterable<WatchedTable> {
    return this.tables.values()
  }

  get(table: string): WatchedTable | undefined {
    return this.tables.get(table)
  }

  /** All datasets whose changes are looked for. */
  get datasets(): string[] {
    return [...new Set([...this.tables.values()].flatMap(datasetsOf))]
  }

  /**
   * Tables that were of no interest when they were written to. Returns the datasets that they belong to by now; of those that are new
   * to us, the next look tells.
   */
  doubt(others: Iterable<string>): string[] {
    const datasets: string[] = []
    for (const name of others) {
      const table = this.tables.get(name)
      if (table) datasets.push(...datasetsOf(table))
      else if (!this.ignored.has(name)) this.unsure.add(name)
    }
    return datasets
  }

  /** True if each is known to be of no interest. */
  ignores(tables: Iterable<string>): boolean {
    for (const table of tables) if (!this.ignored.has(table)) return false
    return true
  }

  /** True if there are tables that only a look can tell of. */
  get isUnsure(): boolean {
    return this.unsure.size > 0
  }

  /**
   * Looks at the catalog. Returns the datasets whose rows may have become others with no row written to a table that we knew of: one was
   * attached, swapped or written anew, or tells its rows in another way. Rejects with a Trouble.
   */
  async look(): Promise<string[]> {
    const query = <Row>(sql: string, values: readonly unknown[]): Promise<Row[]> => this.db.query<Row>(sql, values)
    const unsure = [...this.unsure]
    const catalog = await readCatalog(this.config, query)
    const tables = await readWalTables(this.config, catalog, query)
    const before = { catalog: this.catalog, tables: this.tables }
    this.catalog = catalog
    this.tables = tables
    for (const name of unsure) this.unsure.delete(name)
    if (!before.catalog) return []
    const changed = [...catalog.versions].flatMap(([dataset, version]) =>
      before.catalog?.versions.get(dataset) === version ? [] : [dataset],
    )
    for (const [name, table] of tables) {
      if (before.tables.get(name)?.version !== table.version) changed.push(...datasetsOf(table))
    }
    if (this.ignored.size > MOST) this.ignored.clear()
    for (const name of unsure) {
      const table = tables.get(name)
      if (table) changed.push(...datasetsOf(table))
      else this.ignored.add(name)
    }
    return [...new Set(changed)]
  }
}

function datasetsOf({ targets }: WatchedTable): string[] {
  return targets.map(({ dataset }) => dataset)
}

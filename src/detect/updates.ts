import type { Polling } from '../datasets/dataset.js'
import type { Change } from '../decide/announcement.js'
import type { Database } from '../postgres/database.js'

/** Fingerprints of what PostgreSQL wants, and whether they must be told of which symbols. */
type Prints = Pick<Polling, 'fingerprints' | 'bySymbol'>

/** Finds what of a dataset has changed since it was last asked, by its fingerprints; the first time, all, or with a glance nothing. */
export class Updates {
  private seen = new Map<string, string>()

  constructor(
    private readonly db: Database,
    readonly dataset: string,
    private readonly polling: Prints,
    /** The enabled symbols. */
    private readonly symbols: () => Promise<readonly string[]>,
    /** True if it may miss something, and what it misses is found by another. */
    readonly isGlance = false,
  ) {}

  /** The symbols and parts whose rows changed, came or went; undefined if none did. */
  async next(): Promise<Change | undefined> {
    const prints = await this.polling.fingerprints(this.db, this.polling.bySymbol ? await this.symbols() : [])
    const before = this.seen
    this.seen = new Map(prints.map(({ symbol, part, fingerprint }) => [JSON.stringify([symbol, part]), fingerprint]))
    const gone = [...before.keys()].filter((key) => !this.seen.has(key))
    const changed = [...this.seen].flatMap(([key, fingerprint]) => (before.get(key) === fingerprint ? [] : [key]))
    if (changed.length + gone.length === 0 || (this.isGlance && before.size === 0)) return undefined
    const keys = [...changed, ...gone].map((key) => {
      const [symbol, part] = JSON.parse(key) as [string, string | null]
      return part === null ? { symbol } : { symbol, part }
    })
    return { dataset: this.dataset, keys }
  }

  /** Forgets what it has seen, so that everything counts as changed. */
  forget(): void {
    this.seen.clear()
  }
}

interface Holding {
  readonly symbol: string
  readonly dataset: string
}

/**
 * Which keys stood whole in Redis when we last looked, by symbol. Kept in memory, never in the Redis that it describes: it lets a
 * loss be noticed, counted and traced to its symbol without asking PostgreSQL.
 */
export class Holdings {
  private readonly owners = new Map<string, Holding>()
  private readonly keys = new Map<string, string[]>()

  /** Records the keys of one dataset of a symbol; `complete` replaces what was known of it, otherwise they are added. */
  record(symbol: string, dataset: string, keys: readonly string[], complete: boolean): void {
    const known = this.keys.get(symbol) ?? []
    const wanted = new Set(keys)
    const kept = known.filter((key) => wanted.has(key) || !complete || this.owners.get(key)?.dataset !== dataset)
    for (const key of known) if (!kept.includes(key)) this.owners.delete(key)
    const holding = { symbol, dataset }
    for (const key of keys) {
      if (!this.owners.has(key)) kept.push(key)
      this.owners.set(key, holding)
    }
    this.keys.set(symbol, kept)
  }

  forget(symbol: string): void {
    for (const key of this.keysOf(symbol)) this.owners.delete(key)
    this.keys.delete(symbol)
  }

  keysOf(symbol: string): readonly string[] {
    return this.keys.get(symbol) ?? []
  }

  ownerOf(key: string): Holding | undefined {
    return this.owners.get(key)
  }

  get symbols(): readonly string[] {
    return [...this.keys.keys()]
  }

  get size(): number {
    return this.owners.size
  }
}

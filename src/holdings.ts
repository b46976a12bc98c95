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

  /**
   * Records the keys of one dataset of a symbol; `complete` replaces what was known of it, otherwise they are added. A key that two
   * symbols name belongs to the one that was recorded last.
   */
  record(symbol: string, dataset: string, keys: readonly string[], complete: boolean): void {
    const wanted = new Set(keys)
    const kept: string[] = []
    for (const key of this.keysOf(symbol)) {
      if (complete && !wanted.has(key) && this.owners.get(key)?.dataset === dataset) this.owners.delete(key)
      else kept.push(key)
    }
    const holding = { symbol, dataset }
    for (const key of wanted) {
      const owner = this.owners.get(key)?.symbol
      if (owner !== symbol) kept.push(key)
      if (owner !== undefined && owner !== symbol) this.keys.set(owner, without(key, this.keysOf(owner)))
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

  /** How many keys belong to what `isCounted` tells. */
  count(isCounted: (owner: Holding) => boolean): number {
    let count = 0
    for (const owner of this.owners.values()) if (isCounted(owner)) count++
    return count
  }
}

function without(key: string, keys: readonly string[]): string[] {
  return keys.filter((each) => each !== key)
}

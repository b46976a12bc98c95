import type { Held } from './model.js'

interface Holding {
  readonly symbol: string
  readonly dataset: string
}

/** From so long before its moment of expiry on a key is not missed, in ms: Redis' clock is known a little late. */
const SLACK = 1_000

/** True if the moment at which a key expires (epoch ms, or never) has come by Redis' clock, or is about to. */
export function hasExpired(expires: number | undefined, now: number): boolean {
  return expires !== undefined && expires <= now + SLACK
}

/**
 * Which keys stood whole in Redis when we last looked, by symbol. Kept in memory, never in the Redis that it describes: it lets a
 * loss be noticed, counted and traced to its symbol without asking PostgreSQL.
 */
export class Holdings {
  private readonly owners = new Map<string, Holding>()
  private readonly keys = new Map<string, Set<string>>()
  private readonly expiries = new Map<string, number>()
  /** Where in the keys of each symbol the next sentinel is. */
  private readonly turns = new Map<string, Iterator<string>>()

  /** `redisTime`: what Redis' clock shows, in epoch ms. */
  constructor(private readonly redisTime: () => number) {}

  /**
   * Records the keys of one dataset of a symbol; `complete` replaces what was known of it, otherwise they are added. A key that two
   * symbols name belongs to the one that was recorded last. Returns those that are known no longer.
   */
  record(symbol: string, dataset: string, held: readonly Held[], complete: boolean): string[] {
    const keys = this.keys.get(symbol) ?? new Set()
    this.keys.set(symbol, keys)
    const wanted = new Set(held.map(({ key }) => key))
    const rest = complete ? [...keys].filter((key) => !wanted.has(key)) : []
    const released = this.release(symbol, dataset, rest)
    const holding = { symbol, dataset }
    for (const { key, expires } of held) {
      const owner = this.owners.get(key)?.symbol
      if (owner !== undefined && owner !== symbol) this.keys.get(owner)?.delete(key)
      keys.add(key)
      this.owners.set(key, holding)
      if (expires === undefined) this.expiries.delete(key)
      else this.expiries.set(key, expires)
    }
    return released
  }

  /** Takes over what others hold of some datasets. */
  adopt(others: Holdings, datasets: ReadonlySet<string>): void {
    for (const [key, { symbol, dataset }] of others.owners) {
      if (!datasets.has(dataset)) continue
      const expires = others.expiries.get(key)
      this.record(symbol, dataset, [expires === undefined ? { key } : { key, expires }], false)
    }
  }

  /**
   * Forgets those of the keys that a dataset of a symbol holds: nothing wants them any more, so nobody misses them. Returns those of
   * them that had not expired.
   */
  release(symbol: string, dataset: string, keys: readonly string[]): string[] {
    const now = this.redisTime()
    return keys.filter((key) => {
      const owner = this.owners.get(key)
      if (owner?.symbol !== symbol || owner.dataset !== dataset) return false
      const stood = this.mustStand(key, now)
      this.drop(symbol, key)
      return stood
    })
  }

  forget(symbol: string): void {
    for (const key of this.keys.get(symbol) ?? []) this.drop(symbol, key)
    this.keys.delete(symbol)
    this.turns.delete(symbol)
  }

  private drop(symbol: string, key: string): void {
    this.keys.get(symbol)?.delete(key)
    this.owners.delete(key)
    this.expiries.delete(key)
  }

  /** The keys of a symbol that must stand: those whose moment of expiry has come are left out. */
  keysOf(symbol: string): readonly string[] {
    const now = this.redisTime()
    return [...(this.keys.get(symbol) ?? [])].filter((key) => !hasExpired(this.expiries.get(key), now))
  }

  /** One key of a symbol that must stand, another each time until all have had their turn. */
  sentinelOf(symbol: string): string | undefined {
    const keys = this.keys.get(symbol)
    const now = this.redisTime()
    for (let tries = 0; keys && tries <= keys.size; tries++) {
      const turn = this.turns.get(symbol) ?? keys.values()
      this.turns.set(symbol, turn)
      const { done, value } = turn.next()
      if (done) this.turns.delete(symbol)
      else if (!hasExpired(this.expiries.get(value), now)) return value
    }
    return undefined
  }

  ownerOf(key: string): Holding | undefined {
    return this.owners.get(key)
  }

  /** True if a key stood whole when we last looked, and its moment of expiry has not come; `now` by Redis' clock. */
  mustStand(key: string, now = this.redisTime()): boolean {
    return this.owners.has(key) && !hasExpired(this.expiries.get(key), now)
  }

  /** True if a key expires at some time. */
  expires(key: string): boolean {
    return this.expiries.has(key)
  }

  /** True if any key expires at some time. */
  get anyExpires(): boolean {
    return this.expiries.size > 0
  }

  get symbols(): readonly string[] {
    return [...this.keys.keys()]
  }

  get size(): number {
    return this.owners.size
  }

  /** How many keys belong to what `isCounted` tells. */
  count(isCounted: (owner: Holding, key: string) => boolean): number {
    let count = 0
    for (const [key, owner] of this.owners) if (isCounted(owner, key)) count++
    return count
  }
}

/** Random choices that are the same in every run, so that a test which fails once fails again. */
export interface Seeded {
  /** 0 <= number < 1 */
  fraction(): number
  /** A whole number, 0 <= number < `below`. */
  below(below: number): number
  pick<T>(items: readonly T[]): T
  /** Each item with even chance, in order. */
  some<T>(items: readonly T[]): T[]
  shuffled<T>(items: readonly T[]): T[]
}

/** The generator "mulberry32", by Tommy Ettinger. */
export function seeded(seed: number): Seeded {
  let state = seed | 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(fraction() * limit)
  return {
    fraction,
    below,
    pick: <T>(items: readonly T[]) => items[below(items.length)] as T,
    some: (items) => items.filter(() => fraction() < 0.5),
    shuffled: (items) =>
      items
        .map((item) => ({ item, order: fraction() }))
        .sort((a, b) => a.order - b.order)
        .map(({ item }) => item),
  }
}

/** Runs a check with a hundred different generators. */
export function forManySeeds(check: (random: Seeded) => void): void {
  for (let seed = 1; seed <= 100; seed++) check(seeded(seed))
}

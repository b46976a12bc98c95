/**
 * Counts keys, and chooses some of them by a digest of their names: evenly, and the same ones whenever it is done again, so that two
 * looks at the same keys agree. SCAN may name a key twice; it is chosen once.
 */
export class Tally {
  keys = 0
  private chosen = new Map<string, number>()
  /** What a digest must be below, to be among the least ones. */
  private ceiling = Number.POSITIVE_INFINITY

  /** `most` is how many are chosen. */
  constructor(private readonly most: number) {}

  /** Keys whose names are no UTF-8 are counted, but not chosen: we could not ask for them. */
  add(key: string): void {
    this.keys++
    if (this.most === 0 || key.includes('\ufffd')) return
    const digest = digestOf(key)
    if (digest >= this.ceiling) return
    this.chosen.set(key, digest)
    if (this.chosen.size >= 2 * this.most) this.cut()
  }

  /** The names chosen. The first few of them are chosen as evenly as all are. */
  get sample(): string[] {
    this.cut()
    return [...this.chosen.keys()]
  }

  private cut(): void {
    const least = [...this.chosen].sort(([a, x], [b, y]) => x - y || (a < b ? -1 : 1)).slice(0, this.most)
    this.chosen = new Map(least)
    const last = least.at(-1)
    if (last && least.length === this.most) this.ceiling = last[1]
  }
}

/** FNV-1a, and the last step of MurmurHash3: the digests of names that differ in their last digit alone are far apart. */
function digestOf(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

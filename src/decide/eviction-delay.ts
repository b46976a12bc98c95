/** The first wait and the longest, doubling in between, and the quiet while after which all is forgotten; in ms. */
const FIRST = 1_000
const LONGEST = 60_000
const FORGOTTEN = 300_000

/** How long to wait before healing what was evicted: to heal into a Redis that evicts drives out other keys. */
export class EvictionDelay {
  private wait = 0
  /** When the wait is over. */
  private until = Number.NEGATIVE_INFINITY

  /** The wait for an eviction seen at `now`, in ms: none for the first; one for all that is evicted while it lasts. */
  next(now: number): number {
    if (now < this.until) return this.until - now
    const isFirst = now - this.until >= FORGOTTEN
    this.wait = isFirst ? 0 : Math.min(LONGEST, Math.max(FIRST, 2 * this.wait))
    this.until = now + this.wait
    return this.wait
  }
}

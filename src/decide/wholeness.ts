/**
 * Keeps account of what is not known to be whole: symbol -> dataset -> when that was noted. A symbol is whole when nothing of it is
 * on the account.
 *
 * Work that began before a loss was noted says nothing about it, so notes and work carry numbers from one sequence.
 */
export class Wholeness {
  private readonly open = new Map<string, Map<string, number>>()
  /** Symbol -> dataset -> when it was last settled as whole. */
  private readonly seen = new Map<string, Map<string, number>>()
  private sequence = 0

  /** The number that work which begins now must be settled with. */
  now(): number {
    return this.sequence
  }

  /** Notes that datasets of a symbol are not known to be whole; true if the symbol was whole until now. */
  doubt(symbol: string, datasets: Iterable<string>): boolean {
    this.sequence++
    const known = this.open.get(symbol)
    const notes = known ?? new Map<string, number>()
    for (const dataset of datasets) notes.set(dataset, this.sequence)
    if (notes.size > 0) this.open.set(symbol, notes)
    return known === undefined && notes.size > 0
  }

  /** Notes that a dataset of a symbol was seen whole by work that began at `began`; true if that makes the symbol whole. */
  settle(symbol: string, dataset: string, began: number): boolean {
    const seen = this.seen.get(symbol) ?? new Map<string, number>()
    this.seen.set(symbol, seen.set(dataset, ++this.sequence))
    const notes = this.open.get(symbol)
    const noted = notes?.get(dataset)
    if (!notes || noted === undefined || noted > began) return false
    notes.delete(dataset)
    if (notes.size > 0) return false
    this.open.delete(symbol)
    return true
  }

  /** True if a dataset of a symbol is not known to be whole. */
  isOpen(symbol: string, dataset: string): boolean {
    return this.open.get(symbol)?.has(dataset) ?? false
  }

  /**
   * True if a dataset was settled as whole after `began`: what work that began then has found lacking may have been mended since, or
   * may be lost once more, and only another look can tell.
   */
  wasSeenSince(symbol: string, dataset: string, began: number): boolean {
    return (this.seen.get(symbol)?.get(dataset) ?? Number.NEGATIVE_INFINITY) > began
  }

  /** Forgets a symbol that is no longer enabled. */
  forget(symbol: string): void {
    this.seen.delete(symbol)
    this.open.delete(symbol)
  }

  isWhole(symbol: string): boolean {
    return !this.open.has(symbol)
  }

  /** How many symbols are not whole. */
  get size(): number {
    return this.open.size
  }
}

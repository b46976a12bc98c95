/**
 * Which datasets of which symbols have a task that waits, runs or is tried again: another look at the same lack must not plan one
 * more. It would be tried for ever beside the first, and mend later losses before anyone had been told of them.
 */
export class Underway {
  private readonly tasks = new Map<string, Set<string>>()

  add(symbol: string, dataset: string): void {
    this.tasks.set(symbol, (this.tasks.get(symbol) ?? new Set()).add(dataset))
  }

  has(symbol: string, dataset: string): boolean {
    return this.tasks.get(symbol)?.has(dataset) ?? false
  }

  /** Notes that the task of a dataset is done. */
  done(symbol: string, dataset: string): void {
    const datasets = this.tasks.get(symbol)
    if (datasets?.delete(dataset) && datasets.size === 0) this.tasks.delete(symbol)
  }

  /** Notes that a symbol is no longer wanted. */
  forget(symbol: string): void {
    this.tasks.delete(symbol)
  }

  /** Notes that all tasks are gone, as with the life that they belonged to, or are not to be relied on. */
  clear(): void {
    this.tasks.clear()
  }
}

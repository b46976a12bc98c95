import type { Holdings } from '../holdings.js'
import type { Emit } from '../report/events.js'
import { NAMES } from './loss-events.js'

/** For how long what belongs together is gathered, in ms. */
const GATHER = 1_000

/**
 * Says which keys PostgreSQL no longer wants: they stay in Redis, but nothing brings them back any more. Whoever emptied a table by
 * mistake should hear of it before Redis loses them, too.
 */
export class Releases {
  private readonly released = new Map<string, { count: number; names: string[] }>()
  private telling: NodeJS.Timeout | undefined

  constructor(
    private readonly holdings: Holdings,
    private readonly emit: Emit,
  ) {}

  add(dataset: string, keys: readonly string[]): void {
    if (keys.length === 0) return
    const known = this.released.get(dataset) ?? { count: 0, names: [] }
    this.released.set(dataset, known)
    known.count += keys.length
    known.names.push(...keys.slice(0, NAMES - known.names.length))
    this.telling ??= setTimeout(() => this.tell(), GATHER)
  }

  stop(): void {
    clearTimeout(this.telling)
  }

  private tell(): void {
    this.telling = undefined
    for (const [dataset, { count, names }] of this.released) {
      const keys_left = this.holdings.count((owner) => owner.dataset === dataset)
      this.emit({ event: 'unwanted', dataset, keys_unwanted: count, keys_left, unwanted_keys: names })
    }
    this.released.clear()
  }
}

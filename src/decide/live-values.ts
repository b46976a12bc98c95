import type { Writers } from '../model.js'

/** What a look found in one key. */
export interface KeyLook {
  readonly symbol: string
  readonly key: string
  /** True if the key lacks nothing. */
  readonly isWhole: boolean
  /** Values that differ, by their position in the key: what Redis holds and what PostgreSQL holds, as one text. */
  readonly differing: ReadonlyMap<string, string>
  /** The position that a live worker may write many times a second: a candle that is still forming. */
  readonly forming?: string | undefined
}

export interface LiveValuesOptions {
  /** For how long both sides must stand still, in ms. */
  readonly settle: number
  /** Dataset -> its writers; `auto` where it is absent. */
  readonly writers?: ReadonlyMap<string, Writers>
  /** Datasets of whose keys Redis cannot tell us when others write to them. */
  readonly untold?: ReadonlySet<string>
  /** A clock that never steps, in ms. */
  readonly clock?: () => number
}

/** One value that differs, for as long as both sides stand still. */
interface Pair {
  readonly text: string
  readonly since: number
  looks: number
}

interface Pending {
  readonly symbol: string
  readonly dataset: string
  forming: string | undefined
  pairs: Map<string, Pair>
  lookedAt: number
  countedAt: number
}

/** Looks that must have found the same where it is not known that nobody wrote in between. */
export const LOOKS = 5
/** The most values that are watched at once; what is beyond them is left alone, and found again by the scrub. */
const MOST = 100_000

const now = (): number => performance.now()

const NO_VALUES: ReadonlyMap<string, string> = new Map()

/**
 * Tells a live writer's newer value from PostgreSQL's earlier one.
 *
 * Workers often write Redis at once and PostgreSQL some hundred milliseconds later. So a value that differs is PostgreSQL's own
 * earlier one, and replaced at once, only where its key was seen equal and nobody else has written to it since or shortly before: what a
 * worker wrote may still be on its way to PostgreSQL, which shows older values of it meanwhile. Any other value is replaced only after
 * it, and what PostgreSQL holds, have stood still for the settling time.
 *
 * Kept are the names of keys that were seen equal, the writes of the last few seconds, and what differs: bounded by the keys.
 */
export class LiveValues {
  private readonly settle: number
  private readonly writers: ReadonlyMap<string, Writers>
  private readonly untold: ReadonlySet<string>
  private readonly clock: () => number
  /** Keys that were seen equal to PostgreSQL, and that nobody else has written to since. */
  private readonly equal = new Set<string>()
  /** When others last wrote to a key, within the settling time. */
  private readonly written = new Map<string, number>()
  /** Keys that we are writing to ourselves, and how often. */
  private readonly ours = new Map<string, number>()
  /** Keys that others have written to and that nobody has looked at since, and when that was. */
  private readonly unseen = new Map<string, number>()
  private readonly pending = new Map<string, Pending>()
  private pendingValues = 0
  /** Dataset -> symbol -> when it was first looked at in this life. */
  private readonly firstLooks = new Map<string, Map<string, number>>()
  private trackedSince: number | undefined
  private process: string | undefined

  constructor({ settle, writers = new Map(), untold = new Set(), clock = now }: LiveValuesOptions) {
    this.settle = settle
    this.writers = writers
    this.untold = untold
    this.clock = clock
  }

  /** Now, by the clock that looks are dated with. */
  now(): number {
    return this.clock()
  }

  /** Begins a life of Redis: nothing is known of who writes what, unless it is a process that nobody has left unwatched. */
  begin(process?: string): void {
    if (process !== undefined && process === this.process) return
    this.process = process
    for (const known of [this.equal, this.written, this.ours, this.unseen, this.pending, this.firstLooks]) known.clear()
    this.pendingValues = 0
    this.trackedSince = undefined
  }

  /** Every write by others is told of from now on, or no longer. */
  track(isTracked: boolean): void {
    this.trackedSince = isTracked ? this.clock() : undefined
    this.equal.clear()
    this.written.clear()
    this.unseen.clear()
  }

  /** True if writes by others are told of. */
  get isTracking(): boolean {
    return this.trackedSince !== undefined
  }

  /** Somebody has written to these keys; what we write ourselves is told, too. */
  wrote(keys: Iterable<string>): void {
    const now = this.clock()
    for (const key of keys) {
      if (this.ours.has(key)) continue
      this.written.set(key, now)
      this.equal.delete(key)
      if (this.unseen.size < MOST || this.unseen.has(key)) this.unseen.set(key, now)
    }
  }

  /** We begin to write to these keys; what is returned is called when we have been told of it all. */
  writing(keys: readonly string[]): () => void {
    for (const key of keys) this.ours.set(key, (this.ours.get(key) ?? 0) + 1)
    return () => {
      for (const key of keys) {
        const times = (this.ours.get(key) ?? 1) - 1
        if (times > 0) this.ours.set(key, times)
        else this.ours.delete(key)
      }
    }
  }

  /** Takes in what a look at Redis found that began at `began`. */
  looked(dataset: string, looks: readonly KeyLook[], began: number): void {
    const symbols = this.firstLooks.get(dataset) ?? new Map<string, number>()
    this.firstLooks.set(dataset, symbols)
    for (const look of looks) {
      if (!symbols.has(look.symbol)) symbols.set(look.symbol, began)
      if (look.isWhole && this.isTold(dataset)) this.sawWhole(look.key, began)
      if ((this.unseen.get(look.key) ?? began) < began) this.unseen.delete(look.key)
      this.watch(dataset, look, began)
    }
  }

  private sawWhole(key: string, began: number): void {
    if (this.trackedSince === undefined || began < this.trackedSince) return
    if ((this.written.get(key) ?? Number.NEGATIVE_INFINITY) < began) this.equal.add(key)
  }

  private watch(dataset: string, { symbol, key, differing, forming }: KeyLook, began: number): void {
    const before = this.pending.get(key)
    if (differing.size === 0) this.drop(key)
    if (differing.size === 0 || (!before && this.pendingValues >= MOST)) return
    const counts = before === undefined || began - before.countedAt >= this.settle / (LOOKS + 1)
    const pairs = new Map<string, Pair>()
    for (const [position, text] of differing) {
      const known = before?.pairs.get(position)
      if (known?.text !== text) pairs.set(position, { text, since: began, looks: 1 })
      else pairs.set(position, { ...known, looks: known.looks + (counts ? 1 : 0) })
    }
    this.pendingValues += pairs.size - (before?.pairs.size ?? 0)
    const countedAt = counts ? began : before.countedAt
    this.pending.set(key, { symbol, dataset, forming, pairs, lookedAt: began, countedAt })
  }

  private drop(key: string): void {
    this.pendingValues -= this.pending.get(key)?.pairs.size ?? 0
    this.pending.delete(key)
  }

  private writersOf(dataset: string): Writers {
    return this.writers.get(dataset) ?? 'auto'
  }

  /** True if what a look found at this position may be replaced by what PostgreSQL holds. */
  mayReplace(
    dataset: string,
    { key, differing = NO_VALUES }: Pick<KeyLook, 'key' | 'differing'>,
    position: string,
  ): boolean {
    const writers = this.writersOf(dataset)
    if (writers === 'postgres') return true
    if (writers === 'auto' && this.isKnown(dataset, key)) return true
    const pending = this.pending.get(key)
    if (!pending || pending.pairs.get(position)?.text !== differing.get(position)) return false
    return this.isSettled(key, pending, position)
  }

  /** How many of a key's values both sides have held as they are for the settling time. */
  settledIn(key: string): number {
    const pending = this.pending.get(key)
    if (!pending) return 0
    return [...pending.pairs.keys()].filter((position) => this.isSettled(key, pending, position)).length
  }

  /** True if a dataset of a symbol was first looked at less than the settling time ago, so that nothing is known of what differs. */
  isNew(dataset: string, symbol: string): boolean {
    const first = this.firstLooks.get(dataset)?.get(symbol)
    return first === undefined || this.clock() - first < this.settle
  }

  /**
   * Keys that others have written to, that nobody has looked at since, and that have been left alone for the settling time: by now
   * PostgreSQL should hold the same, unless whoever wrote them could not write it there.
   */
  quiet(): string[] {
    const now = this.clock()
    return [...this.unseen].flatMap(([key, at]) => (now - at >= this.settle ? [key] : []))
  }

  /** Takes out keys that are nobody's. */
  overlook(keys: Iterable<string>): void {
    for (const key of keys) this.unseen.delete(key)
  }

  /** The datasets of symbols that must be looked at again to find out whether what differs stands still. */
  due(): { readonly symbol: string; readonly dataset: string }[] {
    const now = this.clock()
    for (const [key, at] of this.written) if (now - at >= this.settle) this.written.delete(key)
    const due = new Map<string, { symbol: string; dataset: string }>()
    for (const [key, pending] of this.pending) {
      const { symbol, dataset } = pending
      if (this.isDue(key, pending, now)) due.set(JSON.stringify([symbol, dataset]), { symbol, dataset })
    }
    return [...due.values()]
  }

  private isDue(key: string, { dataset, pairs, forming, lookedAt }: Pending, now: number): boolean {
    if (now - lookedAt < this.settle / LOOKS) return false
    if (this.isQuiet(dataset, key, now)) return [...pairs.values()].some(({ since }) => now - since >= this.settle)
    // What a worker writes again and again is looked at when it has stopped.
    return !this.isTold(dataset) || [...pairs.keys()].some((position) => position !== forming)
  }

  /** True if the key was seen equal, and what others wrote before that has had the time to reach PostgreSQL. */
  private isKnown(dataset: string, key: string): boolean {
    return this.equal.has(key) && this.isQuiet(dataset, key, this.clock())
  }

  private isTold(dataset: string): boolean {
    return this.trackedSince !== undefined && !this.untold.has(dataset)
  }

  /** True if nobody else has written to the key for the settling time, as far back as we would have been told. */
  private isQuiet(dataset: string, key: string, now: number): boolean {
    if (this.trackedSince === undefined || !this.isTold(dataset)) return false
    return now - Math.max(this.trackedSince, this.written.get(key) ?? this.trackedSince) >= this.settle
  }

  private isSettled(key: string, { dataset, pairs, forming }: Pending, position: string): boolean {
    const pair = pairs.get(position)
    const now = this.clock()
    if (!pair || now - pair.since < this.settle) return false
    if (this.isQuiet(dataset, key, now)) return true
    return pair.looks >= LOOKS && (!this.isTold(dataset) || position !== forming)
  }
}

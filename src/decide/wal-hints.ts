import type { Place, PlaceHint, WalTarget } from './wal-places.js'

/** More places than this in a dataset are all of it, and more tables of no interest than this may be any. */
const MOST_PLACES = 5_000
const MOST_TABLES = 1_000

/** What some transactions have changed, each place once, however many rows they wrote. */
export class Hints<Target extends WalTarget = WalTarget> {
  /** Each must be visible before what they have changed is read. */
  readonly xids: number[]
  /** The datasets of which anything may have changed. */
  readonly all = new Set<string>()
  /** The datasets of which some row may have moved from a place that was not told. */
  readonly elsewhere = new Set<string>()
  /** The tables that were written to and are of no interest, as far as it is known. */
  readonly others = new Set<string>()
  /** True if there were too many of those. */
  isCrowded = false
  /** True if somebody waits for it: false for what concerns nobody, as far as it is known. */
  isUrgent = true
  private readonly places = new Map<Target, Map<string, Place>>()

  constructor(
    xid: number,
    /** When the first of them was noticed, in ms. */
    public at: number,
  ) {
    this.xids = [xid]
  }

  add({ target, place }: PlaceHint<Target>): void {
    if (place === 'all') this.addAll(target.dataset)
    else if (place === 'elsewhere') this.elsewhere.add(target.dataset)
    else if (!this.all.has(target.dataset)) {
      const places = this.places.get(target) ?? new Map<string, Place>()
      this.places.set(target, places.set(JSON.stringify(place), place))
      if (places.size > MOST_PLACES) this.addAll(target.dataset)
    }
  }

  addAll(dataset: string): void {
    this.all.add(dataset)
    for (const target of this.places.keys()) if (target.dataset === dataset) this.places.delete(target)
  }

  addOther(table: string): void {
    if (this.others.size < MOST_TABLES) this.others.add(table)
    else this.isCrowded ||= !this.others.has(table)
  }

  /** Takes in what later transactions have changed. */
  merge(later: Hints<Target>): void {
    this.xids.push(...later.xids)
    for (const dataset of later.all) this.addAll(dataset)
    for (const dataset of later.elsewhere) this.elsewhere.add(dataset)
    for (const table of later.others) this.addOther(table)
    this.isCrowded ||= later.isCrowded
    this.isUrgent ||= later.isUrgent
    for (const [target, places] of later.places) for (const place of places.values()) this.add({ target, place })
  }

  /** True if no dataset is concerned. */
  get isIdle(): boolean {
    return this.all.size + this.elsewhere.size + this.places.size === 0 && !this.isCrowded
  }

  /** The places of the datasets of which not all may have changed. */
  get placed(): [Target, Place[]][] {
    return [...this.places].map(([target, places]) => [target, [...places.values()]])
  }
}

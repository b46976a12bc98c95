import type { Change, ChangedKey } from './announcement.js'
import { groupBy } from './group-by.js'

/** The newest row of a parameter of an instance, its time as PostgreSQL writes it in JSON; both null for one without values. */
export interface SeenRow {
  readonly symbol: string
  readonly timeframe: string
  readonly instance: string
  readonly param: string | null
  readonly time: string | null
}

/** What a read may rely on for one instance. */
export interface Recalled {
  readonly symbol: string
  /** Rows from this time on must be read. */
  readonly floor: string
  /** True if rows were written that are older than the newest of these. */
  readonly isLowered: boolean
  /** The newest rows that are older than that. */
  readonly older: readonly { readonly param: string; readonly time: string }[]
  /** All parameters that it had, as they were read. */
  readonly params: readonly string[]
}

/** Parameters whose newest rows have the same time. */
interface Group {
  readonly time: string
  readonly params: readonly string[]
}

/** Where the newest rows of one instance were seen to lie, earliest first. */
interface Known {
  readonly timeframe: string
  readonly groups: readonly Group[]
  readonly params: readonly string[]
  /** The earliest time written since, or the latest of the groups'. */
  floor: string
}

/** Of texts like these, the lesser is the earlier. Infinite times, years of five digits and other types than timestamps are not. */
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00)?$/
/** Later than any of them: of an instance without values only what is written since needs to be read. */
const LAST = '9999-12-31T23:59:59.999999'
/** Lists of parameters are shared by instances, as long as there are no more different ones than this. */
const SHARED = 10_000

/** A read under way: what it may rely on, and what was announced since it began. */
export interface Reading {
  /** By instance. */
  readonly recalled: ReadonlyMap<string, Recalled>
  /** The symbols of which something remembered was relied on that was written to, or no longer holds, since. */
  surpassed(): Set<string>
  /** Takes in what was read: the newest rows of every instance, earliest first. */
  learn(seen: ReadonlyMap<string, readonly SeenRow[]>): void
  /** Ends it, also where it failed. */
  close(): void
}

/**
 * Remembers where the newest row of each parameter of each instance lies, for as long as every change is announced. What is announced
 * lowers the time from which rows must be read; see {@link NewestValues} for why that is enough.
 */
export class NewestMemory {
  private readonly known = new Map<string, Map<string, Known>>()
  private readonly shared = new Map<string, readonly string[]>()
  private readonly underWay = new Set<Change['keys'][]>()
  /** Another number whenever everything was forgotten. */
  private era = 0
  private isOpen = false

  /** From now on every change is announced, or not any more: nothing from before counts. */
  renew(isAnnounced: boolean): void {
    this.known.clear()
    this.shared.clear()
    this.isOpen = isAnnounced
    this.era++
  }

  /** Rows of these symbols and timeframes have changed. */
  hear(keys: Change['keys']): void {
    for (const heard of this.underWay) heard.push(keys)
    if (keys === 'all') this.known.clear()
    else for (const key of keys) lower(this.known.get(key.symbol) ?? NOTHING, key)
  }

  /** Begins a read of some symbols and parts of them, which must be closed; nothing is recalled if it is to be `thorough`. */
  open(symbols: readonly string[], parts: ReadonlySet<string> | undefined, thorough: boolean): Reading {
    const recalled = thorough ? new Map<string, Recalled>() : this.recall(symbols, parts)
    const heard: Change['keys'][] = []
    const { era } = this
    this.underWay.add(heard)
    return {
      recalled,
      surpassed: () => (era === this.era ? surpassed(recalled, heard) : symbolsOf(recalled)),
      learn: (seen) => {
        if (this.isOpen && era === this.era && !heard.includes('all'))
          this.learn(symbols, parts, seen, heard.flat() as ChangedKey[])
      },
      close: () => this.underWay.delete(heard),
    }
  }

  private recall(symbols: readonly string[], parts: ReadonlySet<string> | undefined): Map<string, Recalled> {
    const recalled = new Map<string, Recalled>()
    for (const symbol of symbols) {
      for (const [instance, { timeframe, groups, params, floor }] of this.known.get(symbol) ?? []) {
        if (parts && !parts.has(timeframe)) continue
        const isLowered = floor < (groups.at(-1)?.time ?? LAST)
        recalled.set(instance, { symbol, floor, isLowered, older: before(floor, groups), params })
      }
    }
    return recalled
  }

  private learn(
    symbols: readonly string[],
    parts: ReadonlySet<string> | undefined,
    seen: ReadonlyMap<string, readonly SeenRow[]>,
    heard: readonly ChangedKey[],
  ): void {
    for (const symbol of symbols) {
      const its = this.known.get(symbol)
      for (const [instance, { timeframe }] of its ?? []) {
        if ((!parts || parts.has(timeframe)) && seen.get(instance)?.[0]?.symbol !== symbol) its?.delete(instance)
      }
    }
    for (const [instance, rows] of seen) {
      const symbol = rows[0]?.symbol ?? ''
      const its = this.known.get(symbol) ?? new Map<string, Known>()
      this.known.set(symbol, its)
      const known = this.knownOf(rows, its.get(instance))
      if (known) its.set(instance, known)
      else its.delete(instance)
    }
    for (const key of heard) lower(this.known.get(key.symbol) ?? NOTHING, key)
  }

  /** Undefined where the order of times cannot be told from their texts. What is as it was before is not made anew. */
  private knownOf(rows: readonly SeenRow[], before: Known | undefined): Known | undefined {
    const [first] = rows
    const last = rows.at(-1)
    if (!first || !last) return undefined
    const { timeframe } = first
    if (first.time === null) return { timeframe, groups: [], params: [], floor: LAST }
    if (!TIME.test(first.time) || (last.time !== first.time && !rows.every(({ time }) => TIME.test(time ?? ''))))
      return undefined
    const params =
      before && isSame(before.params, rows) ? before.params : this.share(rows.map(({ param }) => param ?? ''))
    const groups =
      last.time === first.time
        ? [{ time: first.time, params }]
        : [...groupBy(rows, ({ time }) => time ?? '')].map(([time, its]) => ({
            time,
            params: its.map(({ param }) => param ?? ''),
          }))
    return { timeframe, groups, params, floor: last.time ?? LAST }
  }

  private share(params: readonly string[]): readonly string[] {
    const key = JSON.stringify(params)
    if (this.shared.size > SHARED) this.shared.clear()
    const found = this.shared.get(key) ?? params
    this.shared.set(key, found)
    return found
  }
}

/** True if these are the parameters of the rows, in their order. */
export function isSame(params: readonly string[], rows: readonly SeenRow[]): boolean {
  return params.length === rows.length && params.every((param, i) => param === rows[i]?.param)
}

const NONE: Recalled['older'] = []

function before(floor: string, groups: readonly Group[]): Recalled['older'] {
  if (groups.length === 0 || (groups[0]?.time ?? '') >= floor) return NONE
  return groups.flatMap(({ time, params }) => (time < floor ? params.map((param) => ({ param, time })) : []))
}

const NOTHING = new Map<string, Known>()

/** Notes that something was written: from when on; where that is not said, of the symbol nothing is known any more. */
function lower(instances: Map<string, Known>, { written }: ChangedKey): void {
  if (written === undefined) instances.clear()
  if (!written) return
  for (const id of written.ids ?? [...instances.keys()]) {
    const known = instances.get(id)
    if (!known) continue
    if (!TIME.test(written.since)) instances.delete(id)
    else if (written.since < known.floor) known.floor = written.since
  }
}

function surpassed(recalled: ReadonlyMap<string, Recalled>, heard: readonly Change['keys'][]): Set<string> {
  if (heard.includes('all')) return symbolsOf(recalled)
  const keys = groupBy(
    heard.flatMap((each) => (each === 'all' ? [] : each)),
    ({ symbol }) => symbol,
  )
  const isSurpassed = ([instance, { symbol, floor }]: [string, Recalled]): boolean =>
    (keys.get(symbol) ?? []).some(({ written }) => {
      if (!written) return written === undefined
      return (written.ids?.includes(instance) ?? true) && (!TIME.test(written.since) || written.since < floor)
    })
  return new Set([...recalled].filter(isSurpassed).map(([, { symbol }]) => symbol))
}

function symbolsOf(recalled: ReadonlyMap<string, Recalled>): Set<string> {
  return new Set([...recalled.values()].map(({ symbol }) => symbol))
}

import { setTimeout as delay } from 'node:timers/promises'
import { type Classify, isOurs } from '../decide/classes.js'
import type { KeysAtStake } from '../decide/risks-facts.js'
import type { KeyClass } from '../model.js'
import { ask, encode, exchange, type Wire } from '../redis/wire.js'

export interface CountLimits {
  /** How many keys are looked at, at most, and for how long, in ms. */
  readonly keys: number
  readonly ms: number
}

export interface CountOptions {
  readonly signal?: AbortSignal
  readonly limits?: CountLimits
  /** How many keys of each class are named, at most. */
  readonly samples?: (its: KeyClass | undefined) => number
  /** Called with each key of no class. */
  readonly onStranger?: (key: string) => void
  /** Called after each step, with the share done so far, from 0 to 1, and how many keys were looked at. */
  readonly onStep?: (share: number, seen: number) => void
}

export interface SampledKey {
  readonly name: string
  /** In epoch ms, for a key with a time to live. */
  readonly expiresAt?: number
}

export interface ClassCount {
  /** Undefined: the keys of no class. */
  readonly class: KeyClass | undefined
  /** How many there are, or about how many. */
  readonly keys: number
  /** False where not all keys were looked at. */
  readonly exact: boolean
  /** Keys of the class, chosen evenly. Those whose names are no UTF-8 are counted, but not named: we could not ask for them. */
  readonly sample: readonly SampledKey[]
  /** False where Redis would not say whether they have a time to live. */
  readonly expiryKnown: boolean
}

export interface Inventory {
  /** When counting began, in epoch ms. */
  readonly at: number
  /** What DBSIZE said. */
  readonly total: number
  /** How many keys were looked at. */
  readonly seen: number
  readonly exact: boolean
  readonly classes: readonly ClassCount[]
  /** Rekindle's own keys, which belong to no class. */
  readonly own: number
}

/** Ten million keys are not walked: SCAN goes through the buckets in scattered order, so that its beginning is a fair sample. */
const LIMITS: CountLimits = { keys: 1_000_000, ms: 10_000 }
const SAMPLES = 100
/** Keys in one SCAN: a tenth of a ms of Redis' time. */
const STEP = 500
/** A round trip that takes longer, in ms, is followed by a pause as long: then Redis is busy with something else. */
const SLOW = 20
const LONGEST_PAUSE = 250
/** Commands about single keys in one round trip. */
const BATCH = 200

class Tally {
  keys = 0
  readonly sample: string[] = []
  private nameable = 0

  constructor(private readonly most: number) {}

  /** Counts a key; each that was ever counted is in the sample with the same chance. */
  add(key: string): void {
    this.keys++
    if (key.includes('\ufffd')) return
    this.nameable++
    if (this.sample.length < this.most) this.sample.push(key)
    else {
      const place = Math.floor(Math.random() * this.nameable)
      if (place < this.most) this.sample[place] = key
    }
  }
}

/** Counts the keys of each class in the wire's database, with bounded work. Rejects with the signal's reason, and with what SCAN answers. */
export async function countClasses(wire: Wire, classify: Classify, options: CountOptions = {}): Promise<Inventory> {
  const { signal, limits = LIMITS, samples = () => SAMPLES, onStranger, onStep } = options
  const at = Date.now()
  const total = Number(await ask(wire, 'DBSIZE'))
  const tallies = new Map<KeyClass | undefined, Tally>()
  let [seen, own] = [0, 0]
  let cursor = '0'
  do {
    signal?.throwIfAborted()
    const asked = performance.now()
    const [next, keys] = (await ask(wire, 'SCAN', cursor, 'COUNT', STEP)) as [string, string[]]
    const took = performance.now() - asked
    cursor = next
    seen += keys.length
    for (const key of keys) {
      if (isOurs(key)) {
        own++
        continue
      }
      const its = classify(key)
      if (!its) onStranger?.(key)
      const tally = tallies.get(its) ?? new Tally(samples(its))
      tallies.set(its, tally)
      tally.add(key)
    }
    onStep?.(total === 0 ? 1 : Math.min(1, seen / Math.min(total, limits.keys)), seen)
    if (took > SLOW) await delay(Math.min(took, LONGEST_PAUSE))
  } while (cursor !== '0' && seen < limits.keys && Date.now() - at < limits.ms)
  const exact = cursor === '0'
  const scale = (keys: number): number =>
    exact || seen === 0 ? keys : Math.round((keys * Math.max(total, seen)) / seen)
  const classes: ClassCount[] = []
  for (const [its, { keys, sample }] of tallies) {
    classes.push({ class: its, keys: scale(keys), exact, ...(await withExpiry(wire, sample)) })
  }
  return { at, total, seen, exact, classes, own: scale(own) }
}

/** The keys of an inventory that would not come back by themselves. */
export function stakeOf(classes: readonly ClassCount[]): KeysAtStake {
  const isAtStake = (its: ClassCount): boolean => its.class === undefined || its.class.recovery === 'backup'
  const sum = (some: readonly ClassCount[]): number => some.reduce((total, { keys }) => total + keys, 0)
  return {
    backup: sum(classes.filter((its) => its.class?.recovery === 'backup')),
    unclassified: sum(classes.filter((its) => its.class === undefined)),
    expiring: classes.filter(isAtStake).some(mayExpire),
  }
}

function mayExpire({ sample, expiryKnown }: ClassCount): boolean {
  return !expiryKnown || sample.some(({ expiresAt }) => expiresAt !== undefined)
}

/** Adds when keys expire, and leaves out those that are gone meanwhile. */
async function withExpiry(wire: Wire, names: readonly string[]): Promise<Pick<ClassCount, 'sample' | 'expiryKnown'>> {
  let expiryKnown = true
  const found: SampledKey[] = []
  for (let i = 0; i < names.length; i += BATCH) {
    const batch = names.slice(i, i + BATCH)
    const now = Date.now()
    const replies = await exchange(
      wire,
      batch.map((name) => encode('PTTL', name)),
    )
    batch.forEach((name, n) => {
      const left = replies[n]
      if (left === -2) return
      if (typeof left !== 'number') expiryKnown = false
      found.push(typeof left === 'number' && left >= 0 ? { name, expiresAt: now + left } : { name })
    })
  }
  return { sample: found, expiryKnown }
}

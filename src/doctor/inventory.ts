import { setTimeout as delay } from 'node:timers/promises'
import { steadyTime } from '../clock.js'
import { type Classify, isOurs } from '../decide/classes.js'
import { parseInfo } from '../decide/info.js'
import { type KeysAtStake, readKeyspace } from '../decide/risks-facts.js'
import type { KeyClass } from '../model.js'
import { ask, encode, exchange, type Wire } from '../redis/wire.js'
import { Tally } from './tally.js'

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
  /** Keys of the class, chosen evenly, and the same ones at each count. Those whose names are no UTF-8 are counted, but not named: we could not ask for them. */
  readonly sample: readonly SampledKey[]
  /** False where Redis would not say whether they have a time to live. */
  readonly expiryKnown: boolean
  /** Whether any of those that were asked has one: more are asked than named, where it matters. */
  readonly expiring: boolean
}

export interface Inventory {
  /** When counting began, in epoch ms. */
  readonly at: number
  /** What DBSIZE said. */
  readonly total: number
  /** How many keys were looked at. */
  readonly seen: number
  readonly exact: boolean
  /** How many keys have a time to live, by INFO; undefined where that is forbidden. */
  readonly expires: number | undefined
  readonly classes: readonly ClassCount[]
  /** Rekindle's own keys, which belong to no class. */
  readonly own: number
}

/** Ten million keys are not walked: SCAN goes through the buckets in scattered order, so that its beginning is a fair sample. */
const LIMITS: CountLimits = { keys: 1_000_000, ms: 10_000 }
const SAMPLES = 100
/** Keys of a class at stake that are asked whether they have a time to live: one in a thousand that has is likely found. */
const ASKED = 2_000
/** Keys in one SCAN: a tenth of a ms of Redis' time. */
const STEP = 500
/** A round trip that takes longer, in ms, is followed by a pause as long: then Redis is busy with something else. */
const SLOW = 20
const LONGEST_PAUSE = 250
/** Commands about single keys in one round trip. */
const BATCH = 200

/** Counts the keys of each class in the wire's database, with bounded work. Rejects with the signal's reason, and with what SCAN answers. */
export async function countClasses(wire: Wire, classify: Classify, options: CountOptions = {}): Promise<Inventory> {
  const { signal, limits = LIMITS, samples = () => SAMPLES, onStranger, onStep } = options
  const at = steadyTime()
  const total = Number(await ask(wire, 'DBSIZE'))
  const tallies = new Map<KeyClass | undefined, Tally>()
  const howMany = (its: KeyClass | undefined): number => {
    const named = samples(its)
    return named > 0 && isPrecious(its) ? Math.max(named, ASKED) : named
  }
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
      const tally = tallies.get(its) ?? new Tally(howMany(its))
      tallies.set(its, tally)
      tally.add(key)
    }
    onStep?.(total === 0 ? 1 : Math.min(1, seen / Math.min(total, limits.keys)), seen)
    if (took > SLOW) await delay(Math.min(took, LONGEST_PAUSE))
  } while (cursor !== '0' && seen < limits.keys && steadyTime() - at < limits.ms)
  const exact = cursor === '0'
  const scale = (keys: number): number =>
    exact || seen === 0 ? keys : Math.round((keys * Math.max(total, seen)) / seen)
  const expires = await countExpiring(wire)
  const classes: ClassCount[] = []
  for (const [its, { keys, sample }] of tallies) {
    const asked = expires === 0 ? sample.slice(0, samples(its)) : sample
    const known = await withExpiry(wire, asked)
    classes.push({ class: its, keys: scale(keys), exact, ...known, sample: known.sample.slice(0, samples(its)) })
  }
  return { at, total, seen, exact, expires, classes, own: scale(own) }
}

/** The keys of a class that would not come back by themselves; of no class: unknown is not safe. */
function isPrecious(its: KeyClass | undefined): boolean {
  return its === undefined || its.recovery === 'backup'
}

/**
 * The keys of an inventory that would not come back by themselves. `declared` are the classes of the configuration: the user says
 * that keys of these matter, though there may be none at the moment. Undefined: nothing was counted yet.
 */
export function stakeOf(
  counted: Pick<Inventory, 'classes' | 'exact' | 'expires' | 'own'> | undefined,
  declared: readonly KeyClass[] = [],
): KeysAtStake {
  const { classes = [], exact = false, expires, own = 0 } = counted ?? {}
  const sum = (some: readonly ClassCount[]): number => some.reduce((total, { keys }) => total + keys, 0)
  const present = new Set(classes.flatMap(({ class: its, keys }) => (its && keys > 0 ? [its.match] : [])))
  const precious = classes.filter((its) => isPrecious(its.class))
  // If all others had a time to live, and still more keys have one, some of these do.
  const certain = exact && expires !== undefined && expires > sum(classes) - sum(precious) + own
  const likely = precious.some(({ expiring, expiryKnown }) => expiring || !expiryKnown)
  return {
    backup: sum(classes.filter((its) => its.class?.recovery === 'backup')),
    unclassified: sum(classes.filter((its) => its.class === undefined)),
    expiring: expires !== 0 && (certain || likely),
    absent: declared.flatMap(({ match, recovery }) => (recovery === 'backup' && !present.has(match) ? [match] : [])),
  }
}

async function countExpiring(wire: Wire): Promise<number | undefined> {
  const [info] = await exchange(wire, [encode('INFO', 'keyspace')])
  if (typeof info !== 'string') return undefined
  return readKeyspace(parseInfo(info)).find(({ database }) => database === wire.database)?.expires ?? 0
}

/** Adds when keys expire, and leaves out those that are gone meanwhile. */
async function withExpiry(
  wire: Wire,
  names: readonly string[],
): Promise<Pick<ClassCount, 'sample' | 'expiryKnown' | 'expiring'>> {
  let expiryKnown = true
  const found: SampledKey[] = []
  for (let i = 0; i < names.length; i += BATCH) {
    const batch = names.slice(i, i + BATCH)
    const now = steadyTime()
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
  return { sample: found, expiryKnown, expiring: found.some(({ expiresAt }) => expiresAt !== undefined) }
}

import type { Lack } from '../model.js'

/** Positions in the wanted values that Redis lacks or holds differently; both ascending. */
export interface Difference {
  readonly missing: readonly number[]
  readonly differing: readonly number[]
  /** Times that only Redis holds. */
  readonly orphans: readonly string[]
}

/** What a number looks like; JavaScript takes '' for 0 and reads `0x10`, which readers of Redis do not. */
const DECIMAL = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i

/** True if both texts are the same number; `1.50` equals `1.5`, and an unreadable text equals nothing but itself. */
export function sameNumber(a: string, b: string): boolean {
  if (a === b) return true
  const number = Number(a)
  return number === Number(b) && Number.isFinite(number) && DECIMAL.test(a) && DECIMAL.test(b)
}

/** Compares two runs of samples, both ascending in time. `held` maps each time to its value's text. */
export function compareSamples(
  times: readonly string[],
  values: readonly string[],
  held: ReadonlyMap<string, string>,
): Difference {
  const missing: number[] = []
  const differing: number[] = []
  let matched = 0
  for (let i = 0; i < times.length; i++) {
    const value = held.get(times[i] as string)
    if (value === undefined) missing.push(i)
    else {
      matched++
      if (!sameNumber(value, values[i] as string)) differing.push(i)
    }
  }
  const known = matched === held.size ? undefined : new Set(times)
  const orphans = known ? [...held.keys()].filter((time) => !known.has(time)) : []
  return { missing, differing, orphans }
}

/** A difference as text: the times that are missing, and what stands where something else is wanted. */
export function pictureOf(
  { missing, differing }: Difference,
  times: readonly string[],
  wanted: readonly string[],
  held: (time: string) => string,
): string {
  const changes = differing.map((i) => `${times[i]}=${held(times[i] as string)}>${wanted[i]}`)
  return [...missing.map((i) => times[i]), ...changes].join(' ')
}

/** The values that differ, by time: what stands there and what is wanted. */
export function differingPairs(
  { differing }: Difference,
  times: readonly string[],
  wanted: readonly string[],
  held: (time: string) => string,
): ReadonlyMap<string, string> {
  return new Map(differing.map((i) => [times[i] as string, `${held(times[i] as string)}>${wanted[i]}`]))
}

/** Names what `difference` amounts to for a key that is wanted to hold `size` values in order of time. */
export function kindOfLack(difference: Difference, size: number): Lack['kind'] | undefined {
  const { missing, differing } = difference
  if (missing.length === size && size > 0) return 'missing'
  if (missing.length > 0) return missing[0] === size - missing.length ? 'stale_tail' : 'hole'
  return differing.length > 0 ? 'differs' : undefined
}

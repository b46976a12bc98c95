/** Durations as people write them. */

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** A timer of Node holds at most 2^31 - 1 ms (24.8 days); a longer one would fire at once, again and again. */
const LONGEST_DAYS = 24
const SHOULD = 'it should be a whole number with ms, s, m, h or d, such as 250ms, 1s or 5m'

/**
 * Milliseconds of `250ms`, `1s`, `5m`, `2h` or `7d`, at least `least` ms and at most 24 days.
 * @throws RangeError whose message goes after the value: `<what is wrong>; <what it should be>`.
 */
export function parseDuration(value: unknown, least = 1): number {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  const [, digits, unit] = /^(\d+)(ms|s|m|h|d)?$/.exec(text) ?? []
  if (digits === undefined) throw new RangeError(`is not a duration; ${SHOULD}`)
  if (unit === undefined) throw new RangeError(`has no unit; it should be ${digits}ms or ${digits}s, say`)
  const ms = Number(digits) * (UNITS[unit] ?? 0)
  if (ms < least) throw new RangeError(`is too short; it should be at least ${least}ms`)
  if (ms > LONGEST_DAYS * 86_400_000) throw new RangeError(`is too long; it should be at most ${LONGEST_DAYS}d`)
  return ms
}

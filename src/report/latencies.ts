/** How long changes took to reach Redis, over the last hour, in constant memory: a histogram for every ten seconds. */

/** The time that one span covers, in ms, and how many spans are kept. */
export const SPAN = 10_000
export const SPANS = 360

/** Upper bounds in ms; what is longer lies beyond the last. */
const BOUNDS: readonly number[] = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000,
]

export interface Span {
  /** When it began, in epoch ms. */
  readonly at: number
  count: number
  max: number
  /** How many took as long as each bound at most, and longer than the one before. */
  readonly counts: Uint32Array
}

/** Takes in one latency of `ms`, noticed at `at`; forgets what is older than an hour. */
export function addLatency(spans: Span[], at: number, ms: number): void {
  const begin = Math.floor(at / SPAN) * SPAN
  let span = spans.at(-1)
  // A clock that was set back must not make spans overlap.
  if (!span || span.at < begin) {
    span = { at: begin, count: 0, max: 0, counts: new Uint32Array(BOUNDS.length + 1) }
    spans.push(span)
    while ((spans[0]?.at ?? begin) <= begin - SPAN * SPANS) spans.shift()
  }
  const place = BOUNDS.findIndex((bound) => ms <= bound)
  const bucket = place < 0 ? BOUNDS.length : place
  span.counts[bucket] = (span.counts[bucket] ?? 0) + 1
  span.count++
  span.max = Math.max(span.max, ms)
}

/** The latency in ms that the share `q` of all in these spans did not exceed, as far as the bounds tell; undefined if there were none. */
export function quantile(spans: readonly Span[], q: number): number | undefined {
  const total = spans.reduce((sum, { count }) => sum + count, 0)
  if (total === 0) return undefined
  const max = Math.max(...spans.map((span) => span.max))
  const wanted = q * total
  let below = 0
  for (let i = 0; i <= BOUNDS.length; i++) {
    const here = spans.reduce((sum, { counts }) => sum + (counts[i] ?? 0), 0)
    if (here === 0 || below + here < wanted) {
      below += here
      continue
    }
    const [low, high] = [BOUNDS[i - 1] ?? 0, Math.min(BOUNDS[i] ?? max, max)]
    return Math.max(0, low + ((high - low) * (wanted - below)) / here)
  }
  return max
}

/** How often what nobody announces is looked at. */

/** Looks that go on side by side may together keep PostgreSQL busy for one part in this many of the time. */
const SHARE = 20

/**
 * How long to wait before the next poll, in ms: `poll`, or as long as it takes for this look, one of `loops` that go on side by side, to
 * have its share of the time only. At most twice as long as the last time: one slow look, as while everything is restored, says little.
 */
export function nextWait(last: number, took: number, { poll, loops }: { poll: number; loops: number }): number {
  return Math.min(2 * Math.max(last, poll), Math.max(poll, SHARE * loops * took))
}

/** The next of 1, 2, 5, 10, 20, … ms: what is told of a pace should not change with every jitter. */
export function coarse(ms: number): number {
  const unit = 10 ** Math.floor(Math.log10(ms))
  return (ms <= unit ? 1 : ms <= 2 * unit ? 2 : ms <= 5 * unit ? 5 : 10) * unit
}

/** The middle of some numbers, in any order; NaN of none. */
export function median(numbers: readonly number[]): number {
  return percentile(numbers, 50)
}

/** The smallest of some numbers that is not exceeded by `percent` of them; NaN of none. */
export function percentile(numbers: readonly number[], percent: number): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

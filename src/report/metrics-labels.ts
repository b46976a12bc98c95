/** Labels of few values, whatever the names of datasets and findings. */

/** `candles.m1`, `candles.m1 in part` -> `candles`. */
export function datasetKind(dataset: string): 'candles' | 'indicators' | 'rows' | 'other' {
  const kind = dataset.split(/[. ]/, 1)[0]
  return kind === 'candles' || kind === 'indicators' || kind === 'rows' ? kind : 'other'
}

/** True for what a code of ours looks like. */
export function isName(code: string): boolean {
  return /^[a-z][a-z\d_]{0,39}$/.test(code)
}

/** `value` if it is one of these, else `other`. */
export function oneOf(value: string, known: readonly string[]): string {
  return known.includes(value) ? value : 'other'
}

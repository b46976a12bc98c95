/** Two templates must never give one key, nor a key of Rekindle's own. */

import { canMeet } from './patterns.js'
import { dotted } from './problem.js'
import type { RowsConfig } from './rows.js'
import type { CandlesConfig, Column, IndicatorsConfig } from './schema.js'
import { renderKey } from './template.js'

interface Datasets {
  candles: CandlesConfig | false
  indicators: IndicatorsConfig | false
  rows: Record<string, RowsConfig>
}

interface KeyUse {
  path: string[]
  template: string
  timeframe: string
}

export interface Clash {
  path: string[]
  template: string
  /** `<what is wrong>; <what it should be>` */
  problem: string
}

const OURS = 'rekindle:'

/** Every clash, once for each of its two templates, so that the one that the file holds can be named. */
export function findClashes(datasets: Datasets): Clash[] {
  const clashes: Clash[] = []
  const owners = new Map<string, KeyUse>()
  for (const use of keyUses(datasets)) {
    // {symbol} stays: the same symbol on both sides is what makes a clash
    const key = renderKey(use.template, { symbol: '{symbol}', timeframe: use.timeframe })
    if (key.startsWith(OURS)) {
      clashes.push({ ...use, problem: `gives keys in Rekindle's own space; it should not begin with ${OURS}` })
    }
    const owner = owners.get(key)
    if (owner) clashes.push(...clashesOf(owner, use))
    else owners.set(key, use)
  }
  return [...clashes, ...rowClashes(datasets.rows, owners)]
}

/**
 * Rows clash with whatever can give the same key although no value holds a colon. What values with colons could do, nobody can know
 * here: that is found when they are read.
 */
function rowClashes(rows: Datasets['rows'], others: ReadonlyMap<string, KeyUse>): Clash[] {
  const clashes: Clash[] = []
  const known = new Map(others)
  for (const [name, { key: template }] of Object.entries(rows)) {
    const use: KeyUse = { path: ['rows', name, 'key'], template, timeframe: '' }
    const met = [...known].find(([key]) => canMeet(key, template))
    if (met) clashes.push(...clashesOf(met[1], use))
    else known.set(template, use)
  }
  return clashes
}

function clashesOf(a: KeyUse, b: KeyUse): Clash[] {
  if (a.path === b.path) {
    const problem = `gives one key for the timeframes ${a.timeframe} and ${b.timeframe}; it should hold {timeframe}`
    return [{ ...a, problem }]
  }
  const sameAs = (other: KeyUse) => `gives the same key as ${dotted(other.path)}; it should give keys of its own`
  return [
    { ...a, problem: sameAs(b) },
    { ...b, problem: sameAs(a) },
  ]
}

function* keyUses({ candles, indicators }: Datasets): Generator<KeyUse> {
  const timeframes = candles ? Object.keys(candles.timeframes) : []
  if (candles) {
    const columns: Column[] = candles.layout === 'sortedset' ? ['close'] : ['close', 'open', 'high', 'low', 'volume']
    for (const column of columns) {
      const path = ['candles', 'keys', column]
      for (const timeframe of timeframes) yield { path, template: candles.keys[column], timeframe }
    }
  }
  if (indicators) {
    const path = ['indicators', 'key']
    // Without candles the timeframes are not known here; one stands for all, as the template must hold {timeframe}.
    for (const timeframe of candles ? timeframes : ['m1']) yield { path, template: indicators.key, timeframe }
  }
}

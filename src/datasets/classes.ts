import type { Config } from '../config/schema.js'
import { templateClass } from '../decide/classes.js'
import type { KeyClass } from '../model.js'

/** Every class of keys in the order in which they count: those of the datasets, then the user's. */
export function classesOf({ candles, indicators, rows, keys }: Config): KeyClass[] {
  const candleKeys = candles ? Object.values(candles.layout === 'sortedset' ? [candles.keys.close] : candles.keys) : []
  const templates = [
    ...candleKeys,
    ...(indicators ? [indicators.key] : []),
    ...Object.values(rows).map(({ key }) => key),
  ]
  return [...templates.map(templateClass), ...keys]
}

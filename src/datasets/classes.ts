import type { Config } from '../config/schema.js'
import { ranked, templateClass } from '../decide/classes.js'
import type { KeyClass } from '../model.js'

/** Every class of keys in the order in which they count. */
export function classesOf({ candles, indicators, rows, keys }: Config): KeyClass[] {
  const candleKeys = candles ? Object.values(candles.layout === 'sortedset' ? [candles.keys.close] : candles.keys) : []
  const templates = [
    ...candleKeys,
    ...(indicators ? [indicators.key] : []),
    ...Object.values(rows).map(({ key }) => key),
  ]
  return ranked(keys, templates.map(templateClass))
}

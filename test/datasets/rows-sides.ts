import { configSchema } from '../../src/config/schema.js'
import type { Dataset } from '../../src/datasets/dataset.js'
import { datasetsOf } from '../../src/datasets/index.js'

/** The dataset `rows.x`, and the lane of its own. */
export function rowsOf(more: object): Dataset {
  const [dataset] = datasetsOf(configSchema.parse({ candles: false, indicators: false, rows: { x: more } }))
  return dataset as Dataset
}

export const LANE = ['rows.x']

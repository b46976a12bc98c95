import type { Config } from '../config/schema.js'
import type { Dataset } from './dataset.js'
import { indicatorsDataset } from './indicators.js'
import { keptApart } from './owners.js'
import { rowsDataset } from './rows.js'
import { seriesDataset } from './series.js'
import { sortedSetDataset } from './sortedset.js'

/**
 * The datasets that the configuration asks for, in the order in which they heal: the first timeframe, the indicators and the rows
 * before the longer timeframes, since a worker can trade on those while the rest comes.
 */
export function datasetsOf({ candles, indicators, rows }: Config): Dataset[] {
  const datasets: Dataset[] = []
  if (candles) {
    const candleDataset = candles.layout === 'timeseries' ? seriesDataset : sortedSetDataset
    Object.keys(candles.timeframes).forEach((timeframe, i) => {
      datasets.push(candleDataset(candles, timeframe, i === 0 ? 0 : i + 1))
    })
  }
  if (indicators) datasets.push(indicatorsDataset(indicators, 1))
  for (const [name, config] of Object.entries(rows)) datasets.push(rowsDataset(name, config, 1))
  return keptApart(datasets.sort((a, b) => a.rank - b.rank))
}

import { LiveValues } from '../decide/live-values.js'
import type { Dataset } from './dataset.js'

/** What all keys of a dataset begin with, one for each template; undefined where a template begins with a placeholder. */
export function prefixesOf({ keys }: Pick<Dataset, 'keys'>): string[] | undefined {
  const prefixes = keys.map((template) => template.slice(0, Math.max(0, template.indexOf('{'))))
  return prefixes.includes('') ? undefined : prefixes
}

/** What is known of the live writers of some datasets: nothing yet. `settle` in ms. */
export function liveValuesOf(datasets: readonly Dataset[], settle: number): LiveValues {
  return new LiveValues({
    settle,
    writers: new Map(datasets.map(({ name, writers }) => [name, writers])),
    untold: new Set(datasets.flatMap((dataset) => (prefixesOf(dataset) ? [] : [dataset.name]))),
  })
}

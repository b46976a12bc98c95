import { allKeys, plainKeys } from '../config/patterns.js'
import { Trouble } from '../errors.js'
import type { Dataset, Reading, ReadOptions, Wanted } from './dataset.js'

/** A dataset by its place in the order of healing, and the symbol for which it wants a key. */
interface Claim {
  readonly place: number
  readonly symbol: string
}

/**
 * The same datasets, of which no two want one key, or they would write it by turns. A key belongs to the dataset whose template gives
 * it from values without a colon; the configuration sees to it that there is one at most. Where values with colons make one key of
 * two templates, it is the first dataset's that wants it. The other leaves it alone, and has a defect that names it.
 */
export function keptApart(datasets: readonly Dataset[]): Dataset[] {
  const owners = new Owners(datasets)
  return datasets.map((dataset, place) => {
    const ceded = new Map<string, Map<string, string>>()
    return {
      ...dataset,
      async read(db, symbols, options) {
        const reading = await dataset.read(db, symbols, options)
        return cede(reading, { symbols, options, ceded, ownerOf: owners.judge(place, symbols, reading, options) })
      },
    }
  })
}

class Owners {
  private readonly templates: readonly { readonly plain: readonly RegExp[]; readonly all: readonly RegExp[] }[]
  /** Of keys that more than one template gives, and none from values without a colon. */
  private readonly claims = new Map<string, Claim>()

  constructor(private readonly datasets: readonly Dataset[]) {
    this.templates = datasets.map(({ keys }) => ({ plain: keys.map(plainKeys), all: keys.map(allKeys) }))
  }

  /** Tells which other dataset a key that was read belongs to, if any; what a full look does not want any more is free again. */
  judge(place: number, symbols: readonly string[], { wanted }: Reading<Wanted>, { parts }: ReadOptions) {
    if (!parts && this.claims.size > 0) {
      const [asked, keys] = [new Set(symbols), new Set(wanted.map(({ key }) => key))]
      for (const [key, claim] of this.claims)
        if (claim.place === place && asked.has(claim.symbol) && !keys.has(key)) this.claims.delete(key)
    }
    return ({ key, symbol }: Wanted): string | undefined => {
      const owner = this.placeOf(key, { place, symbol })
      return owner === place ? undefined : this.datasets[owner]?.name
    }
  }

  private placeOf(key: string, claim: Claim): number {
    const { place } = claim
    const gives = (kind: 'plain' | 'all') => (each: (typeof this.templates)[number]) =>
      each[kind].some((keys) => keys.test(key))
    if (this.templates.slice(place, place + 1).some(gives('plain'))) return place
    const plain = this.templates.findIndex(gives('plain'))
    if (plain >= 0) return plain
    if (this.templates.filter(gives('all')).length < 2) return place
    const first = this.claims.get(key)?.place ?? place
    if (first < place) return first
    this.claims.set(key, claim)
    return place
  }
}

interface Ceding {
  readonly symbols: readonly string[]
  readonly options: ReadOptions
  /** Symbol -> key -> the dataset that it belongs to, as of the last full look and what was seen since then. */
  readonly ceded: Map<string, Map<string, string>>
  ownerOf(wanted: Wanted): string | undefined
}

function cede(reading: Reading<Wanted>, { symbols, options, ceded, ownerOf }: Ceding): Reading<Wanted> {
  if (!options.parts) for (const symbol of symbols) ceded.delete(symbol)
  const gone: string[] = []
  const wanted = reading.wanted.filter((item) => {
    const owner = ownerOf(item)
    if (owner === undefined) return true
    const its = ceded.get(item.symbol) ?? new Map<string, string>()
    ceded.set(item.symbol, its.set(item.key, owner))
    gone.push(item.key)
    return false
  })
  const defect = reading.defect ?? defectOf([...ceded.values()].flatMap((its) => [...its]))
  if (gone.length === 0) return defect ? { ...reading, defect } : reading
  return { ...reading, wanted, unwanted: [...(reading.unwanted ?? []), ...gone], ...(defect && { defect }) }
}

function defectOf(keys: readonly (readonly [key: string, owner: string])[]): Trouble | undefined {
  const [first] = keys
  if (!first) return undefined
  const [key, owner] = first
  const what = keys.length === 1 ? `the key ${key} belongs` : `${keys.length} keys belong, ${key} for one,`
  return new Trouble(
    'postgres_schema',
    `${what} to ${owner}, whose template gives it as well; left alone`,
    'give one of the two another key template, or leave such rows out by a query',
    false,
  )
}

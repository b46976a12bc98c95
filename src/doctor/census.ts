import type { Classify } from '../decide/classes.js'
import { encode, exchange, isErrorReply, type Wire } from '../redis/wire.js'
import { allowed, type Unchecked } from './facts.js'
import { type ClassCount, type CountOptions, countClasses, type Inventory, type SampledKey } from './inventory.js'
import { type Shape, Shapes } from './shapes.js'

export interface SizedClass extends ClassCount {
  /** What they take in memory, as far as the sample tells; undefined where Redis does not say. */
  readonly bytes: number | undefined
  /** True where every key was weighed. */
  readonly bytesExact: boolean
}

export interface Census extends Omit<Inventory, 'classes'> {
  readonly classes: readonly SizedClass[]
  /** The commonest shapes of keys of no class. */
  readonly shapes: readonly Shape[]
  readonly unchecked: readonly Unchecked[]
}

const NO_EXPIRY: Unchecked = {
  what: 'which keys have a time to live',
  why: 'the user of redis.url may not ask for it',
  grant: '+pttl ~*',
}
/** Keys that are weighed in one round trip, and elements of each that MEMORY USAGE looks at. */
const BATCH = 50
const ELEMENTS = 5
/** What counting and weighing need. */
const RULES = '+dbsize +scan +pttl +memory|usage ~*'
/** How many shapes are told. */
const SHAPES = 8

/** Counts and weighs the keys of each class; see {@link countClasses}. Where SCAN is forbidden, says so. */
export async function takeCensus(
  wire: Wire,
  classify: Classify,
  options: Omit<CountOptions, 'onStranger'> = {},
): Promise<Census | Unchecked> {
  const shapes = new Shapes()
  try {
    const inventory = await countClasses(wire, classify, { ...options, onStranger: (key) => shapes.add(key) })
    const classes: SizedClass[] = []
    const unchecked: Unchecked[] = []
    for (const each of inventory.classes) {
      const { mean, refused } = await weigh(wire, each.sample)
      if (refused && unchecked.length === 0) unchecked.push(refused)
      classes.push({
        ...each,
        bytes: mean === undefined ? undefined : Math.round(mean * each.keys),
        bytesExact: each.exact && each.sample.length === each.keys,
      })
    }
    if (classes.some(({ expiryKnown }) => !expiryKnown)) unchecked.push(NO_EXPIRY)
    if (!inventory.exact) unchecked.push(inPart(inventory))
    return { ...inventory, classes, shapes: shapes.commonest(SHAPES), unchecked }
  } catch (error) {
    let refused: Unchecked | undefined
    if (isErrorReply(error)) {
      allowed(error, RULES, (why, grant) => {
        refused = { what: 'which keys there are', why, grant }
      })
    }
    if (refused) return refused
    throw error
  }
}

function inPart({ seen, total }: Inventory): Unchecked {
  const [some, all] = [seen, total].map((keys) => keys.toLocaleString('en-US'))
  return {
    what: 'classes of few keys',
    why: `only ${some} of ${all} keys were looked at: rare ones may be missed`,
    grant: '',
  }
}

/** The mean size of some keys in bytes; undefined if none could be weighed. */
async function weigh(
  wire: Wire,
  sample: readonly SampledKey[],
): Promise<{ mean: number | undefined; refused: Unchecked | undefined }> {
  let [sum, weighed] = [0, 0]
  let refused: Unchecked | undefined
  for (let i = 0; i < sample.length; i += BATCH) {
    const replies = await exchange(
      wire,
      sample.slice(i, i + BATCH).map(({ name }) => encode('MEMORY', 'USAGE', name, 'SAMPLES', ELEMENTS)),
    )
    for (const reply of replies) {
      const bytes = allowed(reply, '+memory|usage ~*', (why, grant) => {
        refused = { what: 'the size of keys', why, grant }
      })
      if (typeof bytes !== 'number') continue
      sum += bytes
      weighed++
    }
    if (refused) break
  }
  return { mean: weighed > 0 ? sum / weighed : undefined, refused }
}

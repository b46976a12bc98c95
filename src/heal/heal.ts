import type { Dataset, Finding, MayReplace, Reading, Wanted } from '../datasets/dataset.js'
import type { KeyLook, LiveValues } from '../decide/live-values.js'
import { Trouble } from '../errors.js'
import { addTallies, type Lack, NOTHING, type Tally } from '../model.js'
import type { Database } from '../postgres/database.js'
import { redisTime } from '../redis/time.js'
import type { Wire } from '../redis/wire.js'

/** The two sides of every look and every heal, and the signal that ends it. */
export interface Sides {
  readonly db: Database
  readonly redis: Wire
  readonly live: LiveWriters
  readonly signal: AbortSignal
}

/** What is known of those who write to Redis beside us. */
export interface LiveWriters {
  readonly values: LiveValues
  /** Resolves when `values` has been told of every write that a reply received until now can show. */
  caughtUp(): Promise<void>
}

export interface Scope {
  readonly symbols: readonly string[]
  readonly parts: ReadonlySet<string> | undefined
  readonly thorough: boolean
  /** True if changes that were announced are the only reason. */
  readonly following?: boolean
}

export interface HealScope extends Scope {
  /** Keys that were lost whole: what is found there was written by a live worker since then, and stays. */
  readonly gone?: ReadonlySet<string>
}

/** What a look at some symbols of one dataset found, key by key. */
export interface Examination extends Omit<Reading<Wanted>, 'wanted'> {
  readonly findings: readonly Finding<Wanted>[]
}

export interface Healed extends Examination {
  readonly tally: Tally
  /** Keys that hold values which differ and were left alone, since a live worker may have written them. */
  readonly held: readonly Pick<Wanted, 'symbol' | 'key'>[]
}

/** How often a heal looks again before it gives up for now. */
const PASSES = 3
/** Keys compared, and healed, in one go: what is known of their values is let go before the next. */
const SLICE = 5_000

/** Reads what PostgreSQL wants and compares Redis with it; writes nothing. */
export async function examine(dataset: Dataset, sides: Sides, scope: Scope): Promise<Examination> {
  const { wanted, ...rest } = await read(dataset, sides, scope)
  sides.signal.throwIfAborted()
  const findings: Finding<Wanted>[] = []
  for (let i = 0; i < wanted.length; i += SLICE)
    for (const finding of await look(dataset, sides, wanted.slice(i, i + SLICE), scope.thorough))
      findings.push(bare(finding))
  return { ...rest, findings }
}

function read(dataset: Dataset, { db, redis }: Sides, { symbols, ...scope }: Scope): Promise<Reading<Wanted>> {
  return dataset.read(db, symbols, { ...scope, time: () => redisTime(redis) })
}

/** Compares Redis with what is wanted, and takes note of what a live worker may have written. */
async function look(
  dataset: Dataset,
  { redis, live, signal }: Pick<Sides, 'redis' | 'live' | 'signal'>,
  wanted: readonly Wanted[],
  thorough: boolean,
): Promise<Finding<Wanted>[]> {
  const began = live.values.now()
  const findings = await dataset.compare(redis, wanted, thorough)
  // Whoever wrote what differs must be known before it is judged.
  if (findings.some(({ differing }) => differing && differing.size > 0)) await live.caughtUp()
  signal.throwIfAborted()
  live.values.looked(dataset.name, findings.map(keyLook), began)
  return findings
}

const NO_VALUES: ReadonlyMap<string, string> = new Map()

function keyLook({ wanted: { symbol, key }, lack, differing = NO_VALUES, forming }: Finding<Wanted>): KeyLook {
  return { symbol, key, isWhole: lack === undefined, differing, forming }
}

/**
 * Makes some symbols of one dataset whole: looks, writes what is lacking, and looks again until nothing is. The findings are those
 * of the first look. What differs is replaced once, where {@link LiveValues} allows it; if it differs again afterwards, a live writer
 * was there, and its value stands.
 */
export async function heal(dataset: Dataset, sides: Sides, scope: HealScope): Promise<Healed> {
  const { wanted, ...rest } = await read(dataset, sides, scope)
  sides.signal.throwIfAborted()
  const findings: Finding<Wanted>[] = []
  const held: Pick<Wanted, 'symbol' | 'key'>[] = []
  let tally: Tally = { ...NOTHING, leftOut: sum(rest.leftOut.values()) }
  for (let i = 0; i < wanted.length; i += SLICE) {
    const slice = await healSlice(dataset, sides, scope, wanted.slice(i, i + SLICE))
    tally = addTallies(tally, slice.tally)
    for (const finding of slice.findings) findings.push(bare(finding))
    held.push(...slice.held)
  }
  return { ...rest, findings, tally, held }
}

/** What a look found, without the values that are wanted. */
function bare({ wanted: { symbol, key, expires }, lack, orphans }: Finding<Wanted>): Finding<Wanted> {
  return { wanted: expires === undefined ? { symbol, key } : { symbol, key, expires }, lack, orphans }
}

async function healSlice(
  dataset: Dataset,
  sides: Sides,
  scope: HealScope,
  wanted: readonly Wanted[],
): Promise<Pick<Healed, 'findings' | 'tally' | 'held'>> {
  const { values } = sides.live
  const findings = await look(dataset, sides, wanted, scope.thorough)
  // What stands where a key was lost whole, a live worker has written since.
  const stands = ({ wanted }: Finding<Wanted>): boolean => scope.gone?.has(wanted.key) ?? false
  const replaceable: MayReplace = (finding, position) =>
    !stands(finding) && values.mayReplace(dataset.name, keyLook(finding), position)
  const isHeld = (finding: Finding<Wanted>): boolean =>
    !stands(finding) && someDiffer(finding, (position) => !replaceable(finding, position))
  const held = findings.filter(isHeld).map(({ wanted: { symbol, key } }) => ({ symbol, key }))
  let tally = NOTHING
  let lacking = findings.filter(
    (finding) => lacks(finding) || someDiffer(finding, (position) => replaceable(finding, position)),
  )
  for (let pass = 1; lacking.length > 0; pass++) {
    if (pass > PASSES) throw stillLacking(lacking.flatMap(({ lack }) => lack ?? []))
    const written = await write(dataset, sides, lacking, pass === 1 ? replaceable : NEVER)
    tally = addTallies(tally, pass === 1 ? written : { ...written, keys: 0 })
    const again = await look(
      dataset,
      sides,
      lacking.map(({ wanted }) => wanted),
      scope.thorough,
    )
    lacking = again.filter(lacks)
  }
  return { findings, tally, held }
}

const NEVER: MayReplace = () => false

function lacks({ lack }: Finding<Wanted>): boolean {
  return lack !== undefined && lack.missing > 0
}

function someDiffer({ differing }: Finding<Wanted>, test: (position: string) => boolean): boolean {
  return differing !== undefined && [...differing.keys()].some(test)
}

/** Writes, and waits until we have been told of our own writes, so that they are not taken for those of others. */
async function write(
  dataset: Dataset,
  { redis, live, signal }: Sides,
  findings: readonly Finding<Wanted>[],
  mayReplace: MayReplace,
): Promise<Tally> {
  const keys = findings.map(({ wanted }) => wanted.key)
  const written = live.values.writing(keys)
  try {
    const tally = await dataset.write(redis, findings, mayReplace)
    await live.caughtUp()
    written()
    // Somebody was faster with some of them.
    if (tally.superseded > 0) live.values.wrote(keys)
    return tally
  } catch (error) {
    written()
    throw error
  } finally {
    signal.throwIfAborted()
  }
}

function stillLacking(lacks: readonly Lack[]): Trouble {
  const [first] = lacks
  return new Trouble(
    'not_whole',
    `${lacks.length} keys still lack values after ${PASSES} attempts, ${first?.key} for one: ${first?.kind}, ${first?.missing} missing`,
    'something else removes or evicts them: look at maxmemory-policy and at what other clients do',
    true,
  )
}

function sum(numbers: Iterable<number>): number {
  let total = 0
  for (const number of numbers) total += number
  return total
}

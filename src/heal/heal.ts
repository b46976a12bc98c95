import type { Dataset, Finding, Reading, Wanted } from '../datasets/dataset.js'
import { Trouble } from '../errors.js'
import { addTallies, type Lack, NOTHING, type Tally } from '../model.js'
import type { Database } from '../postgres/database.js'
import type { Wire } from '../redis/wire.js'

/** The two sides of every look and every heal, and the signal that ends it. */
export interface Sides {
  readonly db: Database
  readonly redis: Wire
  readonly signal: AbortSignal
}

export interface Scope {
  readonly symbols: readonly string[]
  readonly parts: ReadonlySet<string> | undefined
  readonly thorough: boolean
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
}

/** How often a heal looks again before it gives up for now. */
const PASSES = 3
/** Keys compared, and healed, in one go: what is known of their values is let go before the next. */
const SLICE = 5_000

/** Reads what PostgreSQL wants and compares Redis with it; writes nothing. */
export async function examine(dataset: Dataset, { db, redis, signal }: Sides, scope: Scope): Promise<Examination> {
  const { wanted, ...rest } = await dataset.read(db, scope.symbols, scope)
  signal.throwIfAborted()
  const findings: Finding<Wanted>[] = []
  for (let i = 0; i < wanted.length; i += SLICE) {
    for (const finding of await dataset.compare(redis, wanted.slice(i, i + SLICE), scope.thorough))
      findings.push(bare(finding))
    signal.throwIfAborted()
  }
  return { ...rest, findings }
}

/**
 * Makes some symbols of one dataset whole: looks, writes what is lacking, and looks again until nothing is. The findings are those
 * of the first look. What differs is replaced once; if it differs again afterwards, a live writer was there, and its value stands.
 */
export async function heal(dataset: Dataset, sides: Sides, scope: HealScope): Promise<Healed> {
  const { wanted, ...rest } = await dataset.read(sides.db, scope.symbols, scope)
  sides.signal.throwIfAborted()
  const findings: Finding<Wanted>[] = []
  let tally: Tally = { ...NOTHING, leftOut: sum(rest.leftOut.values()) }
  for (let i = 0; i < wanted.length; i += SLICE) {
    const slice = await healSlice(dataset, sides, scope, wanted.slice(i, i + SLICE))
    tally = addTallies(tally, slice.tally)
    for (const finding of slice.findings) findings.push(bare(finding))
  }
  return { ...rest, findings, tally }
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
): Promise<{ readonly findings: readonly Finding<Wanted>[]; readonly tally: Tally }> {
  const look = async (wanted: readonly Wanted[]): Promise<Finding<Wanted>[]> => {
    const findings = await dataset.compare(sides.redis, wanted, scope.thorough)
    sides.signal.throwIfAborted()
    return findings
  }
  const findings = await look(wanted)
  let tally = NOTHING
  const stands = ({ wanted }: Finding<Wanted>): boolean => scope.gone?.has(wanted.key) ?? false
  let lacking = findings.filter((finding) => finding.lack && (finding.lack.missing > 0 || !stands(finding)))
  for (let pass = 1; lacking.length > 0; pass++) {
    if (pass > PASSES) throw stillLacking(lacking.flatMap(({ lack }) => lack ?? []))
    for (const replace of [true, false]) {
      const its = lacking.filter((finding) => replace === (pass === 1 && !stands(finding)))
      if (its.length === 0) continue
      const written = await dataset.write(sides.redis, its, replace)
      tally = addTallies(tally, pass === 1 ? written : { ...written, keys: 0 })
      sides.signal.throwIfAborted()
    }
    const again = await look(lacking.map(({ wanted }) => wanted))
    lacking = again.filter(({ lack }) => lack !== undefined && lack.missing > 0)
  }
  return { findings, tally }
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

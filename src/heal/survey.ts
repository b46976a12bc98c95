import type { Dataset } from '../datasets/dataset.js'
import { lostKeys } from '../detect/presence.js'
import { Trouble } from '../errors.js'
import type { Holdings } from '../holdings.js'
import type { Lack, Suspicion } from '../model.js'
import { readEpoch } from '../redis/marks.js'
import type { Wire } from '../redis/wire.js'
import { examine, type Sides } from './heal.js'

/** One dataset of one symbol that a look found whole, and the keys that hold it. */
export interface Clean {
  readonly symbol: string
  readonly dataset: string
  readonly keys: readonly string[]
}

export interface Unseen {
  readonly symbol: string
  readonly dataset: string
  readonly trouble: Trouble
}

export interface Survey {
  readonly lacks: readonly Lack[]
  readonly clean: readonly Clean[]
  /** What could not be compared, and the trouble that stood in the way. */
  readonly unseen: readonly Unseen[]
}

export interface SurveyContext {
  readonly datasets: readonly Dataset[]
  readonly holdings: Holdings
  /** Every enabled symbol. */
  readonly symbols: readonly string[]
  readonly sides: Sides
  /** The connection for short commands. */
  readonly probe: Wire
}

/** Symbols compared in one step, and steps under way at once. */
const BATCH = 16
const CONCURRENCY = 3

/**
 * Confirms or dismisses a suspicion. Keys that stood and are gone are found in Redis alone, in milliseconds and with PostgreSQL away;
 * what is still there is compared with PostgreSQL where the signal gives reason to.
 */
export async function survey(suspicion: Suspicion, context: SurveyContext): Promise<Survey> {
  const { holdings, symbols, probe } = context
  if (suspicion.scope !== 'all') {
    const scope = suspicion.scope
    return compareSymbols(
      symbols.filter((symbol) => scope.has(symbol)),
      context,
    )
  }
  const lost = await lostKeys(probe, holdings)
  const lacks = [...lost].flatMap(([symbol, keys]) => keys.flatMap((key) => lostLack(symbol, key, holdings)))
  const rest = symbols.filter((symbol) => !lost.has(symbol))
  // Another database's FLUSHDB sends the same signal; then the epoch still stands.
  const dismissed = onlyFlush(suspicion) && lacks.length === 0 && (await readEpoch(probe)) !== null
  if (dismissed || rest.length === 0) return { lacks, clean: [], unseen: [] }
  const compared = await compareSymbols(rest, context)
  return { ...compared, lacks: [...lacks, ...compared.lacks] }
}

function onlyFlush({ signals }: Suspicion): boolean {
  return signals.size === 1 && signals.has('flush')
}

function lostLack(symbol: string, key: string, holdings: Holdings): Lack[] {
  const dataset = holdings.ownerOf(key)?.dataset
  return dataset === undefined ? [] : [{ symbol, dataset, key, kind: 'missing', missing: 0, differing: 0 }]
}

/**
 * Compares every dataset of some symbols with PostgreSQL, a few symbols at a time. A missing table or server hides only what it holds.
 * Rejects if Redis fails.
 */
export async function compareSymbols(
  symbols: readonly string[],
  { datasets, sides }: Pick<SurveyContext, 'datasets' | 'sides'>,
  thorough = false,
): Promise<Survey> {
  const steps: { dataset: Dataset; symbols: readonly string[] }[] = []
  for (let i = 0; i < symbols.length; i += BATCH) {
    for (const dataset of datasets) steps.push({ dataset, symbols: symbols.slice(i, i + BATCH) })
  }
  const surveys: Survey[] = []
  const work = async (): Promise<void> => {
    for (let step = steps.pop(); step; step = steps.pop()) {
      surveys.push(await compareStep(step.dataset, step.symbols, sides, thorough))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  return {
    lacks: surveys.flatMap(({ lacks }) => lacks),
    clean: surveys.flatMap(({ clean }) => clean),
    unseen: surveys.flatMap(({ unseen }) => unseen),
  }
}

async function compareStep(
  dataset: Dataset,
  symbols: readonly string[],
  sides: Sides,
  thorough: boolean,
): Promise<Survey> {
  try {
    const { findings } = await examine(dataset, sides, { symbols, timeframes: undefined, thorough })
    const lacks = findings.flatMap(({ lack }) => lack ?? [])
    const keys = new Map<string, string[]>(symbols.map((symbol) => [symbol, []]))
    for (const { wanted } of findings) keys.get(wanted.symbol)?.push(wanted.key)
    for (const { symbol } of lacks) keys.delete(symbol)
    return {
      lacks,
      clean: [...keys].map(([symbol, its]) => ({ symbol, dataset: dataset.name, keys: its })),
      unseen: [],
    }
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return {
      lacks: [],
      clean: [],
      unseen: symbols.map((symbol) => ({ symbol, dataset: dataset.name, trouble: error })),
    }
  }
}

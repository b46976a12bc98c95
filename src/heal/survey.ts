import type { Dataset } from '../datasets/dataset.js'
import type { Lanes } from '../decide/lanes.js'
import type { Trouble, TroubleCode } from '../errors.js'
import type { Holdings } from '../holdings.js'
import type { Held, Lack, Suspicion } from '../model.js'
import { readEpoch } from '../redis/marks.js'
import { lostKeys } from '../redis/presence.js'
import { redisTime } from '../redis/time.js'
import { redisTrouble } from '../redis/trouble.js'
import type { Wire } from '../redis/wire.js'
import { type Examination, examine, type Sides } from './heal.js'

/** One dataset of one symbol that a look found whole, and the keys that hold it. */
export interface Clean {
  readonly symbol: string
  readonly dataset: string
  readonly keys: readonly Held[]
  /** Keys that nothing wants any more. */
  readonly unwanted?: readonly string[]
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
  /** What is wrong with some of the data of each dataset that was compared, if anything. */
  readonly defects: ReadonlyMap<string, Trouble | undefined>
}

export interface SurveyContext {
  readonly datasets: readonly Dataset[]
  readonly holdings: Holdings
  /** Every enabled symbol, and what stands for itself, with its datasets. */
  readonly lanes: Lanes
  readonly sides: Sides
  /** The connection for short commands. */
  readonly probe: Wire
  /** `host:port/db` of Redis, for errors. */
  readonly server: string
}

/** Symbols compared in one step, and steps under way at once. */
const BATCH = 16
const CONCURRENCY = 3

/**
 * Confirms or dismisses a suspicion. Keys that stood and are gone are found in Redis alone, in milliseconds and with PostgreSQL away;
 * datasets that lost none are compared with PostgreSQL where the signal gives reason to.
 */
export async function survey(suspicion: Suspicion, context: SurveyContext): Promise<Survey> {
  const { holdings, probe } = context
  const { scope } = suspicion
  const all = [...context.lanes.keys()]
  const symbols = scope === 'all' ? all : all.filter((symbol) => scope.has(symbol))
  const missing = [...(await lostKeys(probe, holdings, symbols)).values()].flat()
  const gone = scope === 'all' ? missing : await stillWanted(missing, context)
  const lacks = gone.flatMap((key) => lostLack(key, holdings))
  // Another database's FLUSHDB sends the same signal; then the epoch still stands.
  const dismissed = onlyFlush(suspicion) && lacks.length === 0 && (await readEpoch(probe)) !== null
  if (dismissed) return { lacks, clean: [], unseen: [], defects: new Map() }
  const lost = new Set(lacks.map(({ symbol, dataset }) => JSON.stringify([symbol, dataset])))
  const isLeft: Selection = (symbol, dataset) => !lost.has(JSON.stringify([symbol, dataset]))
  const compared = await compareSymbols(symbols, context, isLeft)
  return { ...compared, lacks: [...lacks, ...compared.lacks] }
}

/**
 * Those of the missing keys that PostgreSQL still wants, or of which it cannot be asked: whoever removes a row may remove its key
 * before anyone has told us. The others are missed no more.
 */
async function stillWanted(
  missing: readonly string[],
  { datasets, holdings, sides }: Pick<SurveyContext, 'datasets' | 'holdings' | 'sides'>,
): Promise<readonly string[]> {
  const removed = new Set<string>()
  for (const dataset of datasets.filter(({ comesAndGoes }) => comesAndGoes)) {
    const { name } = dataset
    const its = missing.filter((key) => holdings.ownerOf(key)?.dataset === name)
    const symbols = new Set(its.flatMap((key) => holdings.ownerOf(key)?.symbol ?? []))
    if (its.length === 0) continue
    // What cannot be read now is missed, and healing it tells why it cannot.
    const reading = await dataset
      .read(sides.db, [...symbols], { thorough: false, parts: undefined, time: () => redisTime(sides.redis) })
      .catch(() => undefined)
    if (!reading) continue
    const wanted = new Set(reading.wanted.map(({ key }) => key))
    const unwanted = its.filter((key) => !wanted.has(key))
    for (const symbol of symbols) holdings.release(symbol, name, unwanted)
    for (const key of unwanted) removed.add(key)
  }
  return missing.filter((key) => !removed.has(key))
}

function onlyFlush({ signals }: Suspicion): boolean {
  return signals.size === 1 && signals.has('flush')
}

function lostLack(key: string, holdings: Holdings): Lack[] {
  const owner = holdings.ownerOf(key)
  return owner ? [{ ...owner, key, kind: 'missing', missing: 0, differing: 0 }] : []
}

/** The keys of each symbol, without the values that they hold. */
export function heldKeys(symbols: readonly string[], findings: Examination['findings']): Map<string, Held[]> {
  const keys = new Map<string, Held[]>(symbols.map((symbol) => [symbol, []]))
  for (const { wanted } of findings) {
    const { symbol, key, expires } = wanted
    keys.get(symbol)?.push(expires === undefined ? { key } : { key, expires })
  }
  return keys
}

/** Which datasets of which symbols are to be compared. */
export type Selection = (symbol: string, dataset: string) => boolean

/**
 * Compares datasets of some symbols with PostgreSQL, a few symbols at a time. A missing table, module or permission, or PostgreSQL
 * being away, hides only what it holds. Rejects if Redis fails.
 */
export async function compareSymbols(
  symbols: readonly string[],
  { datasets, lanes, sides, server }: Pick<SurveyContext, 'datasets' | 'lanes' | 'sides' | 'server'>,
  isAsked: Selection,
  thorough = false,
): Promise<Survey> {
  const steps = datasets.flatMap((dataset) => {
    const isIts = (symbol: string): boolean => lanes.get(symbol)?.includes(dataset.name) ?? false
    const its = symbols.filter((symbol) => isIts(symbol) && isAsked(symbol, dataset.name))
    const batches = Array.from({ length: Math.ceil(its.length / BATCH) }, (_, i) =>
      its.slice(i * BATCH, (i + 1) * BATCH),
    )
    return batches.map((batch) => ({ dataset, symbols: batch }))
  })
  const surveys: Survey[] = []
  const work = async (): Promise<void> => {
    for (let step = steps.pop(); step; step = steps.pop()) {
      surveys.push(await compareStep(step.dataset, step.symbols, { ...sides, server }, thorough))
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, work))
  return {
    lacks: surveys.flatMap(({ lacks }) => lacks),
    clean: surveys.flatMap(({ clean }) => clean),
    unseen: surveys.flatMap(({ unseen }) => unseen),
    defects: new Map(surveys.flatMap(({ defects }) => [...defects])),
  }
}

/** Troubles of Redis that concern everything, and not the one dataset that met them first. */
const WIDE: ReadonlySet<TroubleCode> = new Set(['redis_unreachable', 'redis_readonly', 'redis_busy'])

async function compareStep(
  dataset: Dataset,
  symbols: readonly string[],
  sides: Sides & Pick<SurveyContext, 'server'>,
  thorough: boolean,
): Promise<Survey> {
  try {
    const { findings, defect } = await examine(dataset, sides, { symbols, parts: undefined, thorough })
    const lacks = findings.flatMap(({ lack }) => lack ?? [])
    const keys = heldKeys(symbols, findings)
    for (const { symbol } of lacks) keys.delete(symbol)
    return {
      lacks,
      clean: [...keys].map(([symbol, its]) => ({ symbol, dataset: dataset.name, keys: its })),
      unseen: [],
      defects: new Map([[dataset.name, defect]]),
    }
  } catch (error) {
    sides.signal.throwIfAborted()
    const trouble = redisTrouble(error, sides.server)
    if (WIDE.has(trouble.code)) throw trouble
    const unseen = symbols.map((symbol) => ({ symbol, dataset: dataset.name, trouble }))
    return { lacks: [], clean: [], unseen, defects: new Map() }
  }
}

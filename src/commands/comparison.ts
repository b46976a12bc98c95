import { from, fromEvent, lastValueFrom, mergeMap, takeUntil, toArray } from 'rxjs'
import type { Dataset } from '../datasets/dataset.js'
import { type Lanes, lanesWith } from '../decide/lanes.js'
import { LOOKS } from '../decide/live-values.js'
import type { Trouble } from '../errors.js'
import { type Examination, examine, type LiveWriters } from '../heal/heal.js'
import { heldKeys } from '../heal/survey.js'
import type { Held, Lack } from '../model.js'
import type { Life } from '../redis/life.js'
import { endsLife } from '../redis/trouble.js'
import { sayDuration } from './patience.js'
import { count } from './progress.js'
import { type Session, troubleOf } from './session.js'

/** One dataset of one symbol, as it was seen. */
export interface Look {
  readonly symbol: string
  readonly dataset: string
  /** The keys that it must have, and what some of them lack. */
  readonly keys: readonly Held[]
  readonly lacks: readonly Lack[]
  readonly orphans: readonly Orphans[]
}

/** How many values a key holds in Redis that PostgreSQL does not know. */
export interface Orphans {
  readonly symbol: string
  readonly dataset: string
  readonly key: string
  readonly values: number
}

/** Keys that look like those of a dataset, and that nothing in PostgreSQL wants. */
export interface Strays {
  readonly dataset: string
  readonly keys: readonly string[]
}

export interface Comparison {
  readonly looks: readonly Look[]
  readonly strays: readonly Strays[]
  /** Datasets of which it cannot be found out whether there are any, and why. */
  readonly unsearched: ReadonlyMap<string, Trouble>
  /** Datasets that cannot be compared, or some of which is wrong, and why. */
  readonly hidden: ReadonlyMap<string, Trouble>
  /** Values that PostgreSQL holds but Redis cannot. */
  readonly leftOut: number
}

interface Step {
  readonly dataset: Dataset
  readonly symbols: readonly string[]
}

/** Symbols in one step, and steps under way at once. */
const BATCH = 16
const CONCURRENCY = 3
/** How often a dataset is asked for whose query meets something that may pass. */
const ATTEMPTS = 3
/** Beyond its share of the settling time a rest is this long, in ms, so that all of them are surely no less. */
const MORE = 5

/**
 * Compares everything value by value over one life, and looks again, for `sync.settle`, at what differs, so that a live worker's write
 * is not called a difference. Writes nothing. Rejects with a Trouble if the life ends, and if patience does.
 */
export async function compareAll(session: Session, lanes: Lanes, life: Life, signal: AbortSignal): Promise<Comparison> {
  const comparer = new Comparer(session, life, signal)
  const first = await comparer.lookAt(
    session.datasets.flatMap((dataset) => stepsOf(dataset, lanesWith(lanes, dataset.name))),
  )
  const { leftOut } = comparer
  const doubtful = first.filter(({ lacks }) => lacks.some(isDoubtful))
  const looks = new Map(first.map((look) => [idOf(look), look]))
  if (doubtful.length > 0) {
    const { settle } = session.config.sync
    session.progress.say(`Looking again, for ${sayDuration(settle)}, at what differs …`)
    const again = session.datasets.flatMap((dataset) => {
      const its = doubtful.filter((look) => look.dataset === dataset.name)
      return stepsOf(
        dataset,
        its.map(({ symbol }) => symbol),
      )
    })
    let last: readonly Look[] = []
    for (let look = 1; look < LOOKS; look++) {
      await session.patience.restFreely(settle / (LOOKS - 1) + MORE, signal)
      last = await comparer.lookAt(again)
    }
    for (const look of last) looks.set(idOf(look), settled(look, looks.get(idOf(look)), session.live))
  }
  const inOrder = [...lanes].flatMap(([symbol, datasets]) =>
    datasets.flatMap((dataset) => looks.get(idOf({ symbol, dataset })) ?? []),
  )
  const strays = await comparer.straysOf(inOrder)
  const { unsearched } = comparer
  return { looks: inOrder, strays, unsearched, hidden: new Map([...comparer.defects, ...comparer.hidden]), leftOut }
}

/** Of what a last look lacks, what the first lacked, too, and what has differed just so all the time; a key that is gone counts at once. */
function settled(look: Look, before: Look | undefined, { values }: LiveWriters): Look {
  const missing = new Map(before?.lacks.map((lack) => [lack.key, lack.missing]))
  const lacks = look.lacks.flatMap((lack): Lack[] => {
    if (!isDoubtful(lack)) return [lack]
    const differing = values.settledIn(lack.key)
    const isHole = lack.missing > 0 && missing.get(lack.key) === lack.missing
    return isHole || differing > 0 ? [{ ...lack, differing, missing: isHole ? lack.missing : 0 }] : []
  })
  return { ...look, lacks }
}

function isDoubtful({ kind }: Lack): boolean {
  return kind !== 'missing' && kind !== 'wrong_type'
}

function stepsOf(dataset: Dataset, symbols: readonly string[]): Step[] {
  const steps: Step[] = []
  for (let i = 0; i < symbols.length; i += BATCH) steps.push({ dataset, symbols: symbols.slice(i, i + BATCH) })
  return steps
}

function idOf({ symbol, dataset }: Pick<Look, 'symbol' | 'dataset'>): string {
  return JSON.stringify([symbol, dataset])
}

class Comparer {
  readonly hidden = new Map<string, Trouble>()
  /** What is wrong with some of a dataset, the rest of which is compared. */
  readonly defects = new Map<string, Trouble>()
  readonly unsearched = new Map<string, Trouble>()
  leftOut = 0
  private keys = 0

  constructor(
    private readonly session: Session,
    private readonly life: Life,
    private readonly signal: AbortSignal,
  ) {}

  /** Looks at every step, a few at a time; those of a dataset that cannot be compared give nothing. */
  async lookAt(steps: readonly Step[]): Promise<Look[]> {
    const total = steps.reduce((sum, { symbols }) => sum + symbols.length, 0)
    let done = 0
    const work = from(steps).pipe(
      mergeMap(async (step) => {
        const looks = await this.look(step)
        done += step.symbols.length
        this.session.progress.show('Comparing', done / total, [count(this.keys, 'key')])
        return looks
      }, CONCURRENCY),
      takeUntil(fromEvent(this.signal, 'abort')),
      toArray(),
    )
    const looks = await lastValueFrom(work)
    this.signal.throwIfAborted()
    return looks.flat()
  }

  private async look(step: Step): Promise<Look[]> {
    const { dataset, symbols } = step
    const { db, live, patience, server } = this.session
    for (let attempt = 1; !this.hidden.has(dataset.name); attempt++) {
      try {
        const scope = { symbols, parts: undefined, thorough: true }
        const examination = await examine(dataset, { db, redis: this.life.bulk, live, signal: this.signal }, scope)
        patience.progressed()
        return this.account(step, examination)
      } catch (error) {
        this.signal.throwIfAborted()
        const trouble = troubleOf(error, server)
        if (endsLife(trouble)) throw trouble
        // What one query meets must not keep the others from being told of.
        const isOver = !trouble.passing || (trouble.code === 'postgres_query' && attempt >= ATTEMPTS)
        if (isOver) this.hidden.set(dataset.name, trouble)
        else patience.blame(trouble)
      }
      if (!this.hidden.has(dataset.name)) await patience.pause(this.signal)
    }
    return []
  }

  /** What is left in Redis of the datasets that could be seen whole. */
  async straysOf(looks: readonly Look[]): Promise<Strays[]> {
    const found: Strays[] = []
    for (const { name, strays } of this.session.datasets) {
      if (!strays || this.hidden.has(name)) continue
      const wanted = new Set(looks.flatMap((look) => (look.dataset === name ? look.keys.map(({ key }) => key) : [])))
      const keys = await strays(this.life.bulk, (key) => wanted.has(key)).catch((error: unknown) => {
        const trouble = troubleOf(error, this.session.server)
        if (trouble.passing) throw trouble
        this.unsearched.set(name, trouble)
        return []
      })
      this.signal.throwIfAborted()
      if (keys.length > 0) found.push({ dataset: name, keys })
    }
    return found
  }

  /** Keeps the names of the keys and what they lack, and lets go of the values. */
  private account({ dataset, symbols }: Step, { findings, leftOut, defect }: Examination): Look[] {
    if (defect) this.defects.set(dataset.name, defect)
    this.keys += findings.length
    for (const values of leftOut.values()) this.leftOut += values
    const nothing = () => ({ lacks: [] as Lack[], orphans: [] as Orphans[] })
    const looks = new Map(
      [...heldKeys(symbols, findings)].map(([symbol, keys]) => [symbol, { keys, ...nothing() }] as const),
    )
    for (const { wanted, lack, orphans } of findings) {
      const { symbol, key } = wanted
      const look = looks.get(symbol)
      if (lack) look?.lacks.push(lack)
      if (orphans.length > 0) look?.orphans.push({ symbol, dataset: dataset.name, key, values: orphans.length })
    }
    return [...looks].map(([symbol, look]) => ({ symbol, dataset: dataset.name, ...look }))
  }
}

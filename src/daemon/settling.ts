import { catchError, EMPTY, exhaustMap, filter, interval, type Observable } from 'rxjs'
import { steadyTime } from '../clock.js'
import { suspect } from '../decide/suspicion.js'
import { mergeTasks, planTasks } from '../decide/tasks.js'
import { abortable } from '../flow/abortable.js'
import { compareSymbols, type Survey } from '../heal/survey.js'
import type { Lack, Task } from '../model.js'
import type { Life } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import { type Consequence, NOTHING_FOLLOWS, type Step } from './consequence.js'
import { type LifeContext, sidesOf } from './life-context.js'

/** Looks in one settling time, within these bounds in ms. */
const LOOKS = 10
const SHORTEST = 20
const LONGEST = 1_000
/** Looks at what others have written take no more than one part in so many of the time. */
const SPARING = 20

/** Tasks that are done but for values that differ, of which nothing is known yet. */
export class Unsettled {
  private readonly tasks = new Map<string, Task>()

  add(task: Task): void {
    const id = JSON.stringify([task.symbol, task.dataset])
    const waiting = this.tasks.get(id)
    this.tasks.set(id, waiting ? mergeTasks(waiting, task) : task)
  }

  /** Takes out those that need to wait no longer. */
  take(isOver: (task: Task) => boolean): Task[] {
    const over = [...this.tasks].filter(([, task]) => isOver(task))
    for (const [id] of over) this.tasks.delete(id)
    return over.map(([, task]) => task)
  }
}

/**
 * Looks again at values that differ and that a live worker may have written. Those that both sides have left as they are for
 * `sync.settle` have drifted: they are reported, and replaced.
 */
export function settling(life: Life, unsettled: Unsettled, context: LifeContext): Observable<Step> {
  const { config, guard, live, conditions, server } = context
  let restUntil = 0
  const period = Math.min(LONGEST, Math.max(SHORTEST, config.sync.settle / LOOKS))
  return interval(period).pipe(
    exhaustMap(() =>
      abortable(async (signal) => {
        const tasks = unsettled.take(({ dataset, symbol }) => !live.isNew(dataset, symbol))
        const isWhole = ({ dataset, symbol }: { dataset: string; symbol: string }): boolean =>
          !guard.wholeness.isOpen(symbol, dataset)
        const due = [...live.due(), ...(steadyTime() < restUntil ? [] : quietOnes(context))]
        if (due.length === 0) return tasks.length > 0 ? async () => ({ ...NOTHING_FOLLOWS, tasks }) : undefined
        const began = guard.wholeness.now()
        const asked = new Set(due.map(({ symbol, dataset }) => JSON.stringify([symbol, dataset])))
        const startedAt = steadyTime()
        const found = await compareSymbols(
          [...new Set(due.map(({ symbol }) => symbol))],
          { datasets: context.datasets, lanes: guard.lanes, sides: sidesOf(life, context, signal), server },
          (symbol, dataset) => asked.has(JSON.stringify([symbol, dataset])),
        )
        restUntil = steadyTime() + SPARING * (steadyTime() - startedAt)
        conditions.worked('settling')
        const lacks = settledLacks(found, context).filter(isWhole)
        const holes = planTasks(found.lacks.filter(isWhole).filter(isHole), 'sync', steadyTime())
        return async () => {
          const drifted = await judgeDrift(lacks, began, life, context)
          return { ...drifted, tasks: [...tasks, ...holes, ...drifted.tasks] }
        }
      }).pipe(
        catchError((error: unknown) => {
          const trouble = redisTrouble(error, server)
          if (endsLife(trouble)) throw trouble
          conditions.failed('settling', trouble)
          return EMPTY
        }),
      ),
    ),
    filter((step) => step !== undefined),
  )
}

/** The datasets of symbols of which a worker has written something that nobody has looked at since; it may have died before PostgreSQL. */
function quietOnes({ live, guard }: LifeContext): { symbol: string; dataset: string }[] {
  const owned = live.quiet().map((key) => ({ key, owner: guard.holdings.ownerOf(key) }))
  live.overlook(owned.flatMap(({ key, owner }) => (owner ? [] : [key])))
  return owned.flatMap(({ owner }) => owner ?? [])
}

/** What is gone from a key that stands, of which nothing tells. Perhaps it is only on its way: that is no news. */
function isHole({ kind, missing, differing }: Lack): boolean {
  return missing > 0 && differing === 0 && kind !== 'missing' && kind !== 'wrong_type'
}

/** Of what was found, the values that stand still on both sides. */
function settledLacks({ lacks }: Survey, { live }: LifeContext): Lack[] {
  return lacks.flatMap((lack): Lack[] => {
    const differing = live.settledIn(lack.key)
    return differing === 0 ? [] : [{ ...lack, differing }]
  })
}

async function judgeDrift(
  lacks: readonly Lack[],
  began: number,
  life: Life,
  { guard }: LifeContext,
): Promise<Consequence> {
  if (lacks.length === 0) return NOTHING_FOLLOWS
  const now = steadyTime()
  const suspicion = suspect('scrub', new Set(lacks.map(({ symbol }) => symbol)), guard.losses.lastWholeAt ?? now, now)
  return guard.judge(suspicion, { lacks, clean: [], unseen: [], defects: new Map() }, began, life)
}

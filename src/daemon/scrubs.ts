import { catchError, defer, EMPTY, filter, mergeMap, type Observable, repeat, timer } from 'rxjs'
import { steadyTime } from '../clock.js'
import { suspect } from '../decide/suspicion.js'
import { abortable } from '../flow/abortable.js'
import { scrub } from '../heal/scrub.js'
import type { Life } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import type { Consequence } from './consequence.js'
import { type LifeContext, sidesOf } from './life-context.js'

/** Symbols in one step of the scrub. */
const BATCH = 4
/** The shortest pause between steps, and the pause while there are symbols that were just healed; in ms. */
const SHORTEST = 100
const AFTER_HEAL = 1_000

/**
 * Compares a few symbols at a time with PostgreSQL, value by value, so that all have had their turn in one scrub period; those that
 * were lost and healed go first, since the heal compared digests rather than values. What is not
 * known to be whole is left to the heal that works on it, or waits for a table or a permission.
 */
export function scrubs(life: Life, context: LifeContext): Observable<() => Promise<Consequence>> {
  const { guard, config, datasets, conditions, server, report } = context
  let turn = 0
  const inTurn = (): readonly string[] => {
    const symbols = guard.symbols.slice(turn, turn + BATCH)
    turn = turn + BATCH >= guard.symbols.length ? 0 : turn + BATCH
    return symbols
  }
  const pause = (): Observable<number> => {
    const batches = Math.max(1, Math.ceil(guard.symbols.length / BATCH))
    const period = Math.max(SHORTEST, config.watch.scrub / batches)
    return timer(guard.hasHealed ? Math.min(AFTER_HEAL, period) : period)
  }
  const one = async (signal: AbortSignal): Promise<() => Promise<Consequence>> => {
    const from = steadyTime()
    const symbols = guard.hasHealed ? guard.takeHealed(BATCH) : inTurn()
    const began = guard.wholeness.now()
    const isWhole = (symbol: string, dataset: string): boolean => !guard.wholeness.isOpen(symbol, dataset)
    const scrubbed = { datasets, lanes: guard.lanes, sides: sidesOf(life, context, signal), server }
    const found = await scrub(symbols, scrubbed, isWhole)
    conditions.worked('scrub')
    const suspicion = suspect('scrub', new Set(symbols), guard.losses.lastWholeAt ?? from, steadyTime())
    report.surveyed(found)
    return () => guard.judge(suspicion, { ...found, unseen: [] }, began, life)
  }
  const step = defer(() => abortable(one)).pipe(
    catchError((error: unknown) => {
      const trouble = redisTrouble(error, server)
      if (endsLife(trouble)) throw trouble
      conditions.failed('scrub', trouble)
      return EMPTY
    }),
    repeat({ delay: pause }),
  )
  return pause().pipe(
    mergeMap(() => step),
    filter((found) => found !== undefined),
  )
}

import { setTimeout as delay } from 'node:timers/promises'
import { compareSymbols, type Selection, type Survey, type SurveyContext } from './survey.js'

/** How long a difference must stand still before it is believed, in ms: a worker may have written one side and not yet the other. */
const SETTLE = 2_000

/**
 * Compares datasets of some symbols value by value, and looks again at what differs: a key that is gone counts at once, any other
 * difference only if both sides still show the same a little later. Otherwise the scrub would undo a live worker's newest write.
 */
export async function scrub(
  symbols: readonly string[],
  context: Pick<SurveyContext, 'datasets' | 'lanes' | 'sides' | 'server'>,
  isAsked: Selection,
): Promise<Survey> {
  const first = await compareSymbols(symbols, context, isAsked, true)
  const gone = first.lacks.filter(({ picture }) => picture === undefined)
  const doubtful = new Map(
    first.lacks.flatMap(({ key, picture }) => (picture === undefined ? [] : [[key, picture] as const])),
  )
  if (doubtful.size === 0) return { ...first, lacks: gone }
  await delay(SETTLE, undefined, { signal: context.sides.signal })
  const again = new Set(first.lacks.map(({ symbol }) => symbol))
  const second = await compareSymbols([...again], context, isAsked, true)
  const settled = second.lacks.filter(({ key, picture }) => picture === undefined || doubtful.get(key) === picture)
  return { ...first, lacks: settled, unseen: [...first.unseen, ...second.unseen] }
}

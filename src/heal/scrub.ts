import { setTimeout as delay } from 'node:timers/promises'
import type { Lack } from '../model.js'
import { compareSymbols, type Selection, type Survey, type SurveyContext } from './survey.js'

/** How long a value must be missing before it is believed, in ms: PostgreSQL's newest row may be on its way. */
const SETTLE = 2_000

/**
 * Compares datasets of some symbols value by value. A key that is gone counts at once; one that lacks values, if it lacks as many a
 * little later. Values that differ are not told of here: the look has noted them, and whether they stand still is found out apart.
 */
export async function scrub(
  symbols: readonly string[],
  context: Pick<SurveyContext, 'datasets' | 'lanes' | 'sides' | 'server'>,
  isAsked: Selection,
): Promise<Survey> {
  const first = await compareSymbols(symbols, context, isAsked, true)
  const gone = first.lacks.filter(isGone)
  const doubtful = new Map(first.lacks.filter(hasHoles).map(({ key, missing }) => [key, missing]))
  if (doubtful.size === 0) return { ...first, lacks: gone }
  await delay(SETTLE, undefined, { signal: context.sides.signal })
  const again = new Set(first.lacks.filter((lack) => isGone(lack) || hasHoles(lack)).map(({ symbol }) => symbol))
  const second = await compareSymbols([...again], context, isAsked, true)
  const settled = second.lacks.flatMap((lack): Lack[] => {
    if (isGone(lack)) return [lack]
    return hasHoles(lack) && doubtful.get(lack.key) === lack.missing ? [{ ...lack, differing: 0 }] : []
  })
  return { ...first, lacks: settled, unseen: [...first.unseen, ...second.unseen] }
}

function isGone({ picture }: Lack): boolean {
  return picture === undefined
}

function hasHoles(lack: Lack): boolean {
  return !isGone(lack) && lack.missing > 0
}

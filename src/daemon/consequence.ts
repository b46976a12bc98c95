import { steadyTime } from '../clock.js'
import { suspect } from '../decide/suspicion.js'
import type { Suspicion, Task } from '../model.js'

/** What follows from a finding: work, and looks to be taken. `delay` in ms. */
export interface Consequence {
  readonly tasks: readonly Task[]
  readonly suspicions: readonly Suspicion[]
  readonly delay: number
  /** In how many ms the open incident is over if nothing more is lost: then it is closed. Absent: none is about to be. */
  readonly closeIn?: number
}

/** A finding that is still to be taken in; findings are taken in one at a time. */
export type Step = () => Promise<Consequence>

export const NOTHING_FOLLOWS: Consequence = { tasks: [], suspicions: [], delay: 0 }

/** A look at these symbols follows. */
export function lookAt(scope: Suspicion['scope']): Consequence {
  return { ...NOTHING_FOLLOWS, suspicions: [suspect('poll', scope, steadyTime(), steadyTime())] }
}

import { steadyTime } from '../clock.js'
import { RiskLedger, type RiskNews } from '../decide/risk-ledger.js'
import { risksOf } from '../decide/risks.js'
import type { KeysAtStake, RiskFacts } from '../decide/risks-facts.js'
import type { Wire } from '../redis/wire.js'
import { readServer } from './facts.js'

export interface RiskWatchOptions {
  /** The connection of the present life. */
  readonly probe: () => Wire
  /** What was counted last; see `stakeOf`. */
  readonly stake: () => KeysAtStake
  /** What costs more than a look and was found out elsewhere, such as the state of the backups. */
  readonly more?: () => Partial<Pick<RiskFacts, 'host' | 'replicas' | 'access' | 'backups'>>
  /** For how long a finding stood. */
  readonly clock?: () => number
}

/**
 * Gives a function that looks at Redis in one round trip and tells which findings are new, once seen at two of the last three looks,
 * and which are over, once absent at all three. While Redis loads its data nothing is new or over. A look rejects if Redis does not answer, and
 * then does not count.
 */
export function watchRisks({ probe, stake, more, clock = steadyTime }: RiskWatchOptions): () => Promise<RiskNews> {
  const ledger = new RiskLedger()
  let before: { runId: string | undefined; evicted: number | undefined } | undefined
  return async () => {
    const { state } = await readServer(probe())
    if (state.loading) return { appeared: [], gone: [] }
    const { runId, evictedKeys: evicted } = state
    const isSame = before !== undefined && before.runId === runId
    const evictedSince =
      isSame && evicted !== undefined && before?.evicted !== undefined ? evicted - before.evicted : undefined
    before = { runId, evicted }
    const facts: RiskFacts = { at: Date.now(), server: state, stake: stake(), evictedSince, ...more?.() }
    return ledger.look(risksOf(facts, ledger.standing), clock())
  }
}

/** Whether workers may trust what Redis holds: the answers of /readyz. */

import type { Board } from './board.js'

export interface Readiness {
  readonly ready: boolean
  /** Stable, for scripts. */
  readonly code: 'ready' | 'starting' | 'stopping' | 'redis_down' | 'data_loss' | 'healing' | 'unknown_symbol'
  /** One sentence for a person. */
  readonly reason: string
}

/**
 * Whether everything is whole. A PostgreSQL that is away does not make it unready: what Redis holds is what PostgreSQL last said,
 * and to stop every worker would turn a small trouble into a great one.
 */
export function readinessOf(board: Board): Readiness {
  const troubled = serverTrouble(board)
  if (troubled) return troubled
  const { open, back, lost, total } = board
  if (open !== undefined && !back) {
    const incident = board.incidents.findLast(({ id }) => id === open)
    const progress = incident ? `; ${incident.symbolsBack} of ${incident.symbolsLost} symbols are back` : ''
    return { ready: false, code: 'data_loss', reason: `Redis lost data (${incident?.cause ?? 'unknown'})${progress}` }
  }
  if (!board.settled) return starting(board, 'Redis has not been seen whole yet')
  if (lost.size > 0) {
    const count = lost.size === 1 ? '1 symbol is' : `${lost.size} symbols are`
    return { ready: false, code: 'healing', reason: `${count} not whole` }
  }
  return { ready: true, code: 'ready', reason: `all ${total ?? board.symbols.size} symbols are whole` }
}

/** Whether one symbol is whole, also while others are not. */
export function readinessOfSymbol(board: Board, symbol: string): Readiness {
  const known = board.symbols.get(symbol)
  const troubled = serverTrouble(board)
  if (troubled) return troubled
  if (known) {
    return known.ready
      ? { ready: true, code: 'ready', reason: 'the symbol is whole' }
      : { ready: false, code: 'healing', reason: 'the symbol is not whole' }
  }
  if (!board.settled) return starting(board, 'which symbols there are is not known yet')
  return { ready: false, code: 'unknown_symbol', reason: 'no symbol of that name is enabled' }
}

function serverTrouble(board: Board): Readiness | undefined {
  const { stopping, redis, begun } = board
  if (stopping) return { ready: false, code: 'stopping', reason: 'Rekindle is stopping: nobody looks any longer' }
  if (redis.state === 'down') {
    return { ready: false, code: 'redis_down', reason: redis.trouble?.reason ?? 'Redis cannot be used' }
  }
  if (!begun || redis.state === 'unknown') return starting(board, 'Redis has not been looked at yet')
  return undefined
}

/** Nothing is known to be whole before PostgreSQL has told what there must be: if it is away, that is what it waits for. */
function starting({ postgres, degraded }: Board, reason: string): Readiness {
  const unread = degraded.get('symbols')
  const why =
    postgres.state === 'down'
      ? `PostgreSQL is down: ${postgres.trouble?.reason ?? 'it cannot be used'}`
      : unread
        ? `the symbols cannot be read: ${unread.reason}: ${unread.hint}`
        : reason
  return { ready: false, code: 'starting', reason: why }
}

/** Which symbols there are, as far as the events name them, and which of them are whole. */

import { type Board, LONGEST_NAME, SYMBOLS } from './board.js'
import type { LogEvent } from './events.js'

/** Takes in that a symbol has become whole, or is so no longer. */
export function noteSymbol(board: Board, name: string, ready: boolean, at: number): void {
  const known = board.symbols.get(name)
  if (!known && (name.length > LONGEST_NAME || board.symbols.size >= SYMBOLS)) return
  if (known?.ready !== ready) board.symbols.set(name, { ready, since: at, syncedAt: known?.syncedAt })
  if (ready) board.lost.delete(name)
  else board.lost.add(name)
  forgetGone(board)
}

/** Takes in that symbols came or went. Those that came are not whole yet. */
export function noteSymbols(board: Board, event: Extract<LogEvent, { event: 'symbols' }>, at: number): void {
  for (const name of event.removed) {
    board.symbols.delete(name)
    board.lost.delete(name)
  }
  // Before the names that came: by the old number they would be taken for what is gone.
  board.total = event.total
  // How many they have now is said when all are whole, or when the keys are counted.
  board.keys = undefined
  for (const name of event.added) if (!board.symbols.has(name)) noteSymbol(board, name, false, at)
  forgetGone(board)
}

/**
 * Forgets symbols that are no longer enabled: an event names only the first few of them, but all of them are lost, too. Once no more
 * are lost than there are names too many, those are the ones.
 */
function forgetGone({ total, symbols, lost }: Board): void {
  if (total === undefined || symbols.size <= total || lost.size !== symbols.size - total) return
  for (const name of lost) symbols.delete(name)
  lost.clear()
}

/** Takes in that nothing is known to be whole, as at the beginning of a life of Redis. */
export function noteDoubt(board: Board, at: number): void {
  for (const name of board.symbols.keys()) noteSymbol(board, name, false, at)
}

/** Takes in that everything is whole. */
export function noteWhole(board: Board, total: number, at: number): void {
  board.total = total
  // What was lost and never came back is no longer among what there is: all of that is whole.
  if (board.symbols.size > total) for (const name of board.lost) board.symbols.delete(name)
  for (const name of board.lost) {
    const known = board.symbols.get(name)
    if (known) board.symbols.set(name, { ...known, ready: true, since: at })
  }
  board.lost.clear()
}

import type { Outcome } from './incident.js'
import { count, number, type Screen } from './screen.js'
import { layTable } from './table.js'
import type { Worker } from './worker.js'

/** The table of everything that was lost and healed. */
export function showTable(outcomes: ReadonlyMap<string, Outcome>, screen: Screen): void {
  const columns = [
    { title: 'what happened', paint: (cell: string) => screen.paint('bold', cell) },
    { title: 'cause' },
    { title: 'keys', right: true },
    { title: 'symbols', right: true },
    { title: 'values', right: true },
    { title: 'noticed', right: true, paint: (cell: string) => screen.paint('yellow', cell) },
    { title: 'healed', right: true, paint: (cell: string) => screen.paint('green', cell) },
  ]
  const rows = [...outcomes].map(([name, { cause, keys, symbols, values, noticed, healed }]) => [
    name,
    cause ?? '–',
    ...[keys, symbols, values].map(number),
    ...[noticed, healed].map(milliseconds),
  ])
  const [titles = '', rule = '', ...lines] = layTable(columns, rows)
  for (const line of [screen.paint('dim', titles), screen.paint('dim', rule), ...lines]) screen.say(line)
}

export interface Notes {
  outcomes: ReadonlyMap<string, Outcome>
  /** From COMMIT in PostgreSQL to the hash in Redis, in ms, ascending. */
  times: readonly number[]
  worker: Worker
  /** How many keys Redis must hold. */
  keys: number
}

/** What the numbers in the table mean, and what else went on. */
export function showNotes({ outcomes, times, worker, keys }: Notes, screen: Screen): void {
  const most = Math.ceil(times.length * 0.9)
  const isWipe = ({ cause }: Outcome) => cause !== undefined && ['flush', 'swapdb', 'restart'].includes(cause)
  const some = [...outcomes.values()].some((outcome) => isWipe(outcome) && outcome.keys < keys)
  const lines = [
    'noticed: from the deed to the alert in the log of rekindle watch; healed: until',
    'the last key was verified. The first fill counts from the start of the process,',
    'kill -9 from the first connection that Redis took again. Nothing announces',
    'SWAPDB: a poll, once a second, finds it. While Redis evicts, attempts to',
    'heal are a second apart.',
    ...(some ? [`Of ${count(keys, 'key')}, those not counted came back before the alert, with a new candle.`] : []),
    '',
    `From COMMIT in PostgreSQL to the hash in Redis: ${most} of ${times.length} took at most ${milliseconds(times[most - 1])},`,
    `the slowest ${milliseconds(times.at(-1))}.`,
    `A worker wrote ${count(worker.prices, 'price')} and ${count(worker.candles, 'candle')} all the while; ${count(worker.refused, 'write')} failed.`,
  ]
  for (const line of lines) screen.say(line)
}

/** 1234.5 -> `1,235 ms`; what is less than one is shown in tenths. */
export function milliseconds(value = 0): string {
  return `${value < 10 ? value.toFixed(1) : number(value)} ms`
}

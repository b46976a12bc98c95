import type { LogEvent } from '../src/report/events.js'
import type { Journal, Line } from './journal.js'

type DataLoss = Extract<LogEvent, { event: 'data_loss' }>
type Healed = Extract<LogEvent, { event: 'healed' }>

/** What came of a deed, as the daemon's log tells; times in ms since the deed. */
export interface Outcome {
  /** Undefined at the daemon's first look, when nobody can tell. */
  readonly cause: string | undefined
  readonly keys: number
  readonly symbols: number
  /** Values written back: samples, candles and fields. */
  readonly values: number
  /** When the alert was in the log. */
  readonly noticed: number
  /** When the last key was verified. */
  readonly healed: number
}

export interface Deed {
  /** Loses data; returns the moment from which the clock runs, by performance.now(). */
  readonly act: () => Promise<number>
  /** Called when the loss is in the log. */
  readonly onLoss: (keys: number) => void
  /** Tells which keys are not there, or of another type, now. */
  readonly findLacking: () => Promise<string[]>
}

const LIMIT = 30_000

/** Does the deed, and waits until the daemon has said that it healed it and that is so; rejects if it takes 30 s. */
export async function watchIncident(journal: Journal, { act, onLoss, findLacking }: Deed): Promise<Outcome> {
  const from = journal.lines.length
  const signal = AbortSignal.timeout(LIMIT)
  let state = 'not noticed'
  const noticed = journal.until(from, isLoss, signal).then(({ event }) => {
    state = 'noticed, but not healed'
    onLoss(keysOf(event))
  })
  try {
    const [since] = await Promise.all([act(), noticed])
    for (let place = from; ; ) {
      place = await journal.until(place, (line, at) => isHealed(line) && at + 1, signal)
      const lacking = await findLacking()
      if (lacking.length > 0) state = `said to be healed, but ${lacking[0]} and ${lacking.length - 1} others lack`
      else if (!journal.lines.slice(place).some(isLoss)) return sumUp(journal.lines.slice(from, place), since)
    }
  } catch (error) {
    throw signal.aborted ? new Error(`${state} within ${LIMIT / 1000} s`) : error
  }
}

function isLoss(line: Line): (Line & { event: DataLoss }) | undefined {
  return line.event.event === 'data_loss' ? { ...line, event: line.event } : undefined
}

function isHealed(line: Line): (Line & { event: Healed }) | undefined {
  return line.event.event === 'healed' ? { ...line, event: line.event } : undefined
}

function sumUp(lines: readonly Line[], since: number): Outcome {
  const losses = lines.map(isLoss).filter((loss) => loss !== undefined)
  const heals = lines.map(isHealed).filter((heal) => heal !== undefined)
  // One deed may be noticed in parts; the largest tells what it was.
  const [main] = losses.toSorted((a, b) => keysOf(b.event) - keysOf(a.event))
  if (!main) throw new Error('healed, but never lost')
  return {
    cause: main.event.evidence['first_look'] ? undefined : main.event.cause,
    // What was lost while an incident was open already is told by its end only.
    keys: Math.max(keysOf(main.event), ...heals.map(({ event }) => event.keys)),
    symbols: Math.max(main.event.symbols_lost, ...heals.map(({ event }) => event.symbols)),
    values: heals.reduce((total, { event }) => total + event.samples + event.fields, 0),
    noticed: main.at - since,
    healed: wholeAt(losses, heals) - since,
  }
}

/** When the last key was verified: the daemon says that all is over only after a quiet while. */
function wholeAt(
  losses: readonly (Line & { event: DataLoss })[],
  heals: readonly (Line & { event: Healed })[],
): number {
  const last = heals.at(-1)
  if (!last) throw new Error('never healed')
  const { incident, time_to_detect_ms, time_to_heal_ms } = last.event
  const loss = losses.find(({ event }) => event.incident === incident)
  return loss ? Math.min(last.at, loss.at + time_to_heal_ms - time_to_detect_ms) : last.at
}

/** Keys that were lost, and those of which the workers had made a new beginning. */
function keysOf({ keys_lost, keys_incomplete }: DataLoss): number {
  return Object.values(keys_incomplete).reduce((total, keys) => total + keys, keys_lost)
}

import { steadyTime } from '../clock.js'
import { holdOf, Pace, Recurrences, type Spell } from '../decide/storm.js'
import type { Trouble, TroubleCode } from '../errors.js'
import type { Emit, LogEvent } from './events.js'

/** How often a trouble that lasts is said again, in ms. */
const AGAIN = 60_000
/** A trouble that passes by itself is worth a line only if it lasts this long, in ms. */
const PATIENCE = 30_000

/** What an event says of a trouble that comes and goes. */
export interface Flapping {
  readonly times?: number
  readonly within_ms?: number
  readonly repeated?: boolean
  readonly stable_for_ms?: number
}

/** Makes the event by which it is said that something works again. */
type SayWorks = (after: number, flapping: Flapping) => LogEvent

/** Something that fails, or that failed a moment ago and has not worked for long enough. */
interface Condition {
  readonly spell: Spell
  /** Bounds how often it is said once it comes again. */
  readonly pace: Pace
  /** How often it failed, in this row. */
  times: number
  /** Since when it fails; undefined while it works. */
  since: number | undefined
  /** When it was last said, by the code of the trouble: another reason is news, too. */
  said: Map<TroubleCode, number>
  /** The codes that were said aloud. */
  readonly aloud: Set<TroubleCode>
  /** When it is taken to work for good. */
  stable: NodeJS.Timeout | undefined
}

/**
 * Turns failures and successes into a line at each change of state and one a minute in between: a server that is away must not
 * flood the log. Nor must one that comes and goes: then its changes are `repeated`, with a line now and then, and one when it is over.
 */
export class Conditions {
  private readonly open = new Map<string, Condition>()
  private readonly recurrences: Recurrences<string>

  constructor(
    private readonly emit: Emit,
    private readonly clock: () => number = steadyTime,
    /** Told of every failure and success: either way a loop has turned. */
    private readonly onSign: (what: string) => void = () => undefined,
    /** Within how many ms another failure belongs to the same row. */
    storm = 0,
  ) {
    this.recurrences = new Recurrences(storm)
  }

  /** `what` failed: `redis`, `postgres`, or a part of Rekindle such as `candles.m1`. */
  failed(what: string, trouble: Trouble): void {
    this.onSign(what)
    const now = this.clock()
    const condition = this.begin(what, now)
    const since = condition.since ?? now
    const patience = isServer(what) || !trouble.passing ? 0 : PATIENCE
    if (now - since < patience) return
    const { code, message: reason, hint } = trouble
    if (now - (condition.said.get(code) ?? Number.NEGATIVE_INFINITY) < AGAIN) return
    const isAloud = this.isAloud(condition, code, now)
    condition.said.set(code, now)
    if (isAloud) condition.aloud.add(code)
    const words = { code, reason, hint, ...flappingOf(condition, now), ...(!isAloud && { repeated: true }) }
    if (isServer(what)) this.emit({ event: `${what}_down`, ...words, down_for_ms: now - since })
    else this.emit({ event: 'degraded', what, ...words, since_ms: now - since })
  }

  /** `what` works. Returns how long it had not, in ms; 0 if it had. */
  worked(what: string, say = sayingOf(what)): number {
    this.onSign(what)
    const condition = this.open.get(what)
    if (condition?.since === undefined) return 0
    const now = this.clock()
    const after = now - condition.since
    condition.since = undefined
    const hold = holdOf(condition.spell.level)
    // Of what passed before anybody was told, nothing needs to be said.
    const wasSaid = condition.said.size > 0 || what === 'redis'
    if (wasSaid) this.emit(say(after, { ...flappingOf(condition, now), ...(hold > 0 && { repeated: true }) }))
    if (hold === 0 || condition.aloud.size === 0) {
      this.end(what, condition)
      return after
    }
    condition.stable = setTimeout(() => {
      this.end(what, condition)
      this.emit(say(after, { ...flappingOf(condition, this.clock()), stable_for_ms: hold }))
    }, hold)
    condition.stable.unref()
    return after
  }

  /** True while `what` does not work. */
  isDown(what: string): boolean {
    return this.open.get(what)?.since !== undefined
  }

  /** True while `what` comes and goes. */
  isFlapping(what: string): boolean {
    return (this.open.get(what)?.spell.level ?? 0) > 0
  }

  /** Says nothing more. */
  stop(): void {
    for (const { stable } of this.open.values()) clearTimeout(stable)
  }

  private begin(what: string, now: number): Condition {
    const known = this.open.get(what)
    if (known?.since !== undefined) return known
    if (known) {
      clearTimeout(known.stable)
      known.since = now
      known.times++
      known.said = new Map()
      return known
    }
    const spell = this.recurrences.begin(what, now)
    const news = { spell, pace: new Pace(now), times: spell.times, since: now, stable: undefined }
    const condition = { ...news, said: new Map(), aloud: new Set<TroubleCode>() }
    this.open.set(what, condition)
    return condition
  }

  private end(what: string, { spell, times, aloud }: Condition): void {
    this.open.delete(what)
    if (aloud.size > 0) this.recurrences.end(what, { ...spell, times }, this.clock())
  }

  /** The first time at once; then now and then, or when it lasts, or when the reason is another. */
  private isAloud({ aloud, said, pace }: Condition, code: TroubleCode, now: number): boolean {
    const isNew = !aloud.has(code)
    const lasts = said.has(code)
    if (aloud.size > 0 && !isNew && !lasts && pace.wait(now) > 0) return false
    if (aloud.size > 0) pace.told(now)
    return true
  }
}

function flappingOf({ spell, times }: Condition, now: number): Flapping {
  return times > 1 ? { times, within_ms: now - spell.since } : {}
}

function sayingOf(what: string): SayWorks {
  return (after, flapping) =>
    what === 'postgres'
      ? { event: 'postgres_up', down_for_ms: after, ...flapping }
      : { event: 'recovered', what, after_ms: after, ...flapping }
}

function isServer(what: string): what is 'redis' | 'postgres' {
  return what === 'redis' || what === 'postgres'
}

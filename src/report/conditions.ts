import type { Trouble, TroubleCode } from '../errors.js'
import type { Emit } from './events.js'

/** How often a trouble that lasts is said again, in ms. */
const AGAIN = 60_000
/** A trouble that passes by itself is worth a line only if it lasts this long, in ms. */
const PATIENCE = 30_000

interface Condition {
  readonly since: number
  /** When it was last said, by the code of the trouble: another reason is news, too. */
  readonly said: Map<TroubleCode, number>
}

/**
 * Turns failures and successes into a line at each change of state and one a minute in between: a server that is away must not
 * flood the log.
 */
export class Conditions {
  private readonly open = new Map<string, Condition>()

  constructor(
    private readonly emit: Emit,
    private readonly clock: () => number = Date.now,
    /** Told of every failure and success: either way a loop has turned. */
    private readonly onSign: (what: string) => void = () => undefined,
  ) {}

  /** `what` failed: `redis`, `postgres`, or a part of Rekindle such as `candles.m1`. */
  failed(what: string, trouble: Trouble): void {
    this.onSign(what)
    const now = this.clock()
    const condition = this.open.get(what) ?? { since: now, said: new Map() }
    this.open.set(what, condition)
    const patience = isServer(what) || !trouble.passing ? 0 : PATIENCE
    if (now - condition.since < patience) return
    const { code, message: reason, hint } = trouble
    if (now - (condition.said.get(code) ?? Number.NEGATIVE_INFINITY) < AGAIN) return
    condition.said.set(code, now)
    const since = now - condition.since
    if (isServer(what)) this.emit({ event: `${what}_down`, code, reason, hint, down_for_ms: since })
    else this.emit({ event: 'degraded', what, code, reason, hint, since_ms: since })
  }

  /** `what` works. Returns how long it had not, in ms; 0 if it had. */
  worked(what: string): number {
    this.onSign(what)
    const condition = this.open.get(what)
    if (!condition) return 0
    this.open.delete(what)
    const after = this.clock() - condition.since
    if (condition.said.size === 0 || what === 'redis') return after
    this.emit(
      what === 'postgres'
        ? { event: 'postgres_up', down_for_ms: after }
        : { event: 'recovered', what, after_ms: after },
    )
    return after
  }
}

function isServer(what: string): what is 'redis' | 'postgres' {
  return what === 'redis' || what === 'postgres'
}

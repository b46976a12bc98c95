import type { LogEvent } from './events.js'

/**
 * Knows whether the daemon's loops still turn. While Redis is guarded the poll must end again and again, be it with an error: a slow or
 * dead server is no reason to be restarted, as each wait for one has a limit. At other times any sign will do.
 */
export class Liveness {
  private guarding = false
  private last: number | undefined

  constructor(
    /** How long the signs may stay away, in ms; well above the limits of every wait. */
    public limit: number,
    private readonly clock: () => number = () => performance.now(),
  ) {}

  /** Takes in that something worked or failed, by the names of `Conditions`: either way its loop has turned. */
  readonly sign = (what: string): void => {
    if (!this.guarding || what === 'poll') this.last = this.clock()
  }

  /** Takes in what the daemon says of itself. */
  readonly take = ({ event }: LogEvent): void => {
    if (!/^(redis_up|redis_down|reloaded)$/.test(event)) return
    this.guarding = event === 'redis_up'
    if (this.last !== undefined) this.last = this.clock()
  }

  /** For how long there has been no sign, in ms, where that is too long. Before the first one nothing is known. */
  get stuckFor(): number | undefined {
    if (this.last === undefined) return undefined
    const silent = this.clock() - this.last
    return silent > this.limit ? silent : undefined
  }
}

/** How long the signs of life may stay away, in ms, at this period of the poll: a connection and a command may take 15 s. */
export function livenessLimit(poll: number): number {
  return Math.max(60_000, 3 * poll)
}

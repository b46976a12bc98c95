import { clearInterval, setInterval } from 'node:timers'
import type { Board } from '../report/board.js'

/** How often the loop is felt, and for how long a stall is remembered, in ms. */
const BEAT = 500
const MEMORY = 10_000
/** A loop that stood still for this long, in ms, turns no longer. */
const STUCK = 5_000
/** Within this time of the start the daemon says something, whatever state its servers are in, in ms. */
const FIRST_SIGN = 60_000

export interface Health {
  readonly alive: boolean
  readonly reason: string
  /** The longest that the event loop stood still within the last ten seconds, in ms. */
  readonly loop_lag_ms: number
  readonly uptime_s: number
  /** How long ago the daemon last said anything; it may have had no reason to. */
  readonly last_event_s: number
}

/** Feels whether the event loop turns, and whether the daemon lives. */
export class Pulse {
  private readonly stalls: { at: number; lag: number }[] = []
  private readonly began = performance.now()
  private last = this.began
  private readonly timer: NodeJS.Timeout

  constructor(
    private readonly board: Board,
    /** For how long the daemon has given no sign of life, in ms, where that is too long. */
    private readonly stuckFor: () => number | undefined,
  ) {
    this.timer = setInterval(() => this.beat(), BEAT)
    this.timer.unref()
  }

  /** How the process is at this moment. */
  health(): Health {
    const { board } = this
    const uptime = performance.now() - this.began
    const lag = Math.max(0, ...this.stalls.map((stall) => stall.lag), performance.now() - this.last - BEAT)
    const trouble = this.trouble(lag, uptime)
    return {
      alive: trouble === undefined,
      reason: trouble ?? 'its loops turn',
      loop_lag_ms: Math.round(lag),
      uptime_s: Math.round(uptime / 1_000),
      last_event_s: Math.round((Date.now() - board.lastEventAt) / 1_000),
    }
  }

  /** Feels no longer. */
  stop(): void {
    clearInterval(this.timer)
  }

  private trouble(lag: number, uptime: number): string | undefined {
    if (lag >= STUCK) return `the event loop stood still for ${Math.round(lag / 1_000)} s`
    if (!this.board.begun && uptime >= FIRST_SIGN) return 'the daemon has given no sign of life'
    const silent = this.stuckFor()
    return silent === undefined ? undefined : `the daemon has given no sign of life for ${Math.round(silent / 1_000)} s`
  }

  private beat(): void {
    const now = performance.now()
    const lag = now - this.last - BEAT
    this.last = now
    while (this.stalls[0] && this.stalls[0].at < now - MEMORY) this.stalls.shift()
    if (lag > 0) this.stalls.push({ at: now, lag })
  }
}

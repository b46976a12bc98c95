/**
 * The three clocks, one for each kind of question. The machine's own may be wrong, and may be set at any moment: it is for people, files
 * and schedules alone. How long something takes is told by one that never steps, and what expires in Redis goes by Redis' clock.
 */

/** The machine's clock, in epoch ms. */
export function wallTime(): number {
  return Date.now()
}

/** A clock that never steps: in whole epoch ms, as the machine's clock was when this process began. */
export function steadyTime(): number {
  return Math.round(performance.timeOrigin + performance.now())
}

/** A moment of {@link steadyTime} as the machine's clock shows it now. */
export function dateOf(moment: number): Date {
  return new Date(wallTime() - (steadyTime() - moment))
}

/** Redis' clock, as it was last read. */
export class RedisClock {
  private ahead: number | undefined

  /** Takes in that it showed `time`, in epoch ms, at a moment of {@link steadyTime}; undefined: nobody told. */
  read(time: number | undefined, at: number): void {
    if (time !== undefined) this.ahead = time - at
  }

  /** What it shows now, in epoch ms; as long as it was never read, what the machine's clock shows. */
  now(): number {
    return this.ahead === undefined ? wallTime() : steadyTime() + this.ahead
  }
}

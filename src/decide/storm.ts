/** How long nothing more must happen before what came again is over: doubling from the first to the last, in ms. */
const HOLD_FIRST = 1_000
const HOLD_LAST = 30_000
/** The window grows by so many times the quiet that was asked for last. */
const WINDOW_GROWTH = 4

/** A thing that happens, and how it is connected with those before it. */
export interface Spell {
  /** 0 for one alone; one more for each that came soon after the one before it was over. */
  readonly level: number
  /** How often it happened in this row, this time included. */
  readonly times: number
  /** When the first of the row began, in epoch ms. */
  readonly since: number
}

/** How long it must be quiet before a spell of this level is over, in ms: one alone is over at once. */
export function holdOf(level: number): number {
  return level <= 0 ? 0 : Math.min(HOLD_LAST, HOLD_FIRST * 2 ** (level - 1))
}

/**
 * Tells what happens once from what happens again and again, kind by kind. What begins soon after the last of its kind was over belongs to
 * the same row, and must be quiet for longer each time before it counts as over: however it is timed, it is told ever more rarely.
 */
export class Recurrences<Kind> {
  private readonly last = new Map<Kind, Spell & { readonly endedAt: number }>()

  /** `window`: within how many ms of the end of the one before another belongs to the same row; 0: never. */
  constructor(private readonly window: number) {}

  /** A thing of this kind begins. */
  begin(kind: Kind, now: number): Spell {
    const last = this.last.get(kind)
    if (!last || !this.isSoon(last, now)) return { level: 0, times: 1, since: now }
    return { level: last.level + 1, times: last.times + 1, since: last.since }
  }

  /** It is over. */
  end(kind: Kind, spell: Spell, now: number): void {
    if (this.window > 0) this.last.set(kind, { ...spell, endedAt: now })
  }

  /** Goes on where another left off. */
  follow(other: Recurrences<Kind>): void {
    for (const [kind, spell] of other.last) this.last.set(kind, spell)
  }

  private isSoon({ endedAt, level }: Spell & { endedAt: number }, now: number): boolean {
    // Either way: a clock that was set back must not tie things together for ever.
    return Math.abs(now - endedAt) < this.window + WINDOW_GROWTH * holdOf(level)
  }
}

/** How often it is told that something goes on, doubling from the first to the last, and how soon what is new about it, in ms. */
const TELL_FIRST = 5_000
const TELL_LAST = 60_000
const TELL_NEW = 1_000

/** Bounds how often it is told that something goes on. */
export class Pace {
  private interval = TELL_FIRST

  /** Told first at `toldAt`, in epoch ms. */
  constructor(private toldAt: number) {}

  /** In how many ms it may be told again; `isNew`: there is more to tell than a number that has grown. */
  wait(now: number, isNew = false): number {
    const interval = isNew ? TELL_NEW : this.interval
    // After a clock that was set back, not longer than it would take by a clock that was not.
    return Math.max(0, Math.min(interval, this.toldAt + interval - now))
  }

  /** Takes note that it was told. */
  told(now: number): void {
    this.toldAt = now
    this.interval = Math.min(TELL_LAST, 2 * this.interval)
  }
}

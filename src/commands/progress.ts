import { steadyTime } from '../clock.js'

/** How often the line is drawn at most, in ms. */
const PERIOD = 80
const BAR = 24
/** Carriage return, erase the line. */
const ERASE = '\r\x1b[2K'

/** One line on a terminal that says how far the work has come; nothing at all where there is no terminal. */
export class Progress {
  private drawnAt = 0
  private shown = false

  constructor(private readonly terminal: NodeJS.WriteStream = process.stderr) {}

  /** True if there is a terminal and it was not drawn on a moment ago. */
  get isDue(): boolean {
    return this.terminal.isTTY && steadyTime() - this.drawnAt >= PERIOD
  }

  /**
   * Draws a bar for a share from 0 to 1, and what belongs to it, unless a line was drawn a moment ago:
   * `Restoring ━━━━──── 3/5 symbols · 48 keys`.
   */
  show(act: string, share: number, details: readonly string[]): void {
    if (!this.isDue) return
    // It is full only when all is done.
    const full = Math.min(Math.round(BAR * share), share < 1 ? BAR - 1 : BAR)
    this.say([`${act} ${'━'.repeat(full)}${'─'.repeat(BAR - full)} ${details[0]}`, ...details.slice(1)].join(' · '))
  }

  /** Draws a line. */
  say(line: string): void {
    if (!this.terminal.isTTY) return
    this.drawnAt = steadyTime()
    this.shown = true
    // A line that wraps could not be erased.
    this.terminal.write(`${ERASE}${[...line].slice(0, Math.max(1, (this.terminal.columns || 80) - 1)).join('')}`)
  }

  /** Takes the line away, so that what is written next begins on a clean one. */
  clear(): void {
    if (this.shown) this.terminal.write(ERASE)
    this.shown = false
  }
}

/** 12345 -> `12,345`. */
export function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 key`, `2 keys`. */
export function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`
}

import { EventEmitter, once } from 'node:events'
import type { LogEvent } from '../src/report/events.js'

/** One line of the daemon's log, and when it reached us by performance.now(). */
export interface Line {
  readonly at: number
  readonly time: string
  readonly level: string
  readonly msg: string
  readonly event: LogEvent
}

const KEPT = 100

/** The daemon's log so far; it can be waited for what comes next. */
export class Journal {
  readonly lines: Line[] = []
  readonly #news = new EventEmitter()
  readonly #texts: string[] = []
  #failure: Error | undefined

  /** Takes in a line as the daemon printed it. */
  add(text: string): void {
    this.#texts.push(text)
    if (this.#texts.length > KEPT) this.#texts.shift()
    if (!text.startsWith('{')) return
    const { time, level, msg, ...event } = JSON.parse(text) as LogEvent & Pick<Line, 'time' | 'level' | 'msg'>
    this.lines.push({ at: performance.now(), time, level, msg, event: event as LogEvent })
    this.#news.emit('news')
  }

  /** Notes that nothing more will come. */
  fail(failure: Error): void {
    this.#failure = failure
    this.#news.emit('news')
  }

  /** The last things that the daemon printed. */
  tail(count: number): string[] {
    return this.#texts.slice(-count)
  }

  /** Goes through the lines from a place on, and waits for more, until `pick` gives something; rejects when the signal aborts. */
  async until<Value>(
    from: number,
    pick: (line: Line, at: number) => Value | undefined,
    signal?: AbortSignal,
  ): Promise<Value> {
    for (let at = from; ; at++) {
      while (at >= this.lines.length) {
        if (this.#failure) throw this.#failure
        await once(this.#news, 'news', signal && { signal })
      }
      const value = pick(this.lines[at] as Line, at)
      if (value !== undefined) return value
    }
  }
}

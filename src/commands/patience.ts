import { setTimeout as delay } from 'node:timers/promises'
import { steadyTime } from '../clock.js'
import { Trouble } from '../errors.js'

/** Between attempts: a tenth of the wait so far, within these bounds, in ms. */
const SHORTEST = 25
const LONGEST = 1_000
const SILENT = 'is it overloaded, or does something block it?'

/** Waits for what passes by itself, as long as something gets done within the limit; ends everything when nothing does. */
export class Patience {
  private readonly abort = new AbortController()
  private timer: NodeJS.Timeout
  private since = steadyTime()
  private trouble: Trouble | undefined

  constructor(
    /** How long nothing may get done, in ms. */
    private readonly limit: number,
    private readonly onTrouble: (trouble: Trouble) => void = () => undefined,
  ) {
    this.timer = this.startTimer()
  }

  /** Aborts when patience has ended; its reason is the Trouble to report. */
  get signal(): AbortSignal {
    return this.abort.signal
  }

  /** Ends all waiting and work with this as the reason. */
  end(reason: Trouble): void {
    clearTimeout(this.timer)
    this.abort.abort(reason)
  }

  /** Something got done: the limit counts from now. */
  progressed(): void {
    this.trouble = undefined
    this.since = steadyTime()
    this.timer.refresh()
  }

  /** Remembers what is in the way, for the report if it does not pass. */
  blame(trouble: Trouble): void {
    this.trouble = trouble
    this.onTrouble(trouble)
  }

  /** Rests before the next attempt, the longer the longer nothing has got done. */
  pause(signal = this.signal): Promise<void> {
    return this.rest(Math.min(LONGEST, Math.max(SHORTEST, (steadyTime() - this.since) / 10)), signal)
  }

  /** Rests for some ms; rejects with the signal's reason as soon as that aborts. */
  async rest(ms: number, signal = this.signal): Promise<void> {
    // Nothing but the signal cuts a delay short.
    await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted())
  }

  /** Rests for some ms that do not count; the limit counts from their end. Rejects with the signal's reason as soon as that aborts. */
  async restFreely(ms: number, signal = this.signal): Promise<void> {
    clearTimeout(this.timer)
    try {
      await this.rest(ms, signal)
    } finally {
      this.since = steadyTime()
      if (!this.signal.aborted) this.timer = this.startTimer()
    }
  }

  /** Awaits work, but no longer than patience lasts. The work itself is not ended. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    let onEnd: () => void = () => undefined
    const ended = new Promise<never>((_, reject) => {
      onEnd = () => reject(this.signal.reason)
      this.signal.addEventListener('abort', onEnd, { once: true })
    })
    try {
      return await Promise.race([work, ended])
    } finally {
      this.signal.removeEventListener('abort', onEnd)
    }
  }

  /**
   * Asks `server` until it succeeds; rejects with whatever is no trouble that passes, and with the last one when patience ends.
   * `hint` is for a server that says nothing.
   */
  async insist<T>(server: string, attempt: () => Promise<T>, hint = SILENT): Promise<T> {
    const { trouble } = this
    // What is in the way now is this server, not the one that was asked before.
    if (!trouble?.message.startsWith(`${server}: `)) {
      this.trouble = new Trouble('timeout', `${server}: no answer`, hint, true)
    }
    for (;;) {
      try {
        const answer = await this.during(attempt())
        this.trouble = trouble
        return answer
      } catch (error) {
        this.signal.throwIfAborted()
        if (!(error instanceof Trouble && error.passing)) throw error
        this.blame(error)
      }
      await this.pause()
    }
  }

  /** Forgets the time; without this the process would not end before the limit. */
  close(): void {
    clearTimeout(this.timer)
  }

  private startTimer(): NodeJS.Timeout {
    return setTimeout(() => this.end(this.exhausted()), this.limit)
  }

  private exhausted(): Trouble {
    const waited = `after waiting ${sayDuration(this.limit)}`
    if (!this.trouble) {
      const hint = 'a server hangs, a table is locked, or --timeout is too short'
      return new Trouble('timeout', `nothing more got done, ${waited}`, hint, true)
    }
    const { code, message, hint } = this.trouble
    return new Trouble(code, `${message}, ${waited}`, hint, true)
  }
}

/** A duration in ms as people say it: `250 ms`, `1.5 s`, `2 min`. */
export function sayDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${Number((ms / 1_000).toFixed(1))} s`
  return `${Number((ms / 60_000).toFixed(1))} min`
}

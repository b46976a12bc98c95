import type { Emit, LogEvent } from './events.js'
import type { Liveness } from './liveness.js'
import { Notifier } from './notifier.js'
import { StatusLine } from './systemd-status.js'

/** A status is sent when it is this old, in ms: a heal must not compete with the news of it. */
const SETTLE = 500
/** How often a status is looked at again that tells how long ago something was, in ms. */
const AGAIN = 60_000

export interface SystemdOptions {
  readonly socket: string
  /** How often systemd wants a sign of life, in ms; undefined if it wants none. */
  readonly watchdog: number | undefined
  readonly liveness: Liveness
  /** Told once if systemd cannot be reached, and whenever a sign of life is withheld. */
  readonly emit: Emit
  readonly program?: string
}

/** Tells systemd how the daemon is: an observer of its events. */
export class Systemd {
  private readonly status = new StatusLine()
  private readonly notifier: Notifier
  private readonly timers: NodeJS.Timeout[]
  private settling: NodeJS.Timeout | undefined
  private said = ''
  private silent = false
  private stuck = false

  constructor(private readonly options: SystemdOptions) {
    const { socket, program, watchdog } = options
    this.notifier = new Notifier(socket, (reason) => this.failed(reason), program)
    this.timers = [setInterval(() => this.tell(), AGAIN)]
    // Twice in the period that systemd allows is what its manual asks for; once more may get lost.
    if (watchdog !== undefined) this.timers.push(setInterval(() => this.beat(), watchdog / 3))
    for (const timer of this.timers) timer.unref()
  }

  /** Takes in an event. */
  readonly take = (event: LogEvent): void => {
    this.status.take(event)
    if (event.event === 'starting') this.say({ READY: '1' })
    else if (event.event === 'stopping') this.end()
    else if (event.event === 'reloaded') this.say({ READY: '1' })
    else if (event.event === 'reload_failed')
      this.notifier.send({ READY: '1', STATUS: `not reloaded: ${event.reason}` })
    else if (!this.settling) {
      this.settling = setTimeout(() => this.tell(), SETTLE)
      this.settling.unref()
    }
  }

  /** The configuration is about to be read again; `reloaded` or `reload_failed` ends that. */
  reloading(): void {
    const now = process.hrtime.bigint() / 1_000n
    this.say({ RELOADING: '1', MONOTONIC_USEC: String(now) })
  }

  /** Resolves when systemd has been told everything so far. */
  sent(): Promise<void> {
    return this.notifier.sent()
  }

  private end(): void {
    for (const timer of this.timers) clearInterval(timer)
    clearTimeout(this.settling)
    this.say({ STOPPING: '1' })
  }

  private say(assignments: Record<string, string>): void {
    this.said = String(this.status)
    this.notifier.send({ ...assignments, STATUS: this.said })
  }

  /** Tells the status if it is another than before. */
  private tell(): void {
    clearTimeout(this.settling)
    this.settling = undefined
    if (String(this.status) !== this.said) this.say({})
  }

  private beat(): void {
    const { liveness, emit } = this.options
    const stuckFor = liveness.stuckFor
    if (stuckFor === undefined) this.notifier.send({ WATCHDOG: '1' })
    else if (!this.stuck) {
      const reason = `no loop of the daemon has turned for ${Math.round(stuckFor / 1_000)} s`
      const hint = 'systemd will restart it; please report this, it is a bug in Rekindle'
      emit({ event: 'degraded', what: 'watchdog', code: 'unexpected', reason, hint, since_ms: Math.round(stuckFor) })
    }
    this.stuck = stuckFor !== undefined
  }

  private failed(reason: string): void {
    if (this.silent) return
    this.silent = true
    this.options.emit({
      event: 'degraded',
      what: 'systemd',
      code: 'no_program',
      reason: `systemd cannot be told how Rekindle is: ${reason}`,
      hint: 'systemd-notify must be on PATH and NotifyAccess=all set; else use Type=exec and no WatchdogSec',
      since_ms: 0,
    })
  }
}

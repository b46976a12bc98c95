import type { Config } from '../config/schema.js'
import { blankBoard } from '../report/board.js'
import type { Emit, LogEvent } from '../report/events.js'
import { redactValues } from '../report/log.js'
import { openMetrics } from '../report/metrics.js'
import { note } from '../report/note.js'
import { Webhook } from '../report/webhook.js'
import { readAddress } from './address.js'
import { Door } from './door.js'
import { Pulse } from './health.js'
import { fragmentsOf } from './page.js'
import { routes } from './routes.js'
import { Stream } from './stream.js'

type Places = Pick<Config, 'http' | 'alerts'>

export interface Outlets {
  /** Takes an event: the board, the metrics and the webhook see it. Never waits, never throws. */
  readonly observe: Emit
  /** Goes on at other places, as a new configuration names them. */
  follow(config: Places): void
  /** Stops listening, and gives alerts that are on their way a moment. */
  close(): Promise<void>
}

/** Names of symbols in these must stay what they are, and nothing in them can be a password. They are also the most frequent. */
const OF_SYMBOLS: ReadonlySet<string> = new Set(['sync', 'symbol_ready', 'symbol_lost', 'symbol_healed', 'surveyed'])

/**
 * Opens all by which Rekindle is seen from outside, but for the log: health, metrics and the status page at `http.listen`, and alerts
 * to `alerts.webhook`. Trouble with them is emitted, and hinders nothing else; `emit` is to lead back to `observe`, too.
 *
 * `stuckFor` says for how long, in ms, the daemon has given no sign of life, where that is too long: then /healthz answers 503.
 */
export function openOutlets(
  config: Places,
  version: string,
  emit: Emit,
  stuckFor: () => number | undefined = () => undefined,
): Outlets {
  const board = blankBoard(version, Date.now())
  const metrics = openMetrics(board)
  const pulse = new Pulse(board, stuckFor)
  const stream = new Stream(board, (now) => fragmentsOf(board, now))
  const webhook = new Webhook(config.alerts.webhook, { version, emit, delivered: metrics.delivered })
  const door = new Door((listen) => routes(readAddress(listen), { board, pulse, stream, metrics }), emit)
  door.follow(config.http.listen)
  let failed = false
  return {
    observe: (event) => {
      try {
        const clean = OF_SYMBOLS.has(event.event) ? event : redactValues(event)
        note(board, clean, Date.now())
        metrics.observe(clean)
        webhook.observe(clean)
      } catch (error) {
        // What is shown may be wrong from here on; what is guarded must not be.
        if (failed) return
        failed = true
        emit(blind(error))
      }
    },
    follow: ({ http, alerts }) => {
      webhook.follow(alerts.webhook)
      door.follow(http.listen)
    },
    close: async () => {
      pulse.stop()
      stream.close()
      await Promise.all([door.close(), webhook.close()])
    },
  }
}

function blind(error: unknown): LogEvent {
  const reason = `an event could not be taken in: ${error instanceof Error ? error.message : String(error)}`
  const hint = 'the status page and the metrics may lack something; please report this'
  return { event: 'degraded', what: 'http', code: 'unexpected', reason, hint, since_ms: 0 }
}

import type { Config } from '../config/schema.js'
import { blankBoard } from '../report/board.js'
import type { Emit } from '../report/events.js'
import { redactValues } from '../report/log.js'
import { openMetrics } from '../report/metrics.js'
import { note } from '../report/note.js'
import { Webhook } from '../report/webhook.js'
import { readAddress } from './address.js'
import { Pulse } from './health.js'
import { Listening } from './listening.js'
import { fragmentsOf } from './page.js'
import { routes } from './routes.js'
import { Stream } from './stream.js'

export interface Outlets {
  /** Takes an event: the board, the metrics and the webhook see it. Never waits, never throws. */
  readonly observe: Emit
  /** Stops listening, and gives alerts that are on their way a moment. */
  close(): Promise<void>
}

/** Names of symbols in these must stay what they are, and nothing in them can be a password. They are also the most frequent. */
const OF_SYMBOLS: ReadonlySet<string> = new Set(['sync', 'symbol_ready', 'symbol_lost', 'symbol_healed', 'surveyed'])

/**
 * Opens all by which Rekindle is seen from outside, but for the log: health, metrics and the status page at `http.listen`, and alerts
 * to `alerts.webhook`. Trouble with them is told to `log`, and hinders nothing else.
 *
 * `stuck` says what of the daemon is stuck, if anything is: then /healthz answers 503.
 */
export function openOutlets(
  config: Pick<Config, 'http' | 'alerts'>,
  version: string,
  log: Emit,
  stuck: () => string | undefined = () => undefined,
): Outlets {
  const board = blankBoard(version, Date.now())
  const metrics = openMetrics(board)
  const observe: Emit = (event) => {
    const clean = OF_SYMBOLS.has(event.event) ? event : redactValues(event)
    note(board, clean, Date.now())
    metrics.observe(clean)
    webhook.observe(clean)
  }
  const say: Emit = (event) => {
    log(event)
    observe(event)
  }
  const webhook = new Webhook(config.alerts.webhook, { version, say, delivered: metrics.delivered })
  const pulse = new Pulse(board, stuck)
  const stream = new Stream(board, (now) => fragmentsOf(board, now))
  const { listen } = config.http
  const server = listen
    ? new Listening(listen, routes(readAddress(listen), { board, pulse, stream, metrics }), say)
    : undefined
  return {
    observe,
    close: async () => {
      pulse.stop()
      stream.close()
      await Promise.all([server?.close(), webhook.close()])
    },
  }
}

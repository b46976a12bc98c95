/** What a webhook is sent. */

import { createHmac, randomUUID } from 'node:crypto'
import type { LogEvent } from './events.js'
import { LEVELS, sentence } from './sentences.js'

/** The events that are sent. */
const ALERTS = ['data_loss', 'healed', 'persistence_risk', 'backup_failed'] as const
type Alert = Extract<LogEvent, { event: (typeof ALERTS)[number] }>

export function isAlert(event: LogEvent): event is Alert {
  return (ALERTS as readonly string[]).includes(event.event)
}

export interface Message {
  /** The same at every attempt, so that a receiver can tell a repetition. */
  readonly id: string
  readonly event: Alert['event']
  /** When it happened, in epoch ms. */
  readonly at: number
  readonly body: string
}

/**
 * The alert as JSON: `id`, `event`, `time` (ISO 8601), `level`, `text` (which Slack shows), `rekindle` (the version), and as `fields`
 * what the event holds in the log.
 */
export function makeMessage(event: Alert, version: string, at: number): Message {
  const id = randomUUID()
  const { event: name, ...fields } = event
  const text = `${mark(event)} ${slackText(sentence(event))}`
  const time = new Date(at).toISOString()
  const body = JSON.stringify({ id, event: name, time, level: LEVELS[name], text, rekindle: version, fields })
  return { id, event: name, at, body }
}

/** What Slack shows as a little picture, and everyone else can read. */
function mark(event: Alert): string {
  if (event.event === 'healed') return ':white_check_mark:'
  if (event.event !== 'persistence_risk') return ':rotating_light:'
  return event.severity === 'risk' ? ':warning:' : ':information_source:'
}

/** Slack would take `<!channel>` in a name of others for a call to everyone. */
function slackText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/**
 * The headers of one attempt at `at`. The signature is the HMAC-SHA256, keyed with the bytes of the secret in UTF-8, of exactly these
 * bytes: the value of `X-Rekindle-Timestamp` (seconds since the epoch, in digits), a full stop, and the body as it was sent.
 */
export function headersOf(
  { id, event, body }: Message,
  secret: string | undefined,
  at: number,
): Record<string, string> {
  const timestamp = String(Math.floor(at / 1_000))
  return {
    'Content-Type': 'application/json',
    'User-Agent': 'rekindle',
    'X-Rekindle-Event': event,
    'X-Rekindle-Id': id,
    'X-Rekindle-Timestamp': timestamp,
    ...(secret === undefined
      ? {}
      : {
          'X-Rekindle-Signature': `sha256=${createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')}`,
        }),
  }
}

/** What a webhook is sent. */

import { createHmac, randomUUID } from 'node:crypto'
import type { LogEvent } from './events.js'
import { isWhole, levelOf, sentence } from './sentences.js'

/** The events that are sent. */
const ALERTS = ['data_loss', 'data_loss_continues', 'healed', 'persistence_risk', 'backup_failed'] as const
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
  const body = JSON.stringify({ id, event: name, time, level: levelOf(event), text, rekindle: version, fields })
  return { id, event: name, at, body }
}

/** What Slack shows as a little picture, and everyone else can read. */
function mark(event: Alert): string {
  if (event.event === 'healed') return isWhole(event) ? ':white_check_mark:' : ':warning:'
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

/** The address without `user:password@`, which fetch takes no address with, and the header that says the same. */
export function splitCredentials(url: string): { address: string; authorization: Record<string, string> } {
  const address = new URL(url)
  const { username, password } = address
  if (username === '' && password === '') return { address: url, authorization: {} }
  address.username = ''
  address.password = ''
  const credentials = Buffer.from(`${plain(username)}:${plain(password)}`).toString('base64')
  return { address: address.href, authorization: { Authorization: `Basic ${credentials}` } }
}

/** What stands behind `%40`; a per cent sign that stands for itself is left so. */
function plain(text: string): string {
  return text.replace(/(?:%[\da-f]{2})+/gi, (bytes) => Buffer.from(bytes.replaceAll('%', ''), 'hex').toString())
}

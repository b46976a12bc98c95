import { steadyTime } from '../clock.js'
import type { AlertsConfig } from '../config/telling.js'
import type { Emit, LogEvent } from './events.js'
import { headersOf, isAlert, type Message, makeMessage, splitCredentials } from './webhook-message.js'

/** Alerts wait for a receiver that is away: so many, for so long, in ms. */
const WAITING = 100
const OLDEST = 60 * 60_000
/** Back-off between attempts, in ms, also the most that a receiver may ask for. */
const RETRY_FIRST = 1_000
const RETRY_LAST = 60_000
/** How long alerts on their way may take when Rekindle ends, in ms. */
const FAREWELL = 1_000

export interface WebhookContext {
  readonly version: string
  /** Told when alerts cannot be sent, and when they can again. */
  readonly emit: Emit
  readonly delivered: (result: 'delivered' | 'dropped') => void
}

/** An alert that waits, and since when, by the steady clock. */
type Waiting = Message & { readonly since: number }

/** What an attempt came to; `after`: how long the receiver asked to be left alone, in ms. */
type Outcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly lasting: boolean; readonly after: number }

/** Sends alerts to a URL, one after another, in the background. */
export class Webhook {
  private readonly queue: Waiting[] = []
  private underWay: AbortController | undefined
  private sending: Promise<void> | undefined
  /** Whether alerts are being sent: true until no more wait, with nothing in between. */
  private busy = false
  private failures = 0
  private since = 0
  /** Why alerts were dropped, as far as it was said since the last one was taken. */
  private readonly saidDropped = new Set<string>()
  private wake: (() => void) | undefined
  private closed = false

  constructor(
    private config: AlertsConfig['webhook'],
    private readonly context: WebhookContext,
  ) {}

  /** Takes an event, and sends it if it is an alert. Returns at once. */
  readonly observe = (event: LogEvent): void => {
    if (this.config.url === undefined || this.closed || !isAlert(event)) return
    this.queue.push({ ...makeMessage(event, this.context.version, Date.now()), since: steadyTime() })
    if (this.queue.length > WAITING) this.full()
    if (this.busy) return
    this.busy = true
    this.sending = this.drain()
  }

  /** Sends by another configuration from now on: what waits is tried at once, and dropped if there is no URL any more. */
  follow(config: AlertsConfig['webhook']): void {
    const before = this.config
    this.config = config
    const isOther = config.url !== before.url
    if (!isOther && config.secret === before.secret) return
    if (config.url === undefined) this.drop(this.queue.length)
    // Nobody waits for the receiver from before: that it failed is over.
    if (isOther) this.underWay?.abort()
    if (isOther && this.queue.length === 0) this.worked()
    this.wake?.()
  }

  /** Gives alerts that are on their way a moment, then gives up. */
  async close(): Promise<void> {
    this.closed = true
    this.wake?.()
    const timer = setTimeout(() => {
      this.queue.length = 0
      this.underWay?.abort()
    }, FAREWELL)
    await this.sending
    clearTimeout(timer)
  }

  private async drain(): Promise<void> {
    try {
      for (;;) {
        this.dropExpired()
        const [message] = this.queue
        const { url } = this.config
        if (!message || url === undefined) return
        const outcome = await this.attempt(message, url)
        // What an address answered that is no longer ours says nothing of the one that is.
        if (!outcome.ok && url !== this.config.url) continue
        this.settle(message, outcome)
        if (outcome.ok || outcome.lasting) continue
        if (this.closed) return
        await this.pause(Math.max(outcome.after, RETRY_FIRST * 2 ** Math.min(this.failures - 1, 10)))
      }
    } finally {
      // In the same step as the look at what waits, so that an alert that comes now is not left to the next one.
      this.busy = false
    }
  }

  private settle(message: Waiting, outcome: Outcome): void {
    if (outcome.ok) {
      this.remove(message)
      this.context.delivered('delivered')
      this.worked()
      return
    }
    this.failed(outcome.reason)
    // The same would be refused again; the next may be taken.
    if (outcome.lasting && this.remove(message)) this.context.delivered('dropped')
  }

  private async attempt(message: Message, url: string): Promise<Outcome> {
    const { secret, timeout } = this.config
    const { address, authorization } = splitCredentials(url)
    const underWay = new AbortController()
    this.underWay = underWay
    const timer = setTimeout(() => underWay.abort(), timeout)
    try {
      const response = await fetch(address, {
        method: 'POST',
        headers: { ...headersOf(message, secret, Date.now()), ...authorization },
        body: message.body,
        // A redirect would turn the POST into a GET, or carry alerts to where nobody wanted them.
        redirect: 'manual',
        signal: underWay.signal,
      })
      // What it answers matters to nobody, and may be without end.
      await response.body?.cancel().catch(() => undefined)
      return judge(response)
    } catch (error) {
      return { ok: false, reason: explain(error, timeout), lasting: false, after: 0 }
    } finally {
      clearTimeout(timer)
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(RETRY_LAST, ms))
      timer.unref()
      this.wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  /** False if it has been dropped meanwhile. */
  private remove(message: Waiting): boolean {
    const at = this.queue.indexOf(message)
    if (at >= 0) this.queue.splice(at, 1)
    return at >= 0
  }

  private dropExpired(): void {
    const fresh = this.queue.findIndex(({ since }) => steadyTime() - since <= OLDEST)
    const expired = fresh < 0 ? this.queue.length : fresh
    this.drop(expired)
    // Whether the receiver is back is not known before the next alert; that these never came is.
    if (expired > 0) this.tellDropped('webhook_expired', 'alerts that waited for an hour are dropped')
  }

  private drop(count: number): void {
    for (const _ of this.queue.splice(0, count)) this.context.delivered('dropped')
  }

  private full(): void {
    this.drop(1)
    this.tellDropped('webhook_full', `more than ${WAITING} alerts wait: the oldest are dropped`)
  }

  private tellDropped(code: string, reason: string): void {
    if (this.saidDropped.has(code)) return
    this.saidDropped.add(code)
    this.tell(code, reason)
  }

  private failed(reason: string): void {
    if (this.failures++ > 0) return
    this.since = steadyTime()
    this.tell('webhook_failed', reason)
  }

  private tell(code: string, reason: string): void {
    const hint = `check alerts.webhook; the newest ${WAITING} alerts are tried again for an hour, and all stand in the log`
    const since_ms = this.failures > 0 ? steadyTime() - this.since : 0
    this.context.emit({ event: 'degraded', what: 'webhook', code, reason: `alerts.webhook: ${reason}`, hint, since_ms })
  }

  private worked(): void {
    const hadFailed = this.failures > 0
    if (!hadFailed && this.saidDropped.size === 0) return
    this.failures = 0
    this.saidDropped.clear()
    this.context.emit({ event: 'recovered', what: 'webhook', after_ms: hadFailed ? steadyTime() - this.since : 0 })
  }
}

/** 2xx took it. A request that is wrong stays so; a redirect and an overload are mended by somebody. */
function judge({ ok, status, headers }: Response): Outcome {
  if (ok) return { ok: true }
  const asked = Number(headers.get('retry-after'))
  const after = Number.isFinite(asked) && asked > 0 ? asked * 1_000 : 0
  const lasting = status === 400 || status === 413 || status === 422
  const moved = status >= 300 && status < 400 ? ', a redirect, which is not followed' : ''
  return { ok: false, reason: `the receiver answered ${status}${moved}`, lasting, after }
}

/** Why there was no answer. Never with the URL in it: of a webhook, it is a secret. */
function explain(error: unknown, timeout: number): string {
  if (!(error instanceof Error)) return 'it cannot be reached'
  if (error.name === 'AbortError') return `no answer within ${timeout} ms`
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException
  if (message === 'bad port') return 'its port is one that HTTP must not be sent to, as 25 or 6000 are; use another'
  return typeof code === 'string' ? `it cannot be reached (${code})` : 'it cannot be reached'
}

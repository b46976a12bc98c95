import { Agent, type IncomingHttpHeaders, type RequestOptions, request } from 'node:http'
import { afterEach } from 'vitest'
import { freePort } from '../../lab/port.js'
import type { LogEvent } from '../../src/report/events.js'
import { openOutlets } from '../../src/serve/outlets.js'
import { until } from '../support/until.js'

const closers: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

export interface Opened {
  readonly listen: string
  /** The outlets see these, as they see what they say themselves. */
  emit(...events: readonly LogEvent[]): void
  /** What they have said themselves. */
  readonly said: readonly LogEvent[]
  close(): Promise<void>
  follow(listen: string | false): void
}

/** Opens outlets at a free port, or elsewhere; closed after the test. */
export async function open(listen?: string, stuckFor?: () => number | undefined): Promise<Opened> {
  const said: LogEvent[] = []
  const where = listen ?? `127.0.0.1:${await freePort()}`
  const alerts = { webhook: { timeout: 1_000 } }
  const outlets = openOutlets(
    { http: { listen: where }, alerts },
    '1.2.3',
    (event) => {
      said.push(event)
      outlets.observe(event)
    },
    stuckFor,
  )
  closers.push(outlets.close)
  if (listen === undefined) await until(() => get(where, '/healthz').catch(() => undefined))
  return {
    listen: where,
    said,
    emit: (...events) => {
      for (const event of events) outlets.observe(event)
    },
    close: outlets.close,
    follow: (next) => outlets.follow({ http: { listen: next }, alerts }),
  }
}

export interface Got {
  status: number
  headers: IncomingHttpHeaders
  body: string
  json(): Record<string, unknown>
}

/** Asks for a path at `host:port` or a socket. */
export function get(listen: string, path: string, options: RequestOptions = {}): Promise<Got> {
  const [host, port] = listen.split(/:(?=\d+$)/)
  const where = listen.startsWith('/') ? { socketPath: listen } : { host, port }
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path, agent: new Agent({ keepAlive: false }), ...options }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      response.on('end', () => {
        const { statusCode: status = 0, headers } = response
        resolve({ status, headers, body, json: () => JSON.parse(body) as Record<string, unknown> })
      })
      response.on('error', reject)
    })
    asked.on('error', reject)
    asked.end()
  })
}

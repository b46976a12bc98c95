import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { LogEvent } from '../../src/report/events.js'
import { Webhook } from '../../src/report/webhook.js'
import { event, WHOLE } from '../serve/scenes.js'
import { until } from '../support/until.js'

interface Got {
  method: string | undefined
  url: string | undefined
  headers: IncomingHttpHeaders
  body: string
  at: number
}

/** What a receiver answers: a status, with headers if need be; `hang`: nothing at all. */
type Reply = number | 'hang' | { status: number; headers: Record<string, string> }

const servers: Server[] = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

/** A receiver that gives these replies in turn, the last one for ever. */
async function receive(...replies: Reply[]): Promise<{ url: string; got: Got[]; server: Server }> {
  const got: Got[] = []
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const { method, url, headers } = request
      got.push({ method, url, headers, body: Buffer.concat(parts).toString(), at: Date.now() })
      const reply = replies[Math.min(got.length, replies.length) - 1] ?? 200
      if (reply === 'hang') return
      const { status, headers: more } = typeof reply === 'number' ? { status: reply, headers: {} } : reply
      response.writeHead(status, more).end('thanks')
    })
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/services/T0/B0/hush`, got, server }
}

function hook(config: { url?: string; secret?: string; timeout?: number }) {
  const said: LogEvent[] = []
  const results: string[] = []
  const webhook = new Webhook(
    { timeout: 2_000, ...config },
    { version: '1.2.3', emit: (each) => said.push(each), delivered: (result) => results.push(result) },
  )
  return { webhook, said, results }
}

describe('the webhook', () => {
  it('posts alerts, and nothing else, in their order', async () => {
    const { url, got } = await receive(200)
    const { webhook, said } = hook({ url })
    const events = [
      ...WHOLE,
      event('data_loss'),
      event('loss_joined'),
      event('healed'),
      event('persistence_risk'),
      event('backup_failed'),
    ]
    for (const each of events) webhook.observe(each)
    await until(() => got.length === 4)
    const bodies = got.map(({ body }) => JSON.parse(body) as Record<string, unknown>)
    expect(bodies.map((body) => body['event'])).toEqual(['data_loss', 'healed', 'persistence_risk', 'backup_failed'])
    expect(bodies[0]).toEqual({
      id: expect.stringMatching(/^[\da-f-]{36}$/),
      event: 'data_loss',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      level: 'error',
      text: ':rotating_light: Redis lost data (flush): 54 keys of 3 symbols; healing',
      rekindle: '1.2.3',
      fields: expect.objectContaining({ incident: 1, cause: 'flush', keys_lost: 54 }),
    })
    expect(got[0]).toMatchObject({
      method: 'POST',
      url: '/services/T0/B0/hush',
      headers: {
        'content-type': 'application/json',
        'x-rekindle-event': 'data_loss',
        'x-rekindle-id': bodies[0]?.['id'],
      },
    })
    expect(got[0]?.headers['x-rekindle-signature']).toBeUndefined()
    expect(said).toEqual([])
    await webhook.close()
  })

  it('signs its timestamp, a full stop and the body, byte by byte', async () => {
    const { url, got } = await receive(200)
    const { webhook } = hook({ url, secret: 'schlüssel' })
    webhook.observe(event('backup_failed', { reason: 'die Platte ist voll: “/” <!channel>' }))
    await until(() => got.length === 1)
    const { headers, body = '' } = got[0] ?? {}
    const timestamp = String(headers?.['x-rekindle-timestamp'])
    const mac = createHmac('sha256', Buffer.from('schlüssel'))
      .update(Buffer.from(`${timestamp}.${body}`))
      .digest('hex')
    expect(headers?.['x-rekindle-signature']).toBe(`sha256=${mac}`)
    expect(Math.abs(Number(timestamp) - Date.now() / 1_000)).toBeLessThan(5)
    expect((JSON.parse(body) as { text: string }).text).toContain('&lt;!channel&gt;')
    await webhook.close()
  })

  it.each([500, 429, 302] as const)('tries again after %s, with the same id, and says so once', async (status) => {
    const { url, got } = await receive({ status, headers: { location: 'http://127.0.0.1:1/elsewhere' } }, 200)
    const { webhook, said, results } = hook({ url })
    webhook.observe(event('data_loss'))
    await until(() => results.length === 1)
    expect(got.map(({ method }) => method)).toEqual(['POST', 'POST'])
    expect(new Set(got.map(({ headers }) => headers['x-rekindle-id'])).size).toBe(1)
    expect((got[1]?.at ?? 0) - (got[0]?.at ?? 0)).toBeGreaterThan(900)
    expect(said).toMatchObject([
      { event: 'degraded', what: 'webhook', code: 'webhook_failed', reason: expect.stringContaining(String(status)) },
      { event: 'recovered', what: 'webhook' },
    ])
    expect(results).toEqual(['delivered'])
    await webhook.close()
  })

  it('waits for as long as it is asked to', async () => {
    const { url, got } = await receive({ status: 503, headers: { 'retry-after': '2' } }, 200)
    const { webhook, results } = hook({ url })
    webhook.observe(event('data_loss'))
    await until(() => results.length === 1)
    expect((got[1]?.at ?? 0) - (got[0]?.at ?? 0)).toBeGreaterThan(1_900)
    await webhook.close()
  })

  it('drops what is refused for good, and goes on with the next', async () => {
    const { url, got } = await receive(400, 200)
    const { webhook, results } = hook({ url })
    webhook.observe(event('data_loss'))
    webhook.observe(event('healed'))
    await until(() => results.length === 2)
    expect(results).toEqual(['dropped', 'delivered'])
    expect(got.map(({ headers }) => headers['x-rekindle-event'])).toEqual(['data_loss', 'healed'])
    await webhook.close()
  })

  it('hangs up on a receiver that hangs, and tries again', async () => {
    const { url, results, said, webhook } = await (async () => {
      const receiver = await receive('hang', 200)
      return { ...receiver, ...hook({ url: receiver.url, timeout: 200 }) }
    })()
    webhook.observe(event('data_loss'))
    await until(() => results.length === 1)
    expect(said[0]).toMatchObject({ reason: 'alerts.webhook: no answer within 200 ms' })
    expect(JSON.stringify(said)).not.toMatch(/hush|services/)
    expect(url).toContain('hush')
    await webhook.close()
  })

  it('slows nothing down, and holds so many alerts for a receiver that is dead', async () => {
    const { webhook, said, results } = hook({ url: 'http://127.0.0.1:1/services/hush' })
    const began = performance.now()
    for (let i = 0; i < 1_000; i++) webhook.observe(event('data_loss', { incident: i }))
    expect(performance.now() - began).toBeLessThan(500)
    await until(() => said.length === 2)
    expect(results).toEqual(Array(900).fill('dropped'))
    expect(said.map((each) => 'code' in each && each.code).sort()).toEqual(['webhook_failed', 'webhook_full'])
    expect(JSON.stringify(said)).not.toContain('hush')
    const closing = performance.now()
    await webhook.close()
    expect(performance.now() - closing).toBeLessThan(1_500)
  })

  it('gives an alert that is on its way a moment at the end, and no more', async () => {
    const good = await receive(200)
    const last = hook({ url: good.url })
    last.webhook.observe(event('data_loss'))
    await last.webhook.close()
    expect(good.got).toHaveLength(1)
    const bad = await receive('hang')
    const stuck = hook({ url: bad.url, timeout: 60_000 })
    stuck.webhook.observe(event('data_loss'))
    await until(() => bad.got.length === 1)
    const closing = performance.now()
    await stuck.webhook.close()
    expect(performance.now() - closing).toBeLessThan(2_000)
  })

  it('is no trouble any more once no alerts are wanted', async () => {
    const bad = await receive(500)
    const { webhook, said, results } = hook({ url: bad.url })
    webhook.observe(event('data_loss'))
    webhook.observe(event('healed'))
    await until(() => said.length === 1)
    webhook.follow({ timeout: 2_000 })
    expect(said[1]).toMatchObject({ event: 'recovered', what: 'webhook' })
    expect(results).toEqual(['dropped', 'dropped'])
    const good = await receive(200)
    webhook.follow({ timeout: 2_000, url: good.url })
    webhook.observe(event('backup_failed'))
    await until(() => results.length === 3)
    expect(good.got.map(({ headers }) => headers['x-rekindle-event'])).toEqual(['backup_failed'])
    expect(bad.got).toHaveLength(1)
    expect(said).toHaveLength(2)
    await webhook.close()
  })

  it('sends what waits to another URL at once', async () => {
    const bad = await receive({ status: 503, headers: { 'retry-after': '60' } })
    const { webhook, said, results } = hook({ url: bad.url })
    webhook.observe(event('data_loss'))
    await until(() => said.length === 1)
    const good = await receive(200)
    const began = performance.now()
    webhook.follow({ timeout: 2_000, url: good.url })
    await until(() => results.length === 1)
    expect(performance.now() - began).toBeLessThan(1_000)
    expect(said[1]).toMatchObject({ event: 'recovered', what: 'webhook' })
    expect(results).toEqual(['delivered'])
    await webhook.close()
  })

  it('drops alerts that nobody took for an hour, says so once, and is well again with the next that is taken', async () => {
    const { url } = await receive(500, 200)
    const { webhook, said, results } = hook({ url })
    webhook.observe(event('data_loss'))
    webhook.observe(event('healed'))
    await until(() => said.length === 1)
    const later = performance.now() + 61 * 60_000
    vi.spyOn(performance, 'now').mockReturnValue(later)
    await until(() => said.length === 2)
    expect(said[1]).toMatchObject({ event: 'degraded', what: 'webhook', code: 'webhook_expired' })
    expect(results).toEqual(['dropped', 'dropped'])
    webhook.observe(event('backup_failed'))
    await until(() => results.length === 3)
    expect(said[2]).toMatchObject({ event: 'recovered', what: 'webhook' })
    await webhook.close()
  })

  it('leaves no alert behind that comes as the last one is done', async () => {
    const { url, got } = await receive(200)
    const results: string[] = []
    const webhook: Webhook = new Webhook(
      { timeout: 2_000, url },
      {
        version: '1.2.3',
        emit: () => undefined,
        delivered: (result) => {
          results.push(result)
          // A few steps later nothing waits any more, and what sent it may not have ended yet.
          let steps = results.length
          const later = (): void => {
            if (steps-- > 0) queueMicrotask(later)
            else if (results.length < 8) webhook.observe(event('healed'))
          }
          later()
        },
      },
    )
    webhook.observe(event('data_loss'))
    await until(() => got.length === 8)
    await webhook.close()
  })

  it('gives the user and the password of its URL in a header', async () => {
    const { url, got } = await receive(200)
    const { webhook, results, said } = hook({ url: url.replace('//', '//ops%40home:p%C3%A4ss:w0rd%@') })
    webhook.observe(event('data_loss'))
    await until(() => results.length + said.length === 1)
    expect(got[0]?.url).toBe('/services/T0/B0/hush')
    const credentials = got[0]?.headers.authorization?.replace('Basic ', '') ?? ''
    expect(Buffer.from(credentials, 'base64').toString()).toBe('ops@home:päss:w0rd%')
    await webhook.close()
  })

  it('says so of a port that HTTP is not sent to', async () => {
    const { webhook, said } = hook({ url: 'http://127.0.0.1:6000/services/hush' })
    webhook.observe(event('data_loss'))
    await until(() => said.length === 1)
    expect(said[0]).toMatchObject({ reason: expect.stringContaining('its port is one that HTTP must not be sent to') })
    await webhook.close()
  })

  it('does nothing without a URL', () => {
    const { webhook, said, results } = hook({})
    webhook.observe(event('data_loss'))
    expect([said, results]).toEqual([[], []])
  })
})

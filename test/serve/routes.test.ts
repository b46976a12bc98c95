import { connect, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { LogEvent } from '../../src/report/events.js'
import { until } from '../support/until.js'
import { get, open } from './outlets.js'
import { event, symbols, WHOLE } from './scenes.js'

/** A connection that says just this, and what it hears. */
function dial(listen: string, text: string): { socket: Socket; heard(): string; closed(): boolean } {
  let heard = ''
  let closed = false
  const socket = connect(Number(listen.split(':')[1]), '127.0.0.1', () => socket.write(text))
  socket.setEncoding('utf8').on('data', (more: string) => {
    heard += more
  })
  socket.on('close', () => {
    closed = true
  })
  socket.on('error', () => undefined)
  return { socket, heard: () => heard, closed: () => closed }
}

describe('/readyz', () => {
  it('tells whether everything is whole, and why not', async () => {
    const { listen, emit } = await open()
    const ask = async () => {
      const { status, json } = await get(listen, '/readyz')
      return { status, ...json() }
    }
    expect(await ask()).toMatchObject({ status: 503, ready: false, code: 'starting' })
    emit(...WHOLE)
    expect(await ask()).toEqual({
      status: 200,
      ready: true,
      code: 'ready',
      reason: 'all 3 symbols are whole',
      symbols: 3,
      not_ready: 0,
      first_not_ready: [],
    })
    emit(event('data_loss'), ...symbols('symbol_lost', ['BTC', 'ETH']))
    expect(await ask()).toMatchObject({ status: 503, code: 'data_loss', not_ready: 2, first_not_ready: ['BTC', 'ETH'] })
    emit(...symbols('symbol_ready', ['BTC', 'ETH']), event('healed'))
    expect(await ask()).toMatchObject({ status: 200 })
    emit(event('redis_down'))
    expect(await ask()).toMatchObject({ status: 503, code: 'redis_down', reason: 'gone' })
  })

  it('tells by what changes are found, and what works with less, if it is asked to', async () => {
    const { listen, emit } = await open()
    const source = { dataset: 'candles.m1', key: 'candles.timeframes.m1', table: 'ohlcv4_m1' }
    const polled = { ...source, found_by: 'poll', within_ms: 1_000, why: 'it is a view' } as const
    emit(...WHOLE, { event: 'change_sources', tables: [polled] })
    const { status, json } = await get(listen, '/readyz?verbose')
    expect({ status, ...json() }).toMatchObject({ status: 200, ready: true, change_sources: [polled], degraded: [] })
    emit({ event: 'change_sources', tables: [{ ...source, found_by: 'triggers', within_ms: 10 }] })
    emit({ event: 'degraded', what: 'triggers', code: 'postgres_schema', reason: 'r', hint: 'h', since_ms: 0 })
    expect((await get(listen, '/readyz?verbose')).json()).toMatchObject({
      ready: true,
      change_sources: [{ found_by: 'triggers' }],
      degraded: [{ what: 'triggers', reason: 'r', hint: 'h' }],
    })
    expect((await get(listen, '/readyz')).json()).not.toHaveProperty('degraded')
    expect((await get(listen, '/')).body).toContain('Changes are found by triggers within 10 ms (candles.m1)')
  })

  it('tells it of one symbol, or of several', async () => {
    const { listen, emit } = await open()
    emit(...WHOLE, { event: 'symbols', total: 4, added: ['A&B =/ü'], removed: [] })
    emit(...symbols('symbol_ready', ['A&B =/ü']), ...symbols('symbol_lost', ['ETH']))
    const status = async (query: string) => (await get(listen, `/readyz?${query}`)).status
    expect(await status('symbol=BTC')).toBe(200)
    expect(await status('symbol=ETH')).toBe(503)
    expect(await status('symbol=BTC&symbol=ADA')).toBe(200)
    expect(await status('symbol=BTC&symbol=ETH')).toBe(503)
    expect(await status(`symbol=${encodeURIComponent('A&B =/ü')}`)).toBe(200)
    expect(await status('symbol=%E0%A4%A')).toBe(404)
    const unknown = await get(listen, '/readyz?symbol=btc')
    expect(unknown).toMatchObject({ status: 404 })
    expect(unknown.json()).toEqual({
      symbol: 'btc',
      ready: false,
      code: 'unknown_symbol',
      reason: 'no symbol of that name is enabled',
    })
    const typo = await get(listen, '/readyz?symbl=BTC')
    expect(typo.status).toBe(400)
    expect(typo.json()).toEqual({ error: 'unknown parameter "symbl"; it should be symbol' })
  })
})

describe('/healthz', () => {
  it('lives while its loops turn, whatever its servers do', async () => {
    const { listen, emit } = await open()
    emit(event('redis_down'))
    const { status, json } = await get(listen, '/healthz')
    expect(status).toBe(200)
    expect(json()).toMatchObject({ alive: true, loop_lag_ms: expect.any(Number), uptime_s: expect.any(Number) })
  })

  it('does not once the daemon gives no sign of life', async () => {
    let silent: number | undefined
    const { listen } = await open(undefined, () => silent)
    silent = 90_000
    await until(async () => (await get(listen, '/healthz')).status === 503)
    expect((await get(listen, '/healthz')).json()).toMatchObject({
      alive: false,
      reason: 'the daemon has given no sign of life for 90 s',
    })
  })

  it('tells of a loop that stood still', async () => {
    const { listen } = await open()
    const end = performance.now() + 1_200
    while (performance.now() < end);
    await until(async () => Number((await get(listen, '/healthz')).json()['loop_lag_ms']) > 500)
  })
})

describe('the server', () => {
  it('gives all it has, each with its type', async () => {
    const { listen, emit } = await open()
    emit(...WHOLE, event('data_loss'), event('healed'))
    const types = {
      '/': 'text/html',
      '/metrics': 'text/plain',
      '/status.json': 'application/json',
      '/healthz': 'application/json',
    }
    for (const [path, type] of Object.entries(types)) {
      const { status, headers, body } = await get(listen, path)
      expect(status, path).toBe(200)
      expect(headers['content-type'], path).toContain(type)
      expect(Number(headers['content-length']), path).toBe(Buffer.byteLength(body))
      expect(headers, path).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
      expect(headers['content-security-policy'], path).toContain("default-src 'none'")
      const head = await get(listen, path, { method: 'HEAD' })
      expect(head, path).toMatchObject({ status: 200, body: '' })
    }
    expect((await get(listen, '/status.json')).json()).toMatchObject({
      ready: true,
      redis: { name: '127.0.0.1:6379/0', state: 'up' },
      incidents: [{ cause: 'flush', healed: { time_to_heal_ms: 312 } }],
      symbols: expect.arrayContaining([expect.objectContaining({ symbol: 'BTC', ready: true })]),
    })
    expect((await get(listen, '/metrics')).body).toContain('rekindle_ready 1\n')
  })

  it('holds no password, whoever writes one into an event', async () => {
    const { listen, emit } = await open()
    const reason = 'no answer from redis://me:hunter2@host:6379/0'
    emit(
      ...WHOLE,
      event('persistence_risk', { reason }),
      event('backup_failed', { hint: 'password=hunter2' }),
      event('redis_down', { reason }),
    )
    for (const path of ['/', '/status.json', '/readyz', '/metrics']) {
      expect((await get(listen, path)).body, path).not.toContain('hunter2')
    }
  })

  it('stands whatever an event holds', async () => {
    const { listen, emit, said } = await open()
    emit(...WHOLE, { event: 'data_loss', incident: 1 } as LogEvent, { event: 'healed' } as LogEvent)
    emit({ event: 'sync', symbol: 'BTC', latency_ms: Number.NaN } as LogEvent, event('redis_down'))
    expect(said).toMatchObject([{ event: 'degraded', what: 'http', code: 'unexpected' }])
    for (const path of ['/', '/status.json', '/metrics']) expect((await get(listen, path)).status, path).toBe(200)
    expect((await get(listen, '/readyz')).json()).toMatchObject({ code: 'redis_down' })
  })

  it('refuses what it has not, and what only changes things', async () => {
    const { listen } = await open()
    expect(await get(listen, '/admin')).toMatchObject({ status: 404 })
    expect(await get(listen, '/../../etc/passwd')).toMatchObject({ status: 404 })
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE']) {
      const { status, headers } = await get(listen, '/readyz', { method })
      expect({ method, status, allow: headers.allow }).toEqual({ method, status: 405, allow: 'GET, HEAD' })
    }
  })

  it('keeps other sites out by the Host that they cannot help sending', async () => {
    const { listen } = await open()
    const status = async (host: string) => (await get(listen, '/status.json', { headers: { host } })).status
    for (const host of [
      'evil.example',
      'evil.example:9808',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '[evil]',
    ]) {
      expect(await status(host), host).toBe(421)
    }
    for (const host of [
      'localhost',
      'LOCALHOST:9808',
      '127.0.0.1:9808',
      '[::1]:9808',
      '10.1.2.3:9808',
      'rekindle.localhost',
    ]) {
      expect(await status(host), host).toBe(200)
    }
    const old = dial(listen, 'GET /readyz HTTP/1.0\r\n\r\n')
    await until(() => old.heard().startsWith('HTTP/1.1 503'))
  })

  it('answers to any name beyond loopback', async () => {
    const port = Number((await open()).listen.split(':')[1]) + 1
    await open(`0.0.0.0:${port}`)
    const { status } = await until(() =>
      get(`127.0.0.1:${port}`, '/healthz', { headers: { host: 'rekindle.monitoring.svc:9808' } }).catch(
        () => undefined,
      ),
    )
    expect(status).toBe(200)
  })

  it('hangs up on who says half a request, or nonsense, or too much', async () => {
    const { listen } = await open()
    const nonsense = dial(listen, 'hello\r\n\r\n')
    const long = dial(listen, `GET /readyz HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`)
    const half = dial(listen, 'GET /readyz HTTP/1.1\r\nHost: loc')
    await until(() => nonsense.closed() && long.closed())
    expect(nonsense.heard()).toMatch(/^HTTP\/1\.1 400 /)
    expect(long.heard()).toMatch(/^HTTP\/1\.1 431 /)
    await until(() => half.closed(), { timeout: 9_000 })
    expect(half.heard()).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('has room for so many, and for others again when they have gone', async () => {
    const { listen } = await open()
    const idle = Array.from({ length: 300 }, () => dial(listen, ''))
    await until(() => idle.filter(({ closed }) => closed()).length >= 44)
    await expect(get(listen, '/healthz')).rejects.toThrow()
    for (const { socket } of idle) socket.destroy()
    await until(() => get(listen, '/healthz').catch(() => undefined))
  })

  it('answers a flood from what it has made already', async () => {
    const { listen, emit } = await open()
    emit(...WHOLE)
    const began = performance.now()
    const one = 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n'
    const flood = dial(listen, one.repeat(5_000))
    await until(() => flood.heard().split('HTTP/1.1 200').length > 5_000)
    expect(performance.now() - began).toBeLessThan(5_000)
    flood.socket.destroy()
  })
})

describe('/events', () => {
  const watch = (listen: string) => dial(listen, 'GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  const partsIn = (heard: string): Record<string, string>[] =>
    [...heard.matchAll(/^data: (.*)$/gm)].map(
      ([, data = '{}']) => (JSON.parse(data) as { parts: Record<string, string> }).parts,
    )

  it('sends the whole page, then what changes', async () => {
    const { listen, emit } = await open()
    emit(...WHOLE)
    const { heard, socket } = watch(listen)
    await until(() => partsIn(heard()).length === 1)
    expect(Object.keys(partsIn(heard())[0] ?? {})).toEqual([
      'state',
      'concerns',
      'losses',
      'sync',
      'backups',
      'symbols',
      'log',
    ])
    emit(event('persistence_risk'))
    await until(() => partsIn(heard()).length === 2)
    expect(Object.keys(partsIn(heard())[1] ?? {})).toEqual(['concerns', 'log'])
    socket.destroy()
  })

  it('is for so many at a time', async () => {
    const { listen } = await open()
    const all = Array.from({ length: 32 }, () => watch(listen))
    await until(() => all.every(({ heard }) => heard().includes('event: parts')))
    expect(await get(listen, '/events')).toMatchObject({ status: 503, headers: { 'retry-after': '10' } })
    for (const { socket } of all) socket.destroy()
    await until(async () => {
      const more = watch(listen)
      await until(() => more.heard() !== '')
      more.socket.destroy()
      return more.heard().includes('200 OK')
    })
  })
})

it('what cannot be told is said to whoever asks, and the rest goes on', async () => {
  const { listen, emit } = await open(undefined, () => {
    throw new Error('no clock')
  })
  const { status, json } = await get(listen, '/healthz')
  expect({ status, ...json() }).toEqual({ status: 500, error: 'this cannot be told; please report it: no clock' })
  emit(...WHOLE)
  expect((await get(listen, '/readyz')).status).toBe(200)
})

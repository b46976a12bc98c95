import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { get } from '../serve/outlets.js'
import { anyLayout, LAST, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { type Running, startRekindle, writeConfig } from './rekindle.js'

function eventsOf({ stdout }: Running): Record<string, unknown>[] {
  return stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('the daemon, seen from outside', () => {
  const redis = useRedis()
  const { database } = useMarket()
  const env = (more: Record<string, string>, config: object = {}): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig(
      { candles: { layout: anyLayout(), last: LAST }, ...config },
      `${JSON.stringify(more).length}.yaml`,
    ),
    ...more,
  })

  it('is ready when everything is whole, not after a FLUSHALL, and again once that is healed', async () => {
    const listen = `127.0.0.1:${await freePort()}`
    const running = startRekindle(['watch'], env({ HTTP_LISTEN: listen }))
    const seen = new Set<string>()
    const readyz = async (path = '/readyz'): Promise<{ status: number; code: unknown }> => {
      const { status, json } = await get(listen, path)
      const { code } = json()
      seen.add(`${status} ${String(code)}`)
      return { status, code }
    }
    await until(async () => (await readyz().catch(() => undefined))?.status === 200, { timeout: 20_000 })
    expect(await readyz('/readyz?symbol=BTCUSDT')).toEqual({ status: 200, code: 'ready' })
    expect(await readyz('/readyz?symbol=NONESUCH')).toEqual({ status: 404, code: 'unknown_symbol' })
    expect((await get(listen, '/healthz')).status).toBe(200)

    // Asked without a pause, so that a heal of a few milliseconds is not missed.
    let asking = true
    const watcher = (async () => {
      while (asking) await readyz()
    })()
    await redis.cli('FLUSHALL')
    await until(() => eventsOf(running).some(({ event }) => event === 'healed'), { timeout: 20_000 })
    await until(async () => (await readyz()).status === 200)
    asking = false
    await watcher
    expect(
      [...seen].filter((answer) => answer.startsWith('503')).some((answer) => /data_loss|healing/.test(answer)),
    ).toBe(true)

    const { body: metrics } = await get(listen, '/metrics')
    for (const line of [
      'rekindle_ready 1',
      'rekindle_redis_up 1',
      'rekindle_postgres_up 1',
      'rekindle_symbols 3',
      'rekindle_symbols_not_ready 0',
      'rekindle_losses_total{cause="flush"} 1',
      'rekindle_time_to_heal_seconds_count',
    ]) {
      expect(metrics).toContain(`\n${line}`)
    }
    const page = await get(listen, '/')
    expect(page.body).toContain('<h2>Everything is whole</h2>')
    expect(page.body).toContain('FLUSHALL was called once')
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    await expect(get(listen, '/healthz')).rejects.toThrow()
  })

  it('goes on where its port is in use: two daemons, one page', async () => {
    const listen = `127.0.0.1:${await freePort()}`
    const other = createServer().listen(Number(listen.split(':')[1]), '127.0.0.1')
    await once(other, 'listening')
    const running = startRekindle(['watch'], env({ HTTP_LISTEN: listen, LOG_LEVEL: 'debug' }))
    await until(() => eventsOf(running).some(({ event }) => event === 'watching'), { timeout: 20_000 })
    const complaints = eventsOf(running).filter(({ what }) => what === 'http')
    expect(complaints).toMatchObject([{ event: 'degraded', level: 'warn', code: 'http_in_use' }])
    other.close()
    await until(() => get(listen, '/readyz').catch(() => undefined))
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
  })

  it('listens at a socket, and follows a new configuration', async () => {
    const path = join(process.env['TMPDIR'] ?? '/tmp', `rekindle-${process.pid}.sock`)
    const config = (listen: string | false): string =>
      writeConfig({ candles: { layout: anyLayout(), last: LAST }, http: { listen } }, 'listen.yaml')
    const running = startRekindle(['watch'], {
      REDIS_URL: redis.url,
      DATABASE_URL: database.url,
      REKINDLE_CONFIG: config(path),
    })
    await until(async () => (await get(path, '/readyz').catch(() => undefined))?.status === 200, { timeout: 20_000 })
    const listen = `127.0.0.1:${await freePort()}`
    config(listen)
    running.kill('SIGHUP')
    await until(async () => (await get(listen, '/readyz').catch(() => undefined))?.status === 200)
    await expect(get(path, '/readyz')).rejects.toThrow()
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
  })

  it('alerts a webhook of a loss, and is not slowed by one that hangs', async () => {
    const got: { signature: unknown; timestamp: unknown; body: string }[] = []
    const receiver = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        const { headers } = request
        got.push({ signature: headers['x-rekindle-signature'], timestamp: headers['x-rekindle-timestamp'], body })
        // The first alert is left hanging.
        if (got.length > 1) response.end()
      })
    }).listen(0, '127.0.0.1')
    await once(receiver, 'listening')
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/services/T0/hush`
    const running = startRekindle(
      ['watch'],
      env(
        { HTTP_LISTEN: 'false', ALERTS_WEBHOOK_URL: url, ALERTS_WEBHOOK_SECRET: 's3cret' },
        { alerts: { webhook: { timeout: '2s' } } },
      ),
    )
    await until(() => eventsOf(running).some(({ event }) => event === 'watching'), { timeout: 20_000 })
    await delay(100)
    await redis.cli('FLUSHALL')
    await until(() => eventsOf(running).some(({ event }) => event === 'healed'), { timeout: 20_000 })
    expect(got.length).toBeLessThanOrEqual(1)
    await until(() => got.some(({ body }) => body.includes('"event":"healed"')), { timeout: 20_000 })
    for (const { signature, timestamp, body } of got) {
      const mac = createHmac('sha256', 's3cret')
        .update(`${String(timestamp)}.${body}`)
        .digest('hex')
      expect(signature).toBe(`sha256=${mac}`)
    }
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    expect(running.stdout).not.toMatch(/hush|s3cret|services/)
    receiver.closeAllConnections()
    receiver.close()
  })
})

describeOwnServers('the daemon, seen from outside while Redis is away', () => {
  const redis = useRedis({})
  const { database } = useMarket()

  it('says so at once, and is ready when it is back and whole', async () => {
    const listen = `127.0.0.1:${await freePort()}`
    const running = startRekindle(['watch'], {
      REDIS_URL: redis.url,
      DATABASE_URL: database.url,
      HTTP_LISTEN: listen,
      REKINDLE_CONFIG: writeConfig({ candles: { layout: anyLayout(), last: LAST } }),
    })
    const code = async (): Promise<unknown> => (await get(listen, '/readyz').catch(() => undefined))?.json()['code']
    await until(async () => (await code()) === 'ready', { timeout: 20_000 })
    await redis.kill()
    await until(async () => (await code()) === 'redis_down')
    expect((await get(listen, '/healthz')).status).toBe(200)
    await redis.start()
    await until(async () => (await code()) === 'ready', { timeout: 20_000 })
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
  })
})

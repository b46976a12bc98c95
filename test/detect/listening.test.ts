import { Client } from 'pg'
import { describe, expect, it } from 'vitest'
import { runSql } from '../../lab/databases.js'
import { startProxy, type TcpProxy } from '../../lab/proxy.js'
import { type Heard, type ListenOptions, listen } from '../../src/detect/changes.js'
import { describeOwnServers } from '../support/processes.js'
import { until, usePostgres } from '../support/servers.js'

describeOwnServers('a listener', () => {
  const postgres = usePostgres()

  interface Ear {
    readonly heard: Heard[]
    readonly errors: unknown[]
    close(): void
  }

  function listenTo(url: string, more: Partial<ListenOptions> = {}): Ear {
    const heard: Heard[] = []
    const errors: unknown[] = []
    const subscription = listen({
      url,
      server: 'here',
      channel: 'rekindle',
      notify: (sql) => runSql(postgres.url, sql),
      ...more,
    }).subscribe({
      next: (message) => heard.push(message),
      error: (error: unknown) => errors.push(error),
    })
    return { heard, errors, close: () => subscription.unsubscribe() }
  }

  async function withProxy(work: (proxy: TcpProxy) => Promise<void>): Promise<void> {
    const proxy = await startProxy(postgres.port)
    try {
      await work(proxy)
    } finally {
      await proxy.stop()
    }
  }

  const deaf = [expect.objectContaining({ code: 'postgres_unreachable' })]

  it('says when it listens, and what it hears', async () => {
    const ear = listenTo(postgres.url)
    await until(() => ear.heard.length === 1)
    const client = new Client({ connectionString: postgres.url })
    await client.connect()
    await client.query(`SELECT pg_notify('rekindle', '{"v":1,"dataset":"indicators","keys":[["A","m1"]]}')`)
    await client.query("SELECT pg_notify('rekindle', 'other')")
    await until(() => ear.heard.length === 3)
    expect(ear.heard).toEqual([
      { kind: 'listening' },
      {
        kind: 'change',
        change: { dataset: 'indicators', keys: [{ symbol: 'A', part: 'm1' }] },
        at: expect.any(Number),
      },
      { kind: 'foreign', payload: 'other' },
    ])
    ear.close()
    await until(async () => {
      const sessions = await client.query("SELECT FROM pg_stat_activity WHERE application_name = 'rekindle'")
      return sessions.rows.length === 0
    })
    await client.end()
  })

  it('errs when its connection goes silent', () =>
    withProxy(async (proxy) => {
      const ear = listenTo(proxy.url(postgres.url), { beat: 50, limit: 300 })
      await until(() => ear.heard.length === 1)
      proxy.freeze()
      await until(() => ear.errors.length > 0)
      expect(ear.errors).toEqual(deaf)
      expect(String(ear.errors[0])).toMatch(/notifications do not arrive/)
      expect(ear.heard).toEqual([{ kind: 'listening' }])
    }))

  it('errs when the server does not answer from the start', () =>
    withProxy(async (proxy) => {
      proxy.freeze()
      const ear = listenTo(proxy.url(postgres.url), { limit: 300 })
      await until(() => ear.errors.length > 0)
      expect(ear.errors).toEqual(deaf)
    }))

  it('errs at once when its connection is cut, or refused', () =>
    withProxy(async (proxy) => {
      const ear = listenTo(proxy.url(postgres.url))
      await until(() => ear.heard.length === 1)
      await proxy.cut()
      await until(() => ear.errors.length > 0)
      expect(ear.errors).toEqual(deaf)
      const refused = listenTo(proxy.url(postgres.url))
      await until(() => refused.errors.length > 0)
      expect(refused.errors).toEqual(deaf)
      await proxy.resume()
    }))

  it('may be closed while it connects', () =>
    withProxy(async (proxy) => {
      const ear = listenTo(proxy.url(postgres.url))
      ear.close()
      proxy.freeze()
      listenTo(proxy.url(postgres.url)).close()
      expect(ear.errors).toEqual([])
    }))
})

describe('a channel', () => {
  it('that nobody answers on is told within the limit', async () => {
    const errors: unknown[] = []
    listen({
      url: 'postgres://127.0.0.1:1/nowhere',
      server: 'here',
      channel: 'rekindle',
      notify: async () => undefined,
    }).subscribe({
      error: (error: unknown) => errors.push(error),
    })
    await until(() => errors.length > 0)
    expect(errors).toMatchObject([{ code: 'postgres_unreachable', passing: true }])
  })
})

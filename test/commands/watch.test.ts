import { describe, expect, it } from 'vitest'
import { anyLayout, expectWhole, LAST, useMarket } from '../support/daemon.js'
import { until, useRedis } from '../support/servers.js'
import { type Running, rekindle, startRekindle, writeConfig } from './rekindle.js'

describe('rekindle watch', () => {
  const redis = useRedis()
  const { database } = useMarket()
  const env = (more: Record<string, string> = {}): Record<string, string> => ({
    REDIS_URL: redis.url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: { layout: anyLayout(), last: LAST } }),
    ...more,
  })

  function eventsOf(running: Running): Record<string, unknown>[] {
    const lines = running.stdout.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  function untilEvent(running: Running, event: string): Promise<unknown> {
    return until(() => eventsOf(running).find((each) => each['event'] === event), { what: `event ${event}` })
  }

  it('restores, says that it watches, lets wait go on, and stops at a signal', async () => {
    const running = startRekindle(['watch'], env())
    const waiting = rekindle(['wait'], env())
    await untilEvent(running, 'watching')
    expect(await waiting).toMatchObject({ status: 0, stdout: '', stderr: '' })
    await expectWhole(redis.url, database, anyLayout())
    const at = performance.now()
    running.kill('SIGTERM')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    expect(performance.now() - at).toBeLessThan(5_000)
    expect(eventsOf(running).at(0)).toMatchObject({ event: 'starting', level: 'info', version: expect.any(String) })
    expect(eventsOf(running).at(-1)).toMatchObject({ event: 'stopping', signal: 'SIGTERM' })
  })

  it('waits for servers that are away, without a password in its log', async () => {
    const REDIS_URL = 'redis://:hush@127.0.0.1:1/0'
    const DATABASE_URL = 'postgres://me:hush@127.0.0.1:1/nowhere'
    const running = startRekindle(['watch'], env({ REDIS_URL, DATABASE_URL }))
    await untilEvent(running, 'redis_down')
    await untilEvent(running, 'postgres_down')
    running.kill('SIGINT')
    expect(await running.ended).toMatchObject({ status: 0, stderr: '' })
    expect(running.stdout).not.toContain('hush')
  })
})

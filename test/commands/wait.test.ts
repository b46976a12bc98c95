import { beforeEach, describe, expect, it } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { EPOCH, READY } from '../../src/redis/marks.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { type Running, rekindle, rekindleJson, startRekindle } from './rekindle.js'

/** Nothing answers there: wait must not ask PostgreSQL. */
const DATABASE_URL = 'postgres://127.0.0.1:1/nowhere'

async function runIdOf(redis: RunningRedis): Promise<string | undefined> {
  return /run_id:(\w+)/.exec(String(await redis.cli('INFO', 'server')))?.[1]
}

describe('rekindle wait', () => {
  const redis = useRedis()
  const env = (): Record<string, string> => ({ REDIS_URL: redis.url, DATABASE_URL })

  let mark = ''

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    mark = `${await runIdOf(redis)}:any`
  })

  /** Starts to wait, and resolves when it has asked Redis. */
  async function waiting(...args: string[]): Promise<Running> {
    const running = startRekindle(['wait', ...args], env())
    await until(async () => / name=rekindle-wait .* cmd=(get|hmget) /.test(String(await redis.cli('CLIENT', 'LIST'))))
    return running
  }

  it('says nothing when everything is ready', async () => {
    await redis.cli('SET', EPOCH, mark)
    expect(await rekindle(['wait'], env())).toMatchObject({ status: 0, stdout: '', stderr: '' })
    const { status, answer } = await rekindleJson(['wait'], env())
    expect(status).toBe(0)
    expect(answer).toEqual({ ok: true, waited_ms: expect.any(Number) })
  })

  it('waits until everything is ready', async () => {
    const running = await waiting()
    await redis.cli('HSET', READY, 'BTCUSDT', mark)
    await redis.cli('SET', EPOCH, mark)
    expect(await running.ended).toMatchObject({ status: 0, stdout: '', stderr: '' })
  })

  it('waits for the named symbols only', async () => {
    await redis.cli('HSET', READY, 'BTCUSDT', mark)
    const running = await waiting('--symbol', 'BTCUSDT', '-s', 'ETHUSDT')
    await redis.cli('HSET', READY, 'ETHUSDT', mark)
    expect(await running.ended).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect((await rekindle(['wait', '-s', 'BTCUSDT'], env())).status).toBe(0)
  })

  it('names what is not ready in time', async () => {
    await redis.cli('HSET', READY, 'BTCUSDT', mark)
    const { status, stdout, stderr } = await rekindle(['wait', '-s', 'BTCUSDT', '-s', 'ETHUSDT', '-t', '700ms'], env())
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(/^rekindle: Redis \S+: not ready: ETHUSDT, after waiting 700 ms; .*rekindle watch.*\n$/)
    const { answer } = await rekindleJson(['wait', '-s', 'ETHUSDT', '-t', '700ms'], env())
    expect(answer).toMatchObject({ ok: false, code: 'timeout', not_ready: ['ETHUSDT'] })
    const everything = await rekindle(['wait', '-t', '700ms'], env())
    expect(everything.status).toBe(1)
    expect(everything.stderr).toContain('not everything is ready (no rekindle:epoch), after waiting 700 ms')
  })
})

describeOwnServers('rekindle wait for a server', () => {
  it('says why it could not ask', async () => {
    const { status, stderr } = await rekindle(['wait', '-t', '300ms'], { REDIS_URL: 'redis://:hush@127.0.0.1:1/0' })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis 127\.0\.0\.1:1\/0: .*ECONNREFUSED.*, after waiting 300 ms; is it running/)
    expect(stderr).not.toContain('hush')
  })

  it('fails at once with a wrong password', async () => {
    const redis = await startRedis({ password: 'right' })
    const env = { REDIS_URL: redis.url.replace('right', 'hush-hush'), DATABASE_URL }
    const { status, stderr, took } = await rekindle(['wait', '-t', '20s'], env)
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis \S+: WRONGPASS .*; check the user and the password in redis\.url/)
    expect(stderr).not.toContain('hush')
    expect(took).toBeLessThan(10_000)
    await redis.stop()
  })

  it('goes on while Redis is away, and when it hangs no longer than its time', async () => {
    const redis = await startRedis()
    await redis.kill()
    const running = startRekindle(['wait'], { REDIS_URL: redis.url, DATABASE_URL })
    await redis.start()
    await redis.cli('SET', EPOCH, `${await runIdOf(redis)}:any`)
    expect(await running.ended).toMatchObject({ status: 0, stdout: '', stderr: '' })
    redis.pause()
    const { status, stderr, took } = await rekindle(['wait', '-t', '300ms'], { REDIS_URL: redis.url, DATABASE_URL })
    redis.resume()
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis \S+: no answer, after waiting 300 ms; /)
    expect(took).toBeLessThan(5_000)
    await redis.stop()
  })

  it('counts no mark that came back with the data of a process that is gone', async () => {
    const redis = await startRedis()
    const env = { REDIS_URL: redis.url, DATABASE_URL }
    const markAll = async () => {
      const mark = `${await runIdOf(redis)}:any`
      await redis.cli('HSET', READY, 'BTCUSDT', mark)
      await redis.cli('SET', EPOCH, mark)
    }
    await markAll()
    await redis.cli('SAVE')
    await redis.kill()
    await redis.start()
    expect(await redis.cli('EXISTS', EPOCH, READY)).toBe(2)
    const everything = await rekindle(['wait', '-t', '300ms'], env)
    expect(everything.status).toBe(1)
    expect(everything.stderr).toContain('not everything is ready')
    const { status, answer } = await rekindleJson(['wait', '-s', 'BTCUSDT', '-t', '300ms'], env)
    expect(status).toBe(1)
    expect(answer).toMatchObject({ code: 'timeout', not_ready: ['BTCUSDT'] })
    await markAll()
    expect((await rekindle(['wait'], env)).status).toBe(0)
    expect((await rekindle(['wait', '-s', 'BTCUSDT'], env)).status).toBe(0)
    await redis.stop()
  })

  it('counts every mark where INFO is forbidden', async () => {
    const redis = await startRedis({ acl: ['user plain on >hush ~* &* +@all -info -config'] })
    await redis.cli('SET', EPOCH, 'any')
    const REDIS_URL = redis.url.replace('//', '//plain:hush@')
    expect(await rekindle(['wait', '-t', '5s'], { REDIS_URL, DATABASE_URL })).toMatchObject({ status: 0, stderr: '' })
    await redis.stop()
  })

  it('asks whether TLS is meant where it gets no answer', async () => {
    const redis = await startRedis()
    const { status, stderr } = await rekindle(['wait', '-t', '1s'], {
      REDIS_URL: redis.url.replace('redis:', 'rediss:'),
    })
    expect(status).toBe(1)
    expect(stderr).toMatch(/^rekindle: Redis \S+: .*, after waiting 1 s; is it rediss:\/\/ by mistake\?/)
    await redis.stop()
  })
})

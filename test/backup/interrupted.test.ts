import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startProxy } from '../../lab/proxy.js'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { readShelf } from '../../src/backup/shelf.js'
import { type TakeOptions, takeBackup } from '../../src/backup/take.js'
import { Trouble } from '../../src/errors.js'
import { describeOwnServers } from '../support/processes.js'
import { until } from '../support/until.js'
import { AT_ONCE, configFor, folder, makeSlow, namesIn } from './support.js'

/** A folder with one good backup, and the beginnings of a second one that `meanwhile` happens to in the middle. */
async function interrupt(
  redis: RunningRedis,
  meanwhile: (stop: AbortController) => unknown,
  { url = redis.url, ...options }: Partial<TakeOptions> & { url?: string } = {},
): Promise<{ error: unknown; dir: string }> {
  const dir = folder()
  const stop = new AbortController()
  await takeBackup({ config: configFor(redis.url, dir), signal: stop.signal })
  const before = namesIn(dir)
  await makeSlow(redis)
  let happened = false
  const onProgress = (bytes: number): void => {
    if (bytes === 0 || happened) return
    happened = true
    const unfinished = namesIn(dir).find((name) => name.startsWith('.unfinished-'))
    expect(statSync(join(dir, String(unfinished))).mode & 0o777).toBe(0o600)
    meanwhile(stop)
  }
  const error = await takeBackup({ config: configFor(url, dir), signal: stop.signal, onProgress, ...options }).catch(
    (e) => e,
  )
  expect(happened).toBe(true)
  expect(namesIn(dir)).toEqual(before)
  expect(await readShelf(dir)).toHaveLength(1)
  return { error, dir }
}

describeOwnServers('a backup that is interrupted leaves nothing behind', () => {
  it('when the server dies', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const { error } = await interrupt(redis, () => void redis.kill())
    expect(error).toMatchObject({
      code: 'redis_unreachable',
      message: expect.stringMatching(/closed in the middle|ECONNRESET/),
    })
    await redis.stop()
  })

  it('when the server freezes', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    // The child that sends the snapshot would go on, but the server passes its bytes on.
    const { error } = await interrupt(redis, () => redis.pause(), { silence: 500 })
    expect(error).toMatchObject({ code: 'timeout', message: expect.stringContaining('sent nothing for 0.5 s') })
    redis.resume()
    await redis.stop()
  })

  it('when the connection is cut, or swallows everything', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const proxy = await startProxy(redis.port)
    const url = proxy.url(redis.url)
    expect((await interrupt(redis, () => void proxy.cut(), { url })).error).toMatchObject({ code: 'redis_unreachable' })
    await proxy.resume()
    await redis.cli('CONFIG', 'SET', 'rdb-key-save-delay', 0)
    await redis.cli('FLUSHALL')
    const { error } = await interrupt(redis, () => proxy.freeze(), { url, silence: 500 })
    expect(error).toMatchObject({ code: 'timeout' })
    await proxy.stop()
    await redis.stop()
  })

  it('when it is stopped', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const reason = new Trouble('aborted', 'stopped by SIGTERM', 'run it again', true)
    const { error } = await interrupt(redis, (stop) => stop.abort(reason))
    expect(error).toBe(reason)
    const stopped = new AbortController()
    stopped.abort(reason)
    const config = configFor(redis.url, folder())
    await expect(takeBackup({ config, signal: stopped.signal })).rejects.toBe(reason)
    await redis.stop()
  })

  it.runIf(existsSync('/proc/self/stat')).each([
    ['diskless', AT_ONCE],
    ['from its disk', ['--repl-diskless-sync', 'no']],
  ])('when the child of the server that makes the snapshot dies (%s)', async (_, args) => {
    const redis = await startRedis({ args })
    const dir = folder()
    await makeSlow(redis)
    const taking = takeBackup({
      config: configFor(redis.url, dir),
      signal: new AbortController().signal,
      silence: 10_000,
    })
    taking.catch(() => undefined)
    const child = await until(() => readFileSync(`/proc/${redis.pid}/task/${redis.pid}/children`, 'utf8').trim())
    process.kill(Number(child), 'SIGKILL')
    await expect(taking).rejects.toMatchObject({ code: 'redis_unreachable', passing: true })
    expect(namesIn(dir)).toEqual([])
    await redis.stop()
  })
})

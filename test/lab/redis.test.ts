import { existsSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { startRedis } from '../../lab/redis.js'
import { describeOwnServers, isAlive } from '../support/processes.js'

describeOwnServers('startRedis', () => {
  it('comes back empty after kill -9, on the same port', async () => {
    const redis = await startRedis()
    const { pid } = redis
    await redis.cli('SET', 'a', 1)
    await redis.kill()
    expect(isAlive(pid)).toBe(false)
    await redis.start()
    expect(await redis.cli('GET', 'a')).toBeNull()
    await redis.stop()
  })

  it('comes back with its data where it has an AOF', async () => {
    const redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })
    await redis.cli('SET', 'a', 1)
    await redis.kill()
    await redis.start()
    expect(await redis.cli('GET', 'a')).toBe('1')
    await redis.stop()
  })

  it('leaves no process and no folder behind', async () => {
    const redis = await startRedis()
    const { pid, dir } = redis
    expect(readdirSync(tmpdir()).some((name) => dir.endsWith(name))).toBe(true)
    await redis.stop()
    expect(isAlive(pid)).toBe(false)
    expect(existsSync(dir)).toBe(false)
  })

  it('answers nothing while it is paused', async () => {
    const redis = await startRedis()
    redis.pause()
    const answer = redis.cli('PING')
    const first = await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 50, 'silence'))])
    expect(first).toBe('silence')
    redis.resume()
    expect(await answer).toBe('PONG')
    await redis.stop()
  })

  it('says why a server did not start', async () => {
    await expect(startRedis({ args: ['--no-such-setting', 'x'] })).rejects.toThrow(/no-such-setting/)
  })

  it('knows users and passwords', async () => {
    const redis = await startRedis({ acl: ['user reader on >secret ~* +@read'], args: ['--databases', '2'] })
    expect(await redis.cli('ACL', 'LIST')).toContainEqual(expect.stringContaining('user reader on'))
    await redis.stop()
    const locked = await startRedis({ password: 'p@ss/word' })
    expect(await locked.cli('PING')).toBe('PONG')
    await locked.stop()
  })

  it('has no TS commands where modules are not wanted', async () => {
    const redis = await startRedis({ modules: false })
    expect(redis.hasTimeSeries).toBe(false)
    await redis.stop()
  })
})

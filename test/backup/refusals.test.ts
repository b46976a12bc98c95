import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type RunningRedis, startRedis } from '../../lab/redis.js'
import { takeSnapshot } from '../../src/backup/snapshot.js'
import { syncTrouble } from '../../src/backup/sync-trouble.js'
import { takeBackup } from '../../src/backup/take.js'
import { Trouble } from '../../src/errors.js'
import { describeOwnServers } from '../support/processes.js'
import { until } from '../support/until.js'
import { AT_ONCE, configFor, folder, namesIn, unhurried } from './support.js'

const as = (redis: RunningRedis, user: string): string => redis.url.replace('://', `://${user}:hush-hush@`)

describeOwnServers('a backup that Redis refuses', () => {
  it('for want of a right names the rights', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    const rights = expect.stringContaining('ACL SETUSER <user> +sync +replconf')
    for (const missing of ['sync', 'replconf']) {
      await redis.cli('ACL', 'SETUSER', missing, 'on', '>hush-hush', '~*', '&*', '+@all', `-${missing}`)
      const dir = folder()
      const taking = takeBackup({ config: configFor(as(redis, missing), dir), signal: unhurried() })
      const error = await taking.catch((e) => e)
      expect(error).toMatchObject({ code: 'redis_refused', hint: rights, passing: false })
      expect(error.message).toMatch(/NOPERM .*'?(sync|replconf)'?/)
      expect(namesIn(dir)).toEqual([])
    }
    await redis.stop()
  })

  it('is taken with these rights alone, and its manifest lacks what may not be asked', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    await redis.cli('SET', 'a', 'b')
    await redis.cli('ACL', 'SETUSER', 'few', 'on', '>hush-hush', '+sync', '+replconf', '+ping')
    const { backup, warnings } = await takeBackup({
      config: configFor(as(redis, 'few'), folder()),
      signal: unhurried(),
    })
    expect(backup.manifest).toMatchObject({ run_id: null, redis_version: null, modules: [], keys: { total: 1 } })
    expect(warnings).toEqual([
      expect.stringContaining('what INFO tells'),
      expect.stringContaining('what MODULE LIST tells'),
    ])
    await redis.stop()
  })

  it('for a wrong password, or none', async () => {
    const redis = await startRedis({ password: 'right', args: AT_ONCE })
    for (const url of [redis.url.replace('right', 'hush-hush'), redis.url.replace(':right@', '')]) {
      const error = await takeBackup({ config: configFor(url, folder()), signal: unhurried() }).catch((e) => e)
      expect(error).toMatchObject({ code: 'redis_refused', hint: expect.stringContaining('password'), passing: false })
      expect(`${error.message} ${error.hint}`).not.toContain('hush')
    }
    await redis.stop()
  })

  it('since it is a replica that is not in sync', async () => {
    const replica = await startRedis({ args: [...AT_ONCE, '--replicaof', '127.0.0.1', '1'] })
    const path = join(folder(), 'a.rdb')
    await expect(takeSnapshot({ url: replica.url, path, signal: unhurried() })).rejects.toMatchObject({
      code: 'redis_busy',
      hint: expect.stringContaining('a replica without its primary'),
      passing: true,
    })
    await replica.stop()
  })

  it('is given by a replica that is in sync', async () => {
    const primary = await startRedis({ args: AT_ONCE })
    await primary.cli('SET', 'a', 'b')
    const replica = await startRedis({ args: [...AT_ONCE, '--replicaof', primary.host, String(primary.port)] })
    await primary.cli('WAIT', 1, 5000)
    const { backup } = await takeBackup({ config: configFor(replica.url, folder()), signal: unhurried() })
    expect(backup.manifest.keys?.total).toBe(1)
    await Promise.all([replica.stop(), primary.stop()])
  })

  it('since it loads its data, or is away', async () => {
    const redis = await startRedis({ args: AT_ONCE })
    await redis.cli('EVAL', 'for i = 1, 500 do redis.call("SET", "key:" .. i, "value") end', 0)
    await redis.cli('SAVE')
    await redis.kill()
    const config = configFor(redis.url, folder())
    await expect(takeBackup({ config, signal: unhurried() })).rejects.toMatchObject({
      code: 'redis_unreachable',
      passing: true,
    })
    const started = redis.start(['--key-load-delay', '4000', '--loading-process-events-interval-bytes', '1024'])
    const loading = await until(async () => {
      const error = await takeBackup({ config, signal: unhurried() }).catch((e) => e)
      return error.code === 'redis_unreachable' ? undefined : error
    })
    expect(loading).toMatchObject({ code: 'redis_busy', message: expect.stringContaining('LOADING'), passing: true })
    expect(namesIn(config.backup.dir)).toEqual([])
    await started
    await redis.stop()
  })
})

it('says what else it may mean that a snapshot is refused', () => {
  const otherwise = new Trouble('unexpected', 'Redis h:1/0: …', 'this reply was not expected', true)
  const meaning = (text: string) => syncTrouble(new Error(text), otherwise)
  expect(meaning("ERR unknown command 'SYNC'")).toMatchObject({
    code: 'redis_refused',
    hint: expect.stringContaining('provider'),
  })
  expect(meaning("ERR BGSAVE failed, replication can't continue")).toMatchObject({
    hint: expect.stringContaining('fork'),
  })
  expect(meaning("NOMASTERLINK Can't SYNC while failing over").hint).toContain('failover')
  expect(meaning('ERR something else')).toBe(otherwise)
})

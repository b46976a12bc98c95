import { readdirSync } from 'node:fs'
import { beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { takeBackup } from '../../src/backup/take.js'
import { makeFolder } from '../recover/folders.js'
import { PROMPT } from '../recover/things.js'
import { testConfig } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { rekindle, rekindleJson, startRekindle, writeConfig } from './rekindle.js'

// Each run writes and compares 100 MB.
vi.setConfig({ testTimeout: 120_000 })

const { signal } = new AbortController()
const NO_POSTGRES = 'postgres://127.0.0.1:1/none'
const KEYS = [{ match: 'sub:*', recovery: 'backup' }]
/** 100 MB of values that do not compress: texts of 500 bytes, and some hashes and sorted sets, with and without a time to live. */
const FILL = `
math.randomseed(7)
local chars = {}
for i = 1, 4096 do chars[i] = string.char(math.random(0, 255)) end
local noise = table.concat(chars)
for i = 1, 200000 do
  local key, from = 'sub:' .. i, math.random(1, 3500)
  if i % 20 == 0 then redis.call('HSET', key, 'plan', i, 'note', noise:sub(from, from + 490))
  elseif i % 20 == 1 then redis.call('ZADD', key, i, noise:sub(from, from + 490))
  else redis.call('SET', key, noise:sub(from, from + 490) .. i) end
  if i % 10 == 0 then redis.call('PEXPIRE', key, 100000000) end
end`

describeOwnServers('rekindle recover of 100 MB', () => {
  const redis = useRedis({ args: [...PROMPT.args, '--enable-debug-command', 'yes'] })
  let config: string
  let temporary: string
  let env: Record<string, string>
  let digest: unknown
  let bytes: number

  beforeAll(async () => {
    await redis.cli('EVAL', FILL, '0')
    digest = await redis.cli('DEBUG', 'DIGEST')
    const backup = { dir: makeFolder() }
    const its = testConfig(redis.url, NO_POSTGRES, { more: { backup, keys: KEYS } })
    bytes = (await takeBackup({ config: its, signal })).backup.manifest.bytes
    config = writeConfig({ backup, keys: KEYS })
  })

  beforeEach(async () => {
    await redis.cli('FLUSHALL')
    temporary = makeFolder()
    env = { REDIS_URL: redis.url, DATABASE_URL: NO_POSTGRES, TMPDIR: temporary }
  })

  const args = () => ['recover', '--config', config]
  const size = async (): Promise<number> => Number(await redis.cli('DBSIZE'))
  /** Everything, though some of it may stand already. */
  const expectTheRest = async (): Promise<void> => {
    const { answer, status } = await rekindleJson(args(), env)
    expect(status).toBe(0)
    expect(answer).toMatchObject({ ok: true, failed: 0, gone: 0 })
    expect(Number(answer['copied']) + Number(answer['kept'])).toBe(200_000)
    expect(await redis.cli('DEBUG', 'DIGEST')).toBe(digest)
  }

  it('brings back all of it, byte by byte', async () => {
    expect(bytes).toBeGreaterThan(100_000_000)
    await expectTheRest()
    expect(readdirSync(temporary)).toEqual([])
  })

  it('says so when Redis is killed in the middle, and goes on when it is asked again', async () => {
    const running = startRekindle([...args(), '--json'], env)
    await until(async () => (await size()) > 1_000)
    await redis.kill('SIGKILL')
    const { status, stdout } = await running.ended
    const answer = JSON.parse(stdout) as { code: string; copied: number }
    expect(status).toBe(1)
    expect(answer.code).toBe('redis_unreachable')
    expect(answer.copied).toBeGreaterThan(0)
    expect(answer.copied).toBeLessThan(200_000)
    expect(readdirSync(temporary)).toEqual([])
    await redis.start()
    expect(await size()).toBe(0)
    await expectTheRest()
  })

  it('leaves whole keys and nothing else when it is killed itself, and another brings the rest', async () => {
    const running = startRekindle(args(), env)
    await until(async () => (await size()) > 1_000)
    running.kill('SIGKILL')
    expect((await running.ended).status).toBeUndefined()
    await until(() => readdirSync(temporary).length === 0)
    const left = await size()
    expect(left).toBeLessThan(200_000)
    await expectTheRest()
  })

  it('leaves a data directory as it was when it is killed, and the next one clears up after it', async () => {
    const dir = makeFolder()
    const running = startRekindle([...args(), '--into', dir], env)
    await until(() => readdirSync(dir).length > 0)
    running.kill('SIGKILL')
    await running.ended
    expect(readdirSync(dir).every((name) => name.startsWith('.unfinished-'))).toBe(true)
    expect(await rekindle([...args(), '--into', dir], env)).toMatchObject({ status: 0 })
    expect(readdirSync(dir).sort()).toEqual(['appendonlydir', 'dump.rdb'])
  })
})

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { rekindle, writeConfig } from '../commands/rekindle.js'
import { anyLayout, LAST, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'
import { aclLines, grants, rulesOf, SORTED_SETS } from './acl.js'

/** What the daemon names as degraded without this rule. */
const GUARD: Readonly<Record<string, string>> = {
  '&__redis__:invalidate': 'tracking',
  '&__keyevent@*': 'notifications',
  '~ohlcv:*': 'candles.m1',
  '~indicator:*': 'indicators',
  '~rekindle:*': 'healing',
  '+info': 'info',
  '+client|id': 'tracking',
  '+client|tracking': 'tracking',
  '+config|get': 'notifications',
  '+subscribe': 'tracking',
  '+dbsize': 'inventory',
  '+scan': 'inventory',
  '+eval': 'healing',
  '+exists': 'poll',
  '+type': 'healing',
  '+get': 'healing',
  '+set': 'healing',
  '+del': 'healing',
  '+hget': 'indicators',
  '+hset': 'indicators',
  '+hdel': 'healing',
  '+hgetall': 'healing',
  '+hlen': 'healing',
  '+renamenx': 'candles.m5',
  '+expire': 'candles.m5',
}
const TIME_SERIES: Readonly<Record<string, string>> = {
  '+ts.create': 'candles.m1',
  '+ts.alter': 'candles.m1',
  '+ts.add': 'candles.m1',
  '+ts.madd': 'candles.m1',
  '+ts.range': 'candles.m1',
  '+ts.info': 'candles.m1',
}
const SORTED: Readonly<Record<string, string>> = {
  '+zadd': 'candles.m1',
  '+zrangebyscore': 'candles.m1',
  '+zremrangebyscore': 'candles.m1',
}
/** Rules without which nothing is said; docs/security.md tells what is lost. */
const SILENT = ['+client|setname', '+client|list', '+client|trackinginfo', '+publish', '&rekindle:events']
/** Asked for by a command alone. */
const WAIT = ['+hmget']

/** What a command of `rekindle-keeper` says without this rule. */
const KEEPER: readonly [rule: string, command: string[], said: RegExp][] = [
  ['~*', ['doctor'], /\+memory\|usage ~\*/],
  ['+info', ['doctor'], /ACL SETUSER rekindle-keeper \+info/],
  ['+config|get', ['doctor'], /ACL SETUSER rekindle-keeper \+config\|get/],
  ['+acl|list', ['doctor'], /ACL SETUSER rekindle-keeper \+acl\|whoami \+acl\|list \+acl\|dryrun \+command\|info/],
  ['+dbsize', ['doctor'], /ACL SETUSER rekindle-keeper \+dbsize/],
  ['+scan', ['doctor'], /ACL SETUSER rekindle-keeper \+dbsize \+scan/],
  ['+pttl', ['doctor'], /ACL SETUSER rekindle-keeper \+pttl/],
  ['+memory|usage', ['doctor'], /ACL SETUSER rekindle-keeper \+memory\|usage/],
  ['+function|list', ['doctor'], /ACL SETUSER rekindle-keeper \+function\|list/],
  ['+function|load', ['recover'], /NOPERM.*'function\|load'.*ACL SETUSER/],
  ['+replconf', ['backup'], /NOPERM.*'replconf'.*ACL SETUSER/],
  ['+sync', ['backup'], /NOPERM.*'sync'.*ACL SETUSER/],
  ['+module|list', ['backup'], /lacks what MODULE LIST tells: grant it/],
  ['+restore', ['recover'], /NOPERM.*'restore'.*ACL SETUSER/],
  ['+exists', ['recover', '--dry-run'], /NOPERM.*'exists'.*ACL SETUSER/],
]
const KEEPER_SILENT = ['+client|setname', '+acl|whoami', '+acl|dryrun', '+command|info']

/** A library of functions. */
const LIBRARY = "#!lua name=mine\nredis.register_function('answer', function() return 42 end)"

const docs = readFileSync(new URL('../../docs/security.md', import.meta.url), 'utf8')

describe('docs/security.md', () => {
  it.each(['rekindle', 'rekindle-keeper'])('tells what each rule of %s is for', (name) => {
    const section = docs.split(`### The user ${name}\n`)[1]?.split(/\n##+ /)[0] ?? ''
    const told = [...section.matchAll(/^\| (`[^|].*?`) \|/gm)].flatMap(([, cell = '']) =>
      [...cell.replaceAll('\\|', '|').matchAll(/`([^`]+)`/g)].map(([, rule = '']) => rule),
    )
    expect(told.sort()).toEqual(grants(rulesOf(name, aclLines(true)).rules).sort())
  })
})

describe('deploy/redis/users.acl', () => {
  it('grants what is tested here, and nothing else', () => {
    const granted = (name: string) => grants(rulesOf(name, aclLines(true)).rules).sort()
    const guard = [...Object.keys({ ...GUARD, ...TIME_SERIES }), ...SILENT, ...WAIT]
    expect(granted('rekindle')).toEqual(guard.sort())
    expect(granted('rekindle-keeper')).toEqual([...KEEPER.map(([rule]) => rule), ...KEEPER_SILENT].sort())
  })
})

describeOwnServers('with the rights of deploy/redis/users.acl', () => {
  const redis = useRedis({ args: ['--notify-keyspace-events', 'Eg$xe', '--repl-diskless-sync-delay', '0'] })
  const { database, install } = useMarket()
  let admin: Redis
  let backups: string
  let daemon: RunningDaemon | undefined

  beforeAll(async () => {
    await install()
    admin = new Redis(redis.url)
    backups = mkdtempSync(join(tmpdir(), 'rekindle-keeper-'))
  })
  afterAll(() => {
    admin.disconnect()
    rmSync(backups, { recursive: true, force: true })
  })
  beforeEach(() => admin.flushall())
  afterEach(() => daemon?.stop())

  /** Makes the user anew, without one of its rules, and gives the URL with its name. */
  async function login(name: string, without?: string, more: readonly string[] = []): Promise<string> {
    const { password, rules } = rulesOf(name, aclLines(redis.hasTimeSeries))
    await admin.call('ACL', 'DELUSER', name)
    await admin.call('ACL', 'SETUSER', name, ...[...rules, ...more].filter((rule) => rule !== without))
    return redis.url.replace('//', `//${name}:${password}@`)
  }

  const envOf = (url: string, keys: object[] = []): Record<string, string> => ({
    REDIS_URL: url,
    DATABASE_URL: database.url,
    REKINDLE_CONFIG: writeConfig({ candles: { layout: anyLayout(), last: LAST }, backup: { dir: backups }, keys }),
  })

  describe('the user rekindle', () => {
    it('restores, verifies, waits and guards', async () => {
      const url = await login('rekindle')
      const env = envOf(url)
      for (const command of ['restore', 'verify', 'wait']) {
        expect(await rekindle([command], env), command).toMatchObject({ status: 0, stderr: '' })
      }
      daemon = startDaemon(testConfig(url, database.url, { layout: anyLayout(), poll: '50ms', scrub: '200ms' }))
      await daemon.next('watching')
      await disasters(daemon)
      expect(daemon.all('degraded')).toEqual([])
    })

    it('waits for no symbol without HMGET', async () => {
      const ran = await rekindle(['wait', '--symbol', 'X'], envOf(await login('rekindle', '+hmget')))
      expect(ran).toMatchObject({ status: 1, stderr: expect.stringMatching(/NOPERM.*'hmget'.*ACL SETUSER/) })
    })

    const layoutRules = Object.entries(inject('hasTimeSeries') ? TIME_SERIES : SORTED)
    it.each([...Object.entries(GUARD), ...layoutRules])('without %s says what is degraded: %s', async (rule, what) => {
      const url = await login('rekindle', rule)
      daemon = startDaemon(testConfig(url, database.url, { layout: anyLayout(), poll: '50ms', scrub: '200ms' }))
      const told = daemon.next('degraded', (event) => event.what === what)
      await Promise.race([told, disasters(daemon)])
      expect((await told).hint).toMatch(/ACL SETUSER|allow/)
    })

    it.each(SORTED_SETS)('without %s says so with layout: sortedset', async (rule) => {
      const url = await login('rekindle', rule, SORTED_SETS)
      daemon = startDaemon(testConfig(url, database.url, { layout: 'sortedset', poll: '50ms', scrub: '200ms' }))
      const told = daemon.next('degraded', (event) => event.what === SORTED[rule])
      await Promise.race([told, disasters(daemon)])
      expect((await told).hint).toMatch(/ACL SETUSER/)
    })
  })

  describe('the user rekindle-keeper', () => {
    const keys = [{ match: 'sub:*', recovery: 'backup', impact: 'users lose their quota' }]

    it('examines, backs up and recovers', async () => {
      const env = envOf(await login('rekindle-keeper'), keys)
      await admin.set('sub:1', 'paid')
      await admin.call('FUNCTION', 'LOAD', 'REPLACE', LIBRARY)
      const examined = await rekindle(['doctor'], env)
      expect(examined.stdout).not.toContain('Could not be checked')
      expect(await rekindle(['backup'], env)).toMatchObject({ status: 0, stderr: '' })
      await admin.flushall()
      await admin.call('FUNCTION', 'FLUSH')
      expect(await rekindle(['recover'], env)).toMatchObject({ status: 0, stderr: '' })
      expect(await admin.call('FCALL', 'answer', 0)).toBe(42)
      expect(await admin.get('sub:1')).toBe('paid')
    })

    it.each(KEEPER)('without %s is told so by rekindle %s', async (rule, command, said) => {
      const env = envOf(await login('rekindle-keeper', rule), keys)
      await admin.set('sub:1', 'paid', 'EX', 1_000)
      if (command[0] === 'recover') {
        await admin.flushall()
        await admin.call('FUNCTION', 'FLUSH')
      }
      const { stdout, stderr } = await rekindle(command, env)
      expect(`${stdout}${stderr}`.replace(/\s+/g, ' ')).toMatch(said)
    })
  })

  /** Changes one candle, as a stray writer would, and makes a series anew without our labels. */
  async function spoil(key: string): Promise<unknown> {
    if ((await admin.type(key)) === 'zset') {
      const [member = '', score = ''] = await admin.zrange(key, 5, '5', 'WITHSCORES')
      await admin.zadd(key, score, '{"t":1}')
      return admin.zrem(key, member)
    }
    const [[time] = [0]] = (await admin.call('TS.RANGE', key, '-', '+', 'COUNT', '1')) as [number, string][]
    await admin.call('TS.ADD', key, String(time), '0.001', 'ON_DUPLICATE', 'LAST')
    await admin.del(`${key}:open`)
    return admin.call('TS.CREATE', `${key}:open`)
  }

  /** What a daemon meets in its life; each is healed before the next comes, or not within a few seconds. */
  async function disasters({ all }: RunningDaemon): Promise<void> {
    const [series, sorted, hash] = ['ohlcv:ETHUSDT:m5', 'ohlcv:ETHUSDT:m1', 'indicator:ETHUSDT:m1']
    const acts: readonly (() => Promise<unknown>)[] = [
      () => admin.flushall(),
      () => admin.set(series, 'something else'),
      async () => admin.hset(hash, (await admin.hkeys(hash))[0] ?? 'field', '-1'),
      () => spoil(sorted),
    ]
    for (const act of acts) {
      const count = () => all('healed').length + all('drift').length
      const before = count()
      await act()
      await until(() => count() > before, { timeout: 3_000 }).catch(() => undefined)
    }
  }
})

import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { anyLayout, expectWhole, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

let daemon: RunningDaemon

afterEach(() => daemon.stop())

const PASSWORD = 'let-me-in'
const user = (name: string, ...rules: string[]): string => `user ${name} on >${PASSWORD} ~* &* +@all ${rules.join(' ')}`

describeOwnServers('a Redis that forbids', () => {
  describeLayouts('', (layout) => {
    const redis = useRedis({
      acl: [
        'user default on nopass ~* &* +@all',
        user('noconfig', '-config'),
        user('notracking', '-client|tracking'),
        user('noinfo', '-info'),
        user('nochannels', 'resetchannels'),
        user('nothing', '-config -client -info resetchannels'),
        user('nowrite', layout === 'timeseries' ? '-ts.create' : '-zadd'),
        user('nodel', '-del'),
        user('taken'),
        user('noclasses', 'resetkeys ~ohlcv:* ~indicator:* ~rekindle:*'),
      ],
    })
    const { database, install } = useMarket()
    let client: Redis

    beforeAll(async () => {
      await install()
      client = new Redis(redis.url)
      return () => client.disconnect()
    })
    beforeEach(async () => {
      await client.flushall()
      await client.config('SET', 'notify-keyspace-events', '')
    })

    const urlOf = (name: string): string => redis.url.replace('//', `//${name}:${PASSWORD}@`)
    const config = (name: string) =>
      testConfig(urlOf(name), database.url, { layout, poll: '50ms', scrub: '200ms', more: {} })

    const forbidden: [string, string, string[], RegExp][] = [
      ['CONFIG', 'noconfig', ['notifications'], /a single key that is deleted is noticed by the poll in turn/],
      ['CLIENT TRACKING', 'notracking', ['tracking'], /a flush is noticed by the poll, within 50 ms/],
      ['INFO', 'noinfo', ['info'], /a restart is known by its missing data only/],
      ['channels', 'nochannels', ['tracking', 'notifications', 'events'], /noticed by the poll/],
      ['all of them', 'nothing', ['tracking', 'notifications', 'info', 'events'], /noticed by the poll/],
    ]
    it.each(forbidden)('%s is told once, with what it costs, and healing goes on', async (_, name, whats, cost) => {
      daemon = startDaemon(config(name))
      await daemon.next('watching')
      for (const lose of [
        () => client.flushall(),
        () => client.del('ohlcv:ETHUSDT:m5'),
        () => client.call('SWAPDB', 0, 1),
        () => client.set('ohlcv:ETHUSDT:m5', 'other'),
      ]) {
        await lose()
        await daemon.next('data_loss')
        await daemon.next('healed')
        await expectWhole(redis.url, database, layout)
      }
      const told = daemon.all('degraded')
      expect(told.map(({ what }) => what)).toEqual(whats)
      expect(told[0]?.reason).toMatch(cost)
      expect(JSON.stringify(daemon.events)).not.toContain(PASSWORD)
    })

    it('keys of a class are told before any are lost, and are unknown in the alert then', async () => {
      for (let i = 0; i < 20; i++) await client.set(`sub:user:${i}`, 'paid')
      const keys = [{ match: 'sub:user:*', recovery: 'backup' }]
      daemon = startDaemon(testConfig(urlOf('noclasses'), database.url, { layout, more: { keys } }))
      expect(await daemon.next('degraded', ({ what }) => what === 'inventory')).toMatchObject({
        code: 'redis_refused',
        reason: expect.stringContaining('keys of sub:user:*'),
        hint: expect.stringContaining('~sub:user:*'),
      })
      await daemon.next('counted', ({ whole }) => whole)
      await client.flushall()
      const { classes } = await daemon.next('data_loss', ({ cause }) => cause === 'flush')
      const its = classes.find(({ match }) => match === 'sub:user:*')
      expect(its).toMatchObject({ keys_before: 20 })
      expect(its?.keys_gone).toBeUndefined()
      await daemon.next('healed')
    })

    it('one write is told for what it hinders, and the rest heals', async () => {
      daemon = startDaemon(config('nowrite'))
      await daemon.next('data_loss')
      for (const what of ['candles.m1', 'candles.m5', 'candles.m15']) {
        const told = await until(() => daemon.all('degraded').find((event) => event.what === what))
        expect(told).toMatchObject({ code: 'redis_refused', hint: 'grant this command to the user with ACL SETUSER' })
      }
      await until(() => client.hlen('indicator:ETHUSDT:m1'))
      await client.del('indicator:ETHUSDT:m1')
      await until(() => client.hlen('indicator:ETHUSDT:m1'))
      expect(await client.exists('rekindle:epoch', 'rekindle:ready')).toBe(0)
      expect(daemon.all('degraded')).toHaveLength(3)
      expect(daemon.all('redis_down')).toEqual([])
      await client.call('ACL', 'SETUSER', 'nowrite', '+@all')
      await daemon.next('healed')
      await expectWhole(redis.url, database, layout)
    })

    it.each(['-exists', '-@read', 'resetkeys ~rekindle:*'])(
      'to look (%s): nothing is ready until it may be looked at again',
      async (taken) => {
        daemon = startDaemon(config('taken'))
        await daemon.next('watching')
        daemon.passOver()
        await client.call('ACL', 'SETUSER', 'taken', ...taken.split(' '))
        await client.del('ohlcv:ETHUSDT:m5', 'indicator:ETHUSDT:m1')
        expect(await daemon.next('degraded', ({ what }) => what === 'healing')).toMatchObject({ code: 'redis_refused' })
        await until(async () => (await client.exists('rekindle:epoch', 'rekindle:ready')) === 0)
        expect(daemon.all('symbol_lost').map(({ symbol }) => symbol)).toContain('ETHUSDT')
        await client.call('ACL', 'SETUSER', 'taken', '~*', '+@all')
        await until(async () => (await client.hlen('rekindle:ready')) === 3)
        await expectWhole(redis.url, database, layout)
        expect(daemon.all('recovered').filter(({ what }) => what === 'healing')).toHaveLength(1)
      },
    )

    it('the marks is told once, and does not flood the log', async () => {
      daemon = startDaemon(config('nodel'))
      expect(await daemon.next('degraded')).toMatchObject({ what: 'healing', code: 'redis_refused' })
      await client.call('ACL', 'SETUSER', 'nodel', '+@all')
      await daemon.next('watching')
      await expectWhole(redis.url, database, layout)
      expect(daemon.all('degraded')).toHaveLength(1)
      expect(daemon.all('redis_down')).toEqual([])
    })
  })
})

describe('a table or a column that is missing', () => {
  const redis = useRedis()
  const { database, install } = useMarket()
  const layout = anyLayout

  beforeAll(install)

  const mistakes: [string, object, string, RegExp][] = [
    [
      'a table of candles',
      { timeframes: { m1: 'ohlcv4_m1', m5: 'nowhere', m15: 'ohlcv4_m15' } },
      'candles.m5',
      /candles\.timeframes\.m5: nowhere/,
    ],
    ['a column of candles', { columns: { volume: 'turnover' } }, 'candles.m1', /candles\.timeframes\.m1: ohlcv4_m1/],
  ]
  it.each(mistakes)('names the key of the configuration: %s; the others heal', async (_, candles, what, hint) => {
    await redis.cli('FLUSHALL')
    const more = { candles: { layout: layout(), last: 40, ...candles } }
    daemon = startDaemon(testConfig(redis.url, database.url, { poll: '50ms', more }))
    const told = await daemon.next('degraded', (event) => event.what === what)
    expect(told.code).toBe('postgres_schema')
    expect(told.hint).toMatch(hint)
    // Whatever is lost next is seen by the flush signal, and by the poll, and is over when it is back.
    for (const lose of [['FLUSHALL'], ['SWAPDB', 0, 1], ['DEL', 'indicator:ETHUSDT:m1']] as const) {
      await until(() => redis.cli('EXISTS', 'indicator:ETHUSDT:m1'))
      // What is lost while an incident is open belongs to it.
      await until(() => daemon.all('healed').length === daemon.all('data_loss').length)
      daemon.passOver()
      await redis.cli(...lose)
      expect(await daemon.next('data_loss')).toMatchObject({ incident: expect.any(Number) })
      await daemon.next('healed')
      expect(await redis.cli('EXISTS', 'indicator:ETHUSDT:m1')).toBe(1)
      expect(await redis.cli('EXISTS', 'rekindle:epoch', 'rekindle:ready')).toBe(0)
    }
    expect(daemon.all('degraded')).toEqual([])
  })

  it('names the tables of the indicators; the candles heal', async () => {
    await redis.cli('FLUSHALL')
    daemon = startDaemon(
      testConfig(redis.url, database.url, { layout: layout(), more: { indicators: { values: 'nowhere' } } }),
    )
    const told = await daemon.next('degraded', ({ what }) => what === 'indicators')
    expect(told.hint).toMatch(/indicators\.values: nowhere/)
    await until(() => redis.cli('EXISTS', 'ohlcv:SOLUSDT:m15'))
  })

  it('names the query of the symbols', async () => {
    const more = { symbols: { query: 'SELECT symbol FROM nowhere' } }
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: layout(), more }))
    const told = await daemon.next('degraded', ({ what }) => what === 'symbols')
    expect(told).toMatchObject({ code: 'postgres_schema', hint: 'check symbols.query in the configuration' })
  })
})

describeOwnServers('a Redis without RedisTimeSeries', () => {
  const redis = useRedis({ modules: false })
  const { database, install } = useMarket()

  beforeAll(install)

  it('where time series are wanted is told, and the indicators heal', async () => {
    if (redis.hasTimeSeries) return
    daemon = startDaemon(testConfig(redis.url, database.url, { layout: 'timeseries', poll: '50ms' }))
    for (const what of ['candles.m1', 'candles.m5', 'candles.m15']) {
      const told = await until(() => daemon.all('degraded').find((event) => event.what === what))
      expect(told).toMatchObject({ code: 'redis_no_module' })
      expect(told.hint).toMatch(/candles\.layout: sortedset/)
    }
    for (const lose of [['FLUSHALL'], ['SWAPDB', 0, 1]] as const) {
      await until(() => redis.cli('EXISTS', 'indicator:ETHUSDT:m1'))
      daemon.passOver()
      await redis.cli(...lose)
      expect(await daemon.next('data_loss')).toMatchObject({ keys_lost: 9 })
      expect(await daemon.next('healed')).toMatchObject({ keys: 9 })
    }
    expect(daemon.all('degraded')).toEqual([])
    expect(await redis.cli('EXISTS', 'rekindle:epoch', 'rekindle:ready')).toBe(0)
  })
})

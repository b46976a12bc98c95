import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { PROVED_EVENTS } from '../../src/decide/signal-health.js'
import { trackFlushes } from '../../src/detect/flushes.js'
import { announceKeyEvents } from '../../src/detect/key-events.js'
import { proveSignals } from '../../src/detect/signal-proof.js'
import { settingsReader } from '../../src/detect/signal-settings.js'
import { type Life, openLife } from '../../src/redis/life.js'
import { ask } from '../../src/redis/wire.js'
import { anyLayout, type RunningDaemon, startDaemon, testConfig, untilWhole, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { startRelay } from '../support/relay.js'
import { until, useRedis } from '../support/servers.js'

const PASSWORD = 'let-me-in'
const RULES = ['on', `>${PASSWORD}`, 'allkeys', 'allchannels', '+@all']

describeOwnServers('what Redis was asked to announce', () => {
  const redis = useRedis()
  const { database, install } = useMarket()
  let admin: Redis
  let daemon: RunningDaemon | undefined

  beforeAll(async () => {
    await install()
    admin = new Redis(redis.url)
    return () => admin.disconnect()
  })
  beforeEach(async () => {
    await admin.flushall()
    await admin.config('SET', 'notify-keyspace-events', '')
    await admin.call('ACL', 'SETUSER', 'guard', 'reset', ...RULES)
  })
  afterEach(() => daemon?.stop())

  const own = (): string => redis.url.replace('//', `//guard:${PASSWORD}@`)

  /** The proof comes after so many polls. */
  async function start(url = own()): Promise<RunningDaemon> {
    const started = startDaemon(testConfig(url, database.url, { layout: anyLayout(), poll: '50ms' }))
    daemon = started
    await started.next('watching')
    started.passOver()
    return started
  }

  const flags = async (): Promise<string> =>
    ((await admin.config('GET', 'notify-keyspace-events')) as string[])[1] ?? ''
  const guardChanges = (...rules: string[]) => admin.call('ACL', 'SETUSER', 'guard', ...rules)
  const whole = () => untilWhole(redis.url, database, anyLayout())

  it('stays quiet as long as all is well, and leaves no key behind', async () => {
    const guard = await start()
    await admin.config('RESETSTAT')
    // Each proof deletes a key.
    await until(async () => Number(/cmdstat_del:calls=(\d+)/.exec(await admin.info('commandstats'))?.[1]) >= 2)
    expect(guard.all('degraded')).toEqual([])
    expect(guard.all('suspicion')).toEqual([])
    expect((await admin.keys('rekindle:*')).sort()).toEqual(['rekindle:epoch', 'rekindle:ready'])
  })

  it('is asked for again when somebody sets less, and what went unannounced is found', async () => {
    const guard = await start()
    await admin.multi().config('SET', 'notify-keyspace-events', 'Kl').del('ohlcv:ETHUSDT:m5').exec()
    const told = await guard.next('degraded')
    expect(told).toMatchObject({ what: 'notifications', code: 'signal_lost' })
    expect(told.reason).toMatch(/somebody has set notify-keyspace-events to '[Kl]+'.*noticed by the poll in turn/)
    expect(await guard.next('recovered')).toMatchObject({ what: 'notifications' })
    expect([...(await flags())]).toEqual(expect.arrayContaining([...'KElgxe$']))
    await guard.next('healed')
    await whole()
    // From here on it is announced.
    guard.passOver()
    await admin.del('ohlcv:ETHUSDT:m5')
    expect((await guard.next('data_loss')).evidence).toMatchObject({ key_events: { del: 1 } })
    await guard.next('healed')
  })

  it('is degraded where it may not be set again, until somebody has', async () => {
    await guardChanges('-config', '+config|get')
    await admin.config('SET', 'notify-keyspace-events', 'AKE')
    const guard = await start()
    await admin.config('SET', 'notify-keyspace-events', 'E$')
    const told = await guard.next('degraded')
    expect(told).toMatchObject({ what: 'notifications', code: 'redis_refused' })
    expect(told.hint).toMatch(/\+config\|set/)
    await admin.del('ohlcv:ETHUSDT:m5')
    await guard.next('healed')
    await admin.config('SET', 'notify-keyspace-events', 'AKE')
    expect(await guard.next('recovered')).toMatchObject({ what: 'notifications' })
    expect(guard.all('degraded')).toHaveLength(1)
    await whole()
  })

  it('is missed, and all is looked at, when what should come does not arrive', async () => {
    const relay = await startRelay(redis.port)
    try {
      const guard = await start(relay.url(own()))
      relay.mute(/\*3\r\n\$7\r\nmessage\r\n\$20\r\n__redis__:invalidate\r\n(\*1\r\n\$\d+\r\n[^\r]*\r\n|[$*]-1\r\n)/g)
      const told = await guard.next('degraded')
      expect(told).toMatchObject({ what: 'tracking', code: 'signal_lost' })
      expect(told.reason).toMatch(/CLIENT TRACKING has stopped: a write of our own was not announced; .* by the poll/)
      await admin.flushall()
      const loss = await guard.next('data_loss')
      expect(loss).toMatchObject({ cause: 'flush' })
      expect(loss.evidence['signals']).not.toContain('flush')
      await guard.next('healed')
      relay.mute(undefined)
      expect(await guard.next('recovered')).toMatchObject({ what: 'tracking' })
      expect(guard.all('degraded')).toHaveLength(1)
      await whole()
      await admin.flushall()
      expect((await guard.next('data_loss')).evidence['signals']).toContain('flush')
      await guard.next('healed')
    } finally {
      daemon?.stop()
      await relay.stop()
    }
  })

  it.each([
    ['the subscriber', 'rekindle-ears'],
    ['the connection that is tracked', 'rekindle-bulk'],
  ])('comes again after %s was killed', async (_, name) => {
    const guard = await start()
    const clients = String(await admin.client('LIST'))
    const id = new RegExp(`id=(\\d+) [^\\n]*name=${name} `).exec(clients)?.[1] ?? ''
    await admin.call('CLIENT', 'KILL', 'ID', id)
    await guard.next('redis_down')
    await guard.next('watching')
    expect(guard.all('data_loss')).toEqual([])
    guard.passOver()
    /** What told of a loss; on a busy machine the poll may be the first now and then. */
    const evidenceOf = async (lose: () => Promise<unknown>): Promise<string> => {
      await lose()
      const { evidence } = await guard.next('data_loss')
      await guard.next('healed')
      return JSON.stringify([evidence['signals'], evidence['key_events']])
    }
    await until(async () => /"flush"/.test(await evidenceOf(() => admin.flushall())), { timeout: 30_000 })
    await until(async () => /"del":1/.test(await evidenceOf(() => admin.del('ohlcv:ETHUSDT:m5'))), { timeout: 30_000 })
    await whole()
  })

  it('is degraded when the right to its channels is taken away, until it is granted again', async () => {
    const guard = await start()
    await guardChanges('resetchannels')
    await guard.next('degraded', ({ what }) => what === 'tracking')
    await until(() => guard.all('degraded').some(({ what }) => what === 'notifications'))
    await admin.flushall()
    await guard.next('healed')
    await whole()
    await guardChanges('allchannels')
    await until(() =>
      ['tracking', 'notifications'].every((it) => guard.all('recovered').some(({ what }) => what === it)),
    )
    await whole()
    guard.passOver()
    /** What told of a loss; on a busy machine the poll may be the first now and then. */
    const evidenceOf = async (lose: () => Promise<unknown>): Promise<string> => {
      await lose()
      const { evidence } = await guard.next('data_loss')
      await guard.next('healed')
      return JSON.stringify([evidence['signals'], evidence['key_events']])
    }
    await until(async () => /"flush"/.test(await evidenceOf(() => admin.flushall())), { timeout: 30_000 })
    await until(async () => /"del":1/.test(await evidenceOf(() => admin.del('ohlcv:ETHUSDT:m5'))), { timeout: 30_000 })
  })

  it.each([
    ['INFO', ['-info'], ['+info'], 'info', /INFO is not allowed/],
    ['some keys', ['resetkeys', '~ohlcv:*'], ['allkeys'], 'poll', /NOPERM/],
    ['EXISTS', ['-exists'], ['+exists'], 'poll', /NOPERM/],
  ])(
    'is told when the right to %s is taken away, and all is well when it is back',
    async (_, take, give, what, reason) => {
      const guard = await start()
      await guardChanges(...take)
      const told = await guard.next('degraded', (event) => event.what === what)
      expect(told.reason).toMatch(reason)
      expect(told.hint).toMatch(/ACL SETUSER|allow/)
      await admin.del('ohlcv:ETHUSDT:m5', 'indicator:ETHUSDT:m1')
      await guardChanges(...give)
      await until(() => guard.all('recovered').some((event) => event.what === what))
      await whole()
      expect(guard.all('redis_down')).toEqual([])
    },
  )
})

describeOwnServers('a proof', () => {
  const redis = useRedis()
  let life: Life
  let close: () => void

  beforeEach(async () => {
    await redis.cli('CONFIG', 'SET', 'notify-keyspace-events', '')
    const opened = await openLife({
      url: redis.url,
      server: 'r',
      onWaiting: () => {},
      signal: new AbortController().signal,
    })
    life = opened.life
    close = opened.close
    await trackFlushes(life, ['ohlcv:'])
    await announceKeyEvents(life)
  })
  afterEach(() => close())

  it('tells what arrives and what does not', async () => {
    const settings = settingsReader(life)
    const all = new Set<string>(PROVED_EVENTS)
    expect(await proveSignals(life, 'r')).toEqual({ tracking: true, events: all })
    const { tracking, flags } = await settings()
    // Redis tells since 6.2.
    expect(['on', undefined]).toContain(tracking)
    expect([...(flags ?? '')]).toEqual(expect.arrayContaining([...'Eg$xe']))

    await redis.cli('CONFIG', 'SET', 'notify-keyspace-events', 'E$x')
    expect(await proveSignals(life, 'r')).toEqual({ tracking: true, events: new Set(['set', 'expired']) })
    await redis.cli('CONFIG', 'SET', 'notify-keyspace-events', 'Kg')
    await ask(life.bulk, 'CLIENT', 'TRACKING', 'OFF')
    expect(await proveSignals(life, 'r')).toEqual({ tracking: false, events: new Set() })
    if (tracking) expect(await settings()).toMatchObject({ tracking: 'off' })

    await trackFlushes(life, ['ohlcv:'])
    await trackFlushes(life, ['ohlcv:'])
    await announceKeyEvents(life)
    expect(await proveSignals(life, 'r')).toEqual({ tracking: true, events: all })
    expect(await redis.cli('DBSIZE')).toBe(0)
  })

  it('says nothing where Redis takes no write', async () => {
    await redis.cli('SET', 'filler', 'x'.repeat(1_000))
    await redis.cli('CONFIG', 'SET', 'maxmemory', 1)
    try {
      expect(await proveSignals(life, 'r')).toBeUndefined()
    } finally {
      await redis.cli('CONFIG', 'SET', 'maxmemory', 0)
    }
    expect(await proveSignals(life, 'r')).toMatchObject({ tracking: true })
  })
})

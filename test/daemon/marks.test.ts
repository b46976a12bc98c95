import { Redis } from 'ioredis'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { expectWhole, keysOf, type RunningDaemon, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { type Relay, startRelay } from '../support/relay.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

describeOwnServers('the marks', () => {
  describeLayouts('', (layout) => {
    const redis = useRedis()
    const { database, install } = useMarket()
    const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
    let daemon: RunningDaemon
    let relay: Relay
    let reader: Redis

    beforeAll(async () => {
      await install()
      reader = new Redis(redis.url)
      reader.on('error', () => {})
      return () => reader.disconnect()
    })
    beforeEach(async () => {
      relay = await startRelay(redis.port)
      daemon = startDaemon(testConfig(relay.url(redis.url), database.url, { layout, poll: '100ms', storm: '0s' }))
      await daemon.next('watching')
      daemon.passOver()
    })
    afterEach(async () => {
      daemon.stop()
      await relay.stop()
    })

    const write = layout === 'timeseries' ? 'TS.CREATE' : 'ZADD'
    const ready = async (): Promise<string[]> => (await reader.hkeys('rekindle:ready')).sort()

    it('name the process that they were written in', async () => {
      const epoch = await reader.get('rekindle:epoch')
      expect(epoch).toMatch(new RegExp(`^${/run_id:(\w+)/.exec(await reader.info('server'))?.[1]}:`))
      expect(await reader.hgetall('rekindle:ready')).toEqual(Object.fromEntries(symbols.map((name) => [name, epoch])))
    })

    it('of one symbol are away while a key of it is, and those of the others stand', async () => {
      const held = relay.hold('ohlcv:ETHUSDT:m5', write)
      await reader.del('ohlcv:ETHUSDT:m5')
      const { release } = await held
      expect(await ready()).toEqual(['BTCUSDT', 'SOLUSDT'])
      expect(await reader.exists('rekindle:epoch')).toBe(0)
      release()
      await daemon.next('healed')
      expect(await ready()).toEqual(symbols)
      await expectWhole(redis.url, database, layout)
    })

    it('come after the last key, as a reader sees who never stops asking', async () => {
      const lies: string[] = []
      let asked = 0
      let stopped = false
      const isLie = `
        for i = 1, #ARGV do
          if redis.call('HEXISTS', 'rekindle:ready', ARGV[i]) == 1 then
            for _, key in ipairs(cjson.decode(KEYS[i])) do
              if redis.call('EXISTS', key) == 0 then return key end
            end
          elseif redis.call('EXISTS', 'rekindle:epoch') == 1 then return 'epoch' end
        end
        return ''`
      const keys = symbols.map((symbol) => JSON.stringify(keysOf(symbol, layout)))
      const watch = async (): Promise<void> => {
        for (; !stopped; asked++) {
          const lie = String(await reader.eval(isLie, symbols.length, ...keys, ...symbols))
          if (lie) lies.push(lie)
        }
      }
      const watching = watch()
      for (let i = 0; i < 10; i++) {
        await redis.cli('FLUSHALL')
        await daemon.next('healed')
      }
      stopped = true
      await watching
      expect(lies).toEqual([])
      expect(asked).toBeGreaterThan(100)
    })

    it('are put back where somebody deletes them, and nobody is alarmed', async () => {
      for (const mark of ['rekindle:epoch', 'rekindle:ready']) {
        await reader.del(mark)
        await until(() => reader.exists(mark))
        await until(async () => (await ready()).length === 3 && (await reader.exists('rekindle:epoch')) === 1)
      }
      await reader.hdel('rekindle:ready', 'ETHUSDT')
      await until(async () => (await ready()).length === 3)
      await expectWhole(redis.url, database, layout)
      expect(daemon.all('data_loss')).toEqual([])
      expect(daemon.all('drift')).toEqual([])
    })

    it('of another process come down before the first look at what it has loaded', async () => {
      await redis.kill()
      await redis.start(['--appendonly', 'yes'])
      await daemon.next('healed')
      await reader.hset('rekindle:ready', 'GONEUSDT', 'somebody')
      const before = await reader.get('rekindle:epoch')
      await redis.kill('SIGTERM')
      await daemon.next('redis_down')
      const look = relay.hold('EXISTS', 'ohlcv:ETHUSDT:m5')
      await redis.start(['--appendonly', 'yes'])
      const { release } = await look
      expect(await reader.exists('rekindle:epoch', 'rekindle:ready')).toBe(0)
      expect(await reader.exists('ohlcv:ETHUSDT:m5')).toBe(1)
      release()
      await daemon.next('watching')
      const epoch = await reader.get('rekindle:epoch')
      expect(epoch).not.toBe(before)
      expect(await reader.hgetall('rekindle:ready')).toEqual(Object.fromEntries(symbols.map((name) => [name, epoch])))
      await redis.kill()
      await redis.start()
    })
  })
})

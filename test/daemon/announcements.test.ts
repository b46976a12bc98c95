import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

describeLayouts('the channel rekindle:events', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()

  test('tells workers which symbols are whole, and which are lost', async () => {
    await install()
    const heard: { event: string; symbol: string; at: number }[] = []
    const ears = new Redis(redis.url)
    await ears.subscribe('rekindle:events')
    ears.on('message', (_, message) => heard.push(JSON.parse(message)))
    const of = (event: string): string[] => heard.filter((each) => each.event === event).map(({ symbol }) => symbol)
    const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
    const daemon = startDaemon(testConfig(redis.url, database.url, { layout }))
    try {
      await until(() => of('ready').length === 3)
      expect(of('ready').sort()).toEqual(symbols)
      expect(of('lost')).toEqual([])
      await redis.cli('DEL', 'indicator:ETHUSDT:m1')
      await until(() => of('ready').length === 4)
      expect(of('lost')).toEqual(['ETHUSDT'])
      expect(of('ready').at(-1)).toBe('ETHUSDT')
      await redis.cli('FLUSHALL')
      await until(() => of('ready').length === 7)
      expect(of('lost').slice(1).sort()).toEqual(symbols)
      expect(heard.every(({ at }) => Math.abs(Date.now() - at) < 60_000)).toBe(true)
      expect(daemon.all('degraded')).toEqual([])
    } finally {
      daemon.stop()
      ears.disconnect()
    }
  })
})

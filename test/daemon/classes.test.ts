import { expect, test } from 'vitest'
import { startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeLayouts, until, useRedis } from '../support/servers.js'

const keys = [
  { match: 'sub:user:*', recovery: 'backup', impact: 'users lose paid quota' },
  { match: 'ratelimit:*', recovery: 'itself' },
]

describeLayouts('what an alert says of classes of keys', (layout) => {
  const redis = useRedis()
  const { database, install } = useMarket()

  test('names what is gone, how much of it, what that means, and what brings it back', async () => {
    await install()
    for (let i = 0; i < 300; i++) await redis.cli('HSET', `sub:user:${i}`, 'plan', 'pro')
    await redis.cli('SET', 'ratelimit:1', 5, 'PX', 600_000)
    await redis.cli('SET', 'price:BTCUSDT', 1)
    await redis.cli('SET', 'ratelimit:short', 5, 'PX', 50)
    const daemon = startDaemon(testConfig(redis.url, database.url, { layout, more: { keys } }))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.cli('FLUSHALL')
      const { classes } = await daemon.next('data_loss')
      const byMatch = new Map(classes.map((each) => [each.match, each]))
      expect(byMatch.get('sub:user:*')).toMatchObject({
        recovery: 'backup',
        impact: 'users lose paid quota',
        keys_before: 300,
        keys_gone: 300,
      })
      expect(byMatch.get('sub:user:*')?.comes_back).toContain('no backup')
      expect(byMatch.get('ratelimit:*')).toMatchObject({ recovery: 'itself', keys_gone: expect.any(Number) })
      expect(byMatch.get(null)).toMatchObject({ recovery: null, keys_before: 1, keys_gone: 1 })
      await daemon.next('healed')
    } finally {
      daemon.stop()
    }
  })

  test('a second loss does not count again what was gone before', async () => {
    await redis.cli('FLUSHALL')
    for (let i = 0; i < 100; i++) await redis.cli('SET', `sub:user:${i}`, 1)
    const daemon = startDaemon(testConfig(redis.url, database.url, { layout, more: { keys } }))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.cli('FLUSHALL')
      const first = await daemon.next('data_loss')
      expect(first.classes.find(({ match }) => match === 'sub:user:*')).toMatchObject({ keys_gone: 100 })
      await daemon.next('healed')
      await redis.cli('FLUSHALL')
      const second = await daemon.next('data_loss')
      expect(second.classes.find(({ match }) => match === 'sub:user:*')).toBeUndefined()
      await daemon.next('healed')
    } finally {
      daemon.stop()
    }
  })

  test('a single key that is deleted is no loss of the other classes', async () => {
    await redis.cli('FLUSHALL')
    for (let i = 0; i < 50; i++) await redis.cli('SET', `sub:user:${i}`, 1)
    const daemon = startDaemon(testConfig(redis.url, database.url, { layout, more: { keys } }))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      const key = await until(async () => ((await redis.cli('KEYS', 'indicator:*')) as string[])[0])
      await redis.cli('DEL', key)
      const { classes } = await daemon.next('data_loss')
      expect(classes).toMatchObject([{ match: 'indicator:*:*', recovery: 'postgres', keys_gone: 1 }])
      await daemon.next('healed')
    } finally {
      daemon.stop()
    }
  })
})

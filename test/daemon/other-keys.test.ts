import { describe, expect, test } from 'vitest'
import { startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { until, useDatabase, useRedis } from '../support/servers.js'

const keys = [{ match: 'sess:*', recovery: 'backup', impact: 'users are logged out' }]
const NOTHING = { candles: false, indicators: false }

describe('keys that no dataset holds', () => {
  const redis = useRedis({ modules: false })
  const { database } = useMarket({ triggers: false })
  const tables = useDatabase()

  async function fill(): Promise<void> {
    await redis.cli('FLUSHALL')
    for (let i = 0; i < 40; i++) await redis.cli('SET', `sess:${i}`, 'x')
  }

  test('are guarded by themselves, without any PostgreSQL', async () => {
    await fill()
    const away = 'postgres://127.0.0.1:1/none'
    const daemon = startDaemon(testConfig(redis.url, away, { more: { ...NOTHING, keys } }))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.cli('FLUSHALL')
      const loss = await daemon.next('data_loss')
      expect(loss).toMatchObject({ cause: 'flush', keys_lost: 0, classes: [{ match: 'sess:*', keys_gone: 40 }] })
      await daemon.next('healed')
      await fill()
      await daemon.next('counted', ({ keys }) => keys === 40)
      await redis.kill()
      await redis.start()
      expect(await daemon.next('data_loss')).toMatchObject({ cause: 'restart', classes: [{ keys_gone: 40 }] })
      expect(daemon.all('postgres_down')).toEqual([])
    } finally {
      daemon.stop()
    }
  }, 90_000)

  test('are missed though the tables of the datasets are empty', async () => {
    await tables.query('CREATE TABLE IF NOT EXISTS plans (id text PRIMARY KEY, plan text)')
    await fill()
    const rows = { plans: { table: 'plans', key: 'plan:{id}' } }
    const daemon = startDaemon(testConfig(redis.url, tables.url, { more: { ...NOTHING, rows, keys } }))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      await redis.cli('FLUSHALL')
      expect(await daemon.next('data_loss')).toMatchObject({ classes: [{ match: 'sess:*', keys_gone: 40 }] })
    } finally {
      daemon.stop()
    }
  })

  test('are missed though an incident of the only lane is open', async () => {
    await tables.query('CREATE TABLE IF NOT EXISTS many (id int PRIMARY KEY, plan text)')
    await tables.query("INSERT INTO many SELECT n, 'pro' FROM generate_series(1, 500) AS n ON CONFLICT DO NOTHING")
    await fill()
    const rows = { many: { table: 'many', key: 'many:{id}' } }
    const daemon = startDaemon(testConfig(redis.url, tables.url, { more: { ...NOTHING, rows, keys } }))
    try {
      await daemon.next('counted', ({ whole }) => whole)
      // Nothing heals as long as the table is locked.
      await tables.query('ALTER TABLE many RENAME TO hidden')
      await redis.cli('DEL', 'many:77')
      expect(await daemon.next('data_loss')).toMatchObject({ cause: 'deletion', keys_lost: 1 })
      await redis.cli('FLUSHALL')
      const loss = await daemon.next('data_loss')
      expect(loss).toMatchObject({ cause: 'flush', keys_lost: 499 })
      expect(loss.classes.find(({ match }) => match === 'sess:*')).toMatchObject({ keys_gone: 40 })
      await tables.query('ALTER TABLE hidden RENAME TO many')
      await daemon.next('healed', ({ cause }) => cause === 'flush')
      await until(async () => Number(await redis.cli('EXISTS', 'many:77', 'many:1')) === 2)
    } finally {
      daemon.stop()
    }
  })

  test('belong to what is said most precisely of them', async () => {
    await fill()
    const daemon = startDaemon(
      testConfig(redis.url, database.url, { more: { keys: [{ match: '*', recovery: 'itself' }, ...keys] } }),
    )
    try {
      const { classes } = await daemon.next('counted', ({ whole }) => whole)
      expect(classes.find(({ match }) => match === 'ohlcv:*:*')).toMatchObject({ recovery: 'postgres' })
      // The user's own order counts among the user's own.
      expect(classes.find(({ match }) => match === '*')).toMatchObject({ recovery: 'itself', keys: 40 })
    } finally {
      daemon.stop()
    }
  })
})

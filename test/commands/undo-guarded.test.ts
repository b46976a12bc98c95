import { expect, test } from 'vitest'
import { anyLayout, expectWhole, startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { until, useRedis } from '../support/servers.js'
import { rekindleJson, writeConfig } from './rekindle.js'

const keys = [{ match: 'sub:*', recovery: 'backup' }]
const args = { aof: ['--appendonly', 'yes'], rdb: ['--save', '3600 1'] }

test.each(['aof', 'rdb'] as const)('what the daemon has kept aside outlasts all that comes after (%s)', async (how) => {
  const redis = servers[how]
  const layout = anyLayout()
  const config = testConfig(redis.url, market.database.url, { layout, more: { keys, recover: { auto: false } } })
  const daemon = startDaemon(config)
  try {
    await daemon.next('watching')
    await redis.cli('MSET', 'sub:1', 'a', 'sub:2', 'b', 'other', 'c')
    if (how === 'rdb') {
      await redis.cli('SAVE')
      await daemon.next('kept_aside', ({ what }) => what === 'rdb')
    }
    await redis.cli('FLUSHALL')
    expect(await daemon.next('kept_aside')).toMatchObject({ what: how, path: expect.stringContaining('flush-') })
    await until(() => daemon.all('healed').length > 0)
    await redis.cli('SET', 'sub:2', 'new')
    await redis.cli(how === 'aof' ? 'BGREWRITEAOF' : 'SAVE')
    const path = writeConfig({ candles: { layout }, keys })
    const env = { REDIS_URL: redis.url, DATABASE_URL: market.database.url }
    await until(async () => String(await redis.cli('INFO')).includes('aof_rewrite_in_progress:0'))
    const { answer, status } = await rekindleJson(['undo', '--config', path], env)
    expect(status).toBe(0)
    expect(answer).toMatchObject({ ok: true, flush: 1, copied: 2, kept: 1, flushed_at: expect.any(String) })
    expect(answer['left_to_heal']).toBeGreaterThan(0)
    expect(await redis.cli('MGET', 'sub:1', 'sub:2', 'other')).toEqual(['a', 'new', 'c'])
    await expectWhole(redis.url, market.database, layout)
  } finally {
    daemon.stop()
  }
})

const market = useMarket()
const servers = { aof: useRedis({ args: args.aof }), rdb: useRedis({ args: args.rdb }) }

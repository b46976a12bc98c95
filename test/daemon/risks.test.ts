import { describe, expect, test } from 'vitest'
import { startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { useRedis } from '../support/servers.js'

const keys = [{ match: 'sub:user:*', recovery: 'backup' }]

describe('what endangers keys that only a backup can bring back', () => {
  const redis = useRedis({ modules: false })
  const { database, install } = useMarket()

  test('is told once, and when it is over', async () => {
    await install()
    await redis.cli('SET', 'sub:user:1', 'pro')
    const daemon = startDaemon(testConfig(redis.url, database.url, { more: { keys } }))
    try {
      const risk = await daemon.next('persistence_risk', ({ finding }) => finding === 'aof_off')
      expect(risk).toMatchObject({ severity: 'risk' })
      expect(risk.hint).toContain('CONFIG SET appendonly yes')
      await redis.cli('CONFIG', 'SET', 'appendonly', 'yes')
      const ok = await daemon.next('persistence_ok', ({ finding }) => finding === 'aof_off')
      expect(ok.after_ms).toBeGreaterThan(0)
      expect(daemon.all('persistence_risk').filter(({ finding }) => finding === 'aof_off')).toHaveLength(1)
    } finally {
      daemon.stop()
    }
  })

  test('is the same finding in the next life, and over when a restart has mended it', async () => {
    await redis.cli('CONFIG', 'SET', 'appendonly', 'no')
    await redis.cli('SET', 'sub:user:1', 'pro')
    const daemon = startDaemon(testConfig(redis.url, database.url, { poll: '100ms', more: { keys } }))
    try {
      await daemon.next('persistence_risk', ({ finding }) => finding === 'aof_off')
      await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
      await daemon.next('redis_up')
      await redis.kill()
      await redis.start(['--appendonly', 'yes'])
      await daemon.next('persistence_ok', ({ finding }) => finding === 'aof_off')
      expect(daemon.all('persistence_risk').filter(({ finding }) => finding === 'aof_off')).toHaveLength(1)
    } finally {
      daemon.stop()
    }
  })
})

import { describe, expect, it } from 'vitest'
import { describeLayouts, until, useDatabase, usePostgres, useRedis } from '../support/servers.js'

describe('what tests are given', () => {
  const redis = useRedis()
  const database = useDatabase()

  it('is an empty Redis', async () => {
    expect(await redis.cli('DBSIZE')).toBe(0)
    await redis.cli('SET', 'left', 'over')
  })

  it('is an empty database', async () => {
    expect(await database.query("SELECT FROM pg_tables WHERE schemaname = 'public'")).toEqual([])
  })

  it('is a Redis that may be killed, if it is ours', async () => {
    await redis.kill()
    await redis.start()
    expect(await redis.cli('DBSIZE')).toBe(0)
  })
})

describe('a Redis with settings', () => {
  const redis = useRedis({ args: ['--maxmemory', '20mb'] })

  it('has them', async () => {
    expect(String(await redis.cli('INFO', 'memory'))).toContain('maxmemory:20971520')
  })
})

describe('a PostgreSQL of its own', () => {
  const postgres = usePostgres({ settings: { max_connections: '20' } })

  it('may be restarted', async () => {
    const { pid } = postgres
    await postgres.restart()
    expect(postgres.pid).not.toBe(pid)
  })
})

describeLayouts('a layout', (layout) => {
  const redis = useRedis()

  it('runs where its commands are', () => {
    expect(layout === 'sortedset' || redis.hasTimeSeries).toBe(true)
  })
})

describe('until', () => {
  it('gives what it waited for, or says what it waited for', async () => {
    let asked = 0
    expect(await until(() => (++asked === 3 ? 'third' : undefined))).toBe('third')
    await expect(until(() => false, { timeout: 20, what: 'the impossible' })).rejects.toThrow(/20 ms: the impossible/)
  })
})

import { Redis } from 'ioredis'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { anyLayout, type RunningDaemon, startDaemon, testConfig, untilWhole, useMarket } from '../support/daemon.js'
import { until, useRedis } from '../support/servers.js'

// The scrub of these tests comes after ten minutes.
describe.each([
  { name: 'with triggers', triggers: true, followed: 5_000 },
  // A poll that reads a long history takes its time, and may take no more than a part of PostgreSQL's.
  { name: 'without triggers', triggers: false, followed: 40_000 },
])('indicators behind many newer rows, $name', ({ triggers, followed }) => {
  const redis = useRedis()
  const { database, install } = useMarket({ triggers })
  let daemon: RunningDaemon
  let client: Redis
  const layout = anyLayout()

  beforeAll(async () => {
    await install()
    client = new Redis(redis.url, { protocol: 2 })
    return () => client.disconnect()
  })
  afterEach(() => daemon.stop())

  /** An instance `a` and `b` were written of, and `count` newer rows of `a`. */
  async function begin(count: number): Promise<{ id: number; key: string; symbol: string }> {
    const [ticker] = await database.query<{ symbol: string }>(
      "SELECT symbol FROM tickers WHERE status = 'enabled' LIMIT 1",
    )
    const symbol = ticker?.symbol ?? ''
    await database.query("DELETE FROM indicator_instances_v4 WHERE indicator = 'exact'")
    const [instance] = await database.query<{ id: number }>(
      `INSERT INTO indicator_instances_v4 (indicator, symbol, timeframe) VALUES ('exact', $1, 'h1') RETURNING id`,
      [symbol],
    )
    const id = instance?.id ?? 0
    await client.flushall()
    await insert(id, 'b', '2024-01-01', 1)
    await insert(id, 'a', '2024-01-01', 1)
    daemon = startDaemon(testConfig(redis.url, database.url, { layout, storm: '0s' }))
    await daemon.next('watching')
    await insert(id, 'a', '2025-01-01', count)
    return { id, key: `indicator:${symbol}:h1`, symbol }
  }

  async function insert(id: number, param: string, from: string, count: number): Promise<void> {
    await database.query(
      `INSERT INTO indicator_values_v4 (instance_id, symbol, open_time, param_name, value)
       SELECT id, symbol, $3::timestamp + n * interval '1 minute', $2, n
       FROM indicator_instances_v4, generate_series(1, $4::int) AS n WHERE id = $1`,
      [id, param, from, count],
    )
  }

  async function holds(key: string, fields: Record<string, string>): Promise<void> {
    await until(async () => JSON.stringify(sorted(await client.hgetall(key))) === JSON.stringify(sorted(fields)), {
      timeout: followed,
    }).catch(async () => expect(sorted(await client.hgetall(key))).toEqual(sorted(fields)))
  }

  it.each([40, 400, 100_000])(
    'are followed and healed behind %i',
    async (count) => {
      const { id, key } = await begin(count)
      await holds(key, { a: String(count), b: '1' })

      await database.query('UPDATE indicator_values_v4 SET value = value + 500 WHERE instance_id = $1', [id])
      await holds(key, { a: String(count + 500), b: '501' })

      // Each is healed right, also where the loss comes before the change was followed.
      for (const [param, value] of [
        ['b', 7],
        ['b', 8],
        ['a', 9],
      ] as const) {
        daemon.passOver()
        const update = `UPDATE indicator_values_v4 SET value = $3 WHERE instance_id = $1 AND param_name = $2
        AND open_time = (SELECT max(open_time) FROM indicator_values_v4 WHERE instance_id = $1 AND param_name = $2)`
        await database.query(update, [id, param, value])
        await client.flushall()
        await daemon.next('healed')
        expect(await client.hget(key, param)).toBe(String(value))
      }

      await insert(id, 'c', '2023-01-01', 1)
      await holds(key, { a: '9', b: '8', c: '1' })
      daemon.passOver()
      await insert(id, 'd', '2023-01-01', 1)
      await client.flushall()
      await daemon.next('healed')
      expect(await client.hget(key, 'd')).toBe('1')

      // What PostgreSQL no longer knows is left alone while it stands, and does not come back.
      await database.query("DELETE FROM indicator_values_v4 WHERE instance_id = $1 AND param_name IN ('b', 'c')", [id])
      daemon.passOver()
      await client.flushall()
      await daemon.next('healed')
      expect(sorted(await client.hgetall(key))).toEqual({ a: '9', d: '1' })
      await untilWhole(redis.url, database, layout)
      expect(daemon.all('drift')).toEqual([])
    },
    90_000,
  )

  it('are healed right when the listener was cut', async () => {
    const { id, key } = await begin(40)
    await holds(key, { a: '40', b: '1' })
    for (let round = 0; round < 3; round++) {
      daemon.passOver()
      await database.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE 'listen %'`,
      )
      await insert(id, `n${round}`, '2022-01-01', 1)
      await database.query("UPDATE indicator_values_v4 SET value = $2 WHERE instance_id = $1 AND param_name = 'b'", [
        id,
        round + 70,
      ])
      await client.flushall()
      await daemon.next('healed')
      expect(await client.hmget(key, 'b', `n${round}`)).toEqual([String(round + 70), '1'])
    }
  }, 60_000)

  it('are healed right while the triggers are switched off', async () => {
    const { id, key } = await begin(40)
    await holds(key, { a: '40', b: '1' })
    daemon.passOver()
    await database.query('ALTER TABLE indicator_values_v4 DISABLE TRIGGER USER')
    try {
      await insert(id, 'old', '2022-01-01', 1)
      await client.flushall()
      await daemon.next('healed')
      expect(await client.hget(key, 'old')).toBe('1')
    } finally {
      await database.query('ALTER TABLE indicator_values_v4 ENABLE TRIGGER USER')
      await install()
    }
  }, 60_000)
})

function sorted(fields: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).sort())
}

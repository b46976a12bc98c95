import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../../lab/port.js'
import { anyLayout, type RunningDaemon, startDaemon, testConfig, untilWhole, useMarket } from '../support/daemon.js'
import { useRedis } from '../support/servers.js'

describe('an address to listen at that is wrong', () => {
  const redis = useRedis()
  const { database, install } = useMarket()
  const layout = anyLayout()
  let daemon: RunningDaemon

  beforeAll(install)
  afterEach(() => daemon.stop())

  const wrong: [string, () => Promise<Partial<URL>>, RegExp][] = [
    [
      'nobody answers',
      async () => ({ port: String(await freePort()) }),
      /is it running, and is postgres\.listen_url \(DATABASE_LISTEN_URL\) right/,
    ],
    ['the password is another', async () => ({ password: 'other' }), /the password in postgres\.listen_url/],
    ['there is no such database', async () => ({ pathname: '/nowhere' }), /the database name in postgres\.listen_url/],
  ]
  it.each(wrong)('is told at once by its own key, and changes are polled: %s', async (_, change, hint) => {
    const listen_url = Object.assign(new URL(database.url), await change()).href
    daemon = startDaemon(
      testConfig(redis.url, '', { layout, poll: '100ms', more: { postgres: { url: database.url, listen_url } } }),
    )
    const told = await daemon.next('degraded', ({ what }) => what === 'listener', 5_000)
    expect(told.hint).toMatch(hint)
    expect(told.hint).toMatch(/changes are polled for meanwhile$/)
    const { tables } = daemon.all('change_sources')[0] ?? (await daemon.next('change_sources'))
    expect(new Set(tables.map(({ found_by }) => found_by))).toEqual(new Set(['poll']))
    await untilWhole(redis.url, database, layout)
    await database.query('UPDATE indicator_values_v4 SET value = value + 1, updated_at = clock_timestamp()')
    await untilWhole(redis.url, database, layout)
    expect(daemon.all('postgres_down')).toEqual([])
  })
})

import type { Subscription } from 'rxjs'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createSchema } from '../../lab/schema.js'
import { configSchema } from '../../src/config/schema.js'
import { Vouching } from '../../src/daemon/vouching.js'
import type { Dataset } from '../../src/datasets/dataset.js'
import type { Change } from '../../src/decide/announcement.js'
import { listen } from '../../src/detect/changes.js'
import { type OpenDatabase, openDatabase } from '../../src/postgres/database.js'
import { type Catalog, readCatalog } from '../../src/postgres/trigger-catalog.js'
import { installSql } from '../../src/postgres/triggers.js'
import { useDatabase } from '../support/servers.js'
import { until } from '../support/until.js'

const config = configSchema.parse({ candles: false })
const { channel } = config.sync

describe('vouching', () => {
  const database = useDatabase()
  let db: OpenDatabase
  let vouching: Vouching
  let session: Subscription
  let isListening = false
  let proof: (() => Promise<boolean>) | undefined
  let heard: Change['keys'][] = []
  const look = (): Promise<Catalog> => readCatalog(config, (sql, values) => db.query(sql, values))
  const begin = async (): Promise<void> => vouching.begin(new Set(['indicators']), await look())

  beforeAll(async () => {
    await createSchema({ query: async (sql) => ({ rows: await database.query(sql), rowCount: null }) })
    await database.query(installSql(config))
    db = openDatabase(database.url, 'postgres')
  })
  afterAll(() => db.close())

  beforeEach(async () => {
    heard = []
    isListening = false
    const announced: Dataset['announced'] = {
      renew: (its) => {
        proof = its
      },
      hear: (keys) => heard.push(keys),
    }
    const dataset = { name: 'indicators', announced } as Partial<Dataset> as Dataset
    vouching = new Vouching([dataset], db, channel, look)
    const notify = (sql: string) => db.query(sql, [])
    session = listen({ url: database.url, server: 'postgres', channel, notify }).subscribe({
      next: (message) => {
        if (message.kind === 'change') vouching.hear(message.change)
        else if (message.kind === 'echo') vouching.echo(message.ping)
        else if (message.kind === 'listening') isListening = true
      },
      error: () => vouching.end(),
    })
    await until(() => isListening)
    await begin()
  })
  afterEach(() => session.unsubscribe())

  it('proves that what was committed before has been heard', async () => {
    for (let i = 0; i < 20; i++) {
      await database.query(
        `INSERT INTO indicator_instances_v4 (indicator, symbol, timeframe) VALUES ('x', 'S${i}', 'm1')`,
      )
      expect(await proof?.()).toBe(true)
      expect(heard.at(-1)).toEqual([{ symbol: `S${i}`, part: 'm1' }])
    }
  })

  it.each([
    [
      'was off for a moment',
      'ALTER TABLE indicator_values_v4 DISABLE TRIGGER USER',
      'ALTER TABLE indicator_values_v4 ENABLE TRIGGER USER',
    ],
    ['is off', 'ALTER TABLE indicator_values_v4 DISABLE TRIGGER USER', 'SELECT 1'],
    [
      'was made anew',
      'DROP TRIGGER rekindle_values_indicator_values_v4_insert ON indicator_values_v4',
      installSql(config),
    ],
  ])('proves nothing where a trigger %s', async (_, before, after) => {
    expect(await proof?.()).toBe(true)
    await database.query(before)
    await database.query(after)
    expect(await proof?.()).toBe(false)
    await database.query(installSql(config))
    await begin()
    expect(await proof?.()).toBe(true)
  })

  it('proves nothing where the session that listens has ended', async () => {
    const earlier = proof
    expect(await earlier?.()).toBe(true)
    await database.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE 'listen %'`,
    )
    await until(() => proof === undefined)
    expect(await earlier?.()).toBe(false)
  }, 20_000)

  it('proves nothing where a notification cannot be sent', async () => {
    let its: (() => Promise<boolean>) | undefined
    const dataset = {
      name: 'indicators',
      announced: {
        renew: (given: typeof its) => {
          its = given
        },
        hear: () => undefined,
      },
    }
    const other = new Vouching(
      [dataset as Partial<Dataset> as Dataset],
      { query: () => Promise.reject(new Error('away')) },
      channel,
      look,
    )
    other.begin(new Set(['indicators']), await look())
    expect(await its?.()).toBe(false)
  })
})

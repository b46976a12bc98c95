import { Redis } from 'ioredis'
import { Pool, type QueryResultRow } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, inject, TestRunner } from 'vitest'
import { createDatabase, dropDatabase } from '../../lab/databases.js'
import { type PostgresOptions, type RunningPostgres, startPostgres } from '../../lab/postgres.js'
import { type RedisOptions, type RunningRedis, startRedis } from '../../lab/redis.js'

export { until } from './until.js'

/** The two ways in which candles lie in Redis. */
export const layouts = [{ name: 'sortedset' }, { name: 'timeseries' }] as const
export type Layout = (typeof layouts)[number]['name']

/** Runs the same suite for each layout; the one for time series is skipped where the module is missing. */
export function describeLayouts(name: string, suite: (layout: Layout) => void): void {
  for (const layout of layouts) {
    const possible = layout.name === 'sortedset' || inject('hasTimeSeries')
    describe.skipIf(!possible)(`${name} (${layout.name})`, () => suite(layout.name))
  }
}

/**
 * Gives the file or describe block a Redis, empty when its tests begin. With REKINDLE_TEST_REDIS_URL it is the user's own:
 * then tests are skipped that need options, a second server, or to end, freeze or restart it.
 */
export function useRedis(options?: RedisOptions): RunningRedis {
  const borrowedUrl = inject('borrowedRedisUrl')
  if (!borrowedUrl) return use(() => startRedis(options))
  let needed = options !== undefined
  beforeEach((test) => test.skip(needed, needsOwn))
  return use(() => {
    needed ||= lent
    return lend(borrowedUrl)
  })
}

let lent = false
const needsOwn = 'needs a Redis of its own; REKINDLE_TEST_REDIS_URL is set'

/** Gives the file or describe block a PostgreSQL of its own, to end or restart. Most tests need `useDatabase` only. */
export function usePostgres(options?: PostgresOptions): RunningPostgres {
  return use(() => startPostgres(options))
}

/** A database for one test file. */
export interface TestDatabase {
  readonly url: string
  /** Runs one statement and returns its rows. */
  query<Row extends QueryResultRow>(sql: string, values?: unknown[]): Promise<Row[]>
  stop(): Promise<void>
}

/** Gives the file or describe block a new database, empty or as `prepare` fills it. */
export function useDatabase(prepare: (url: string) => Promise<unknown> = async () => {}): TestDatabase {
  return use(async () => {
    const admin = inject('adminUrl')
    const url = await createDatabase(admin)
    await prepare(url)
    const pool = new Pool({ connectionString: url, max: 2 })
    pool.on('error', () => {})
    return {
      url,
      query: async <Row extends QueryResultRow>(sql: string, values: unknown[] = []) =>
        (await pool.query<Row>(sql, values)).rows,
      stop: async () => {
        await pool.end()
        await dropDatabase(admin, url)
      },
    }
  })
}

// The server exists only while the tests run, but they want to name it where they are written.
function use<Resource extends { stop(): Promise<void> }>(start: () => Promise<Resource>): Resource {
  let current: Resource | undefined
  beforeAll(async () => {
    current = await start()
  })
  afterAll(async () => {
    await current?.stop()
    current = undefined
  })
  return new Proxy({} as Resource, {
    get: (_, name) => {
      if (current === undefined) throw new Error('the server runs inside tests and hooks only')
      const value: unknown = Reflect.get(current, name, current)
      return typeof value === 'function' ? value.bind(current) : value
    },
  })
}

async function lend(url: string): Promise<RunningRedis> {
  lent = true
  const connection = new Redis(url, { maxRetriesPerRequest: 1 })
  await connection.flushall()
  const { hostname, port } = new URL(url)
  return {
    url,
    host: hostname,
    port: Number(port || 6379),
    pid: 0,
    dir: '',
    hasTimeSeries: inject('hasTimeSeries'),
    kill: async () => skip(),
    start: async () => skip(),
    pause: skip,
    resume: skip,
    cli: (name, ...args) => connection.call(String(name), ...args),
    stop: async () => {
      await connection.flushall()
      connection.disconnect()
      lent = false
    },
  }
}

function skip(): never {
  const test = TestRunner.getCurrentTest()
  if (test?.type !== 'test') throw new Error(needsOwn)
  return test.context.skip(needsOwn)
}

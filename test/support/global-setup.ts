import type { TestProject } from 'vitest/node'
import { startPostgres } from '../../lab/postgres.js'
import { startRedis } from '../../lab/redis.js'
import { borrowRedis } from './borrowed-redis.js'

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a database whose user may create databases. */
    adminUrl: string
    /** URL of the user's own Redis, or '' where each test file starts one. */
    borrowedRedisUrl: string
    /** Whether the servers under test have the commands of RedisTimeSeries. */
    hasTimeSeries: boolean
  }
}

/** Starts what all test files share: one PostgreSQL; and finds out whether there is RedisTimeSeries. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { REKINDLE_TEST_REDIS_URL: redisUrl = '', REKINDLE_TEST_DATABASE_URL: databaseUrl } = process.env
  const redis = redisUrl ? await borrowRedis(redisUrl) : await startRedis()
  const postgres = databaseUrl ? undefined : await startPostgres()
  const { hasTimeSeries } = redis
  if (!hasTimeSeries) console.log('RedisTimeSeries was not found: the time series tests are SKIPPED.')
  if (redisUrl) console.log('REKINDLE_TEST_REDIS_URL is set: tests that restart or configure Redis are SKIPPED.')
  project.provide('adminUrl', databaseUrl ?? postgres?.url ?? '')
  project.provide('borrowedRedisUrl', redisUrl)
  project.provide('hasTimeSeries', hasTimeSeries)
  if (!redisUrl) await redis.stop()
  return async () => {
    if (redisUrl) await redis.stop()
    await postgres?.stop()
  }
}

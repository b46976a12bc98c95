import { afterEach, beforeAll } from 'vitest'
import { createMarket } from '../../lab/market.js'
import type { RunningPostgres } from '../../lab/postgres.js'
import type { RunningRedis } from '../../lab/redis.js'
import { type Queryable, queryable, SMALL } from './daemon.js'
import { usePostgres, useRedis } from './servers.js'

/** Both servers of one application, for a daemon in between. */
export interface App {
  readonly postgres: RunningPostgres
  readonly redis: RunningRedis
  /** The owner's URL of the database. */
  readonly url: string
  /** As the owner. */
  readonly database: Queryable
}

/** Gives the describe block a PostgreSQL of its own with the small market in the database `app`, and a Redis, emptied after each test. */
export function useApp(): App {
  const postgres = usePostgres()
  const redis = useRedis()
  let url = ''
  beforeAll(async () => {
    url = await postgres.createDatabase('app')
    await createMarket(url, SMALL)
  })
  afterEach(async () => {
    await redis.cli('FLUSHALL')
  })
  return {
    postgres,
    redis,
    database: queryable(() => url),
    get url() {
      return url
    },
  }
}

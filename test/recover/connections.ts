import { Redis } from 'ioredis'
import { afterEach } from 'vitest'

const connections: Redis[] = []

/** A connection to a URL or a socket that is closed after the test, if it was not before. */
export function connect(server: string, database = 0): Redis {
  // A database in the URL would win over the option.
  const redis = new Redis(server.replace(/(?<=:\d+)\/\d+$/, ''), {
    db: database,
    retryStrategy: () => null,
    protocol: 2,
  })
  redis.on('error', () => {})
  connections.push(redis)
  return redis
}

afterEach(() => {
  for (const redis of connections.splice(0)) redis.disconnect()
})

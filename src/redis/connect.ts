import { Redis } from 'ioredis'
import { serverName } from '../config/redact.js'
import { Trouble } from '../errors.js'
import { readAddress } from './tls.js'
import { Wire } from './wire.js'

/** How long a connection attempt may take, in ms. */
const CONNECT_TIMEOUT = 5_000
/** How long a command of the handshake or a subscription may take, in ms. */
const COMMAND_TIMEOUT = 10_000

/**
 * Opens one connection that belongs to one life of Redis: it never reconnects, never queues a command while it is down and never
 * replays one into a newer life. With ioredis' defaults a SET issued while Redis was dead landed in the restarted server.
 *
 * RESP2, because ioredis has no handler for RESP3's `invalidate` push. The URL may name files for TLS.
 */
export async function connectRedis(url: string, name: string): Promise<Redis> {
  const { address, tls } = readAddress(url)
  const redis = new Redis(address, {
    ...(tls && { tls: { ...tls } }),
    protocol: 2,
    lazyConnect: true,
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT,
    commandTimeout: COMMAND_TIMEOUT,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    keepAlive: 10_000,
    noDelay: true,
  })
  let failure: unknown
  // ioredis reports the reason (ECONNREFUSED, WRONGPASS) as an event and rejects connect() with a generic text.
  redis.on('error', (error) => {
    failure ??= error
  })
  try {
    await redis.connect()
    // ioredis drops a SELECT that fails and stays in database 0: that would be somebody else's.
    if (redis.options.db) await redis.select(redis.options.db)
    return redis
  } catch (error) {
    redis.disconnect()
    throw tls ? suspectCertificate(failure ?? error, url, tls.cert !== undefined) : (failure ?? error)
  }
}

/** In TLS 1.3 a server refuses our certificate only after the handshake, and what we write then can cost us its reason. */
function suspectCertificate(error: unknown, url: string, hasOwn: boolean): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code !== 'ECONNRESET' && code !== 'EPIPE') return error
  const doubt = hasOwn
    ? 'does it accept our client certificate (redis.tls.cert)?'
    : 'does it want a client certificate (redis.tls.cert and redis.tls.key)?'
  return new Trouble('redis_unreachable', `Redis ${serverName(url)}: ${message}`, `is it running, and ${doubt}`, true, {
    cause: error,
  })
}

/** Opens a connection for commands, like {@link connectRedis}. */
export async function connectWire(url: string, name: string): Promise<Wire> {
  const redis = await connectRedis(url, name)
  // Whatever it answers, the replies of the handshake are in before it: only then may another parser take over.
  await redis.ping().catch(() => undefined)
  return new Wire(redis)
}

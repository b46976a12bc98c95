import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { steadyTime } from '../clock.js'
import { serverFacts } from '../decide/info.js'
import { Trouble } from '../errors.js'
import type { ServerFacts } from '../model.js'
import { connectRedis, connectWire } from './connect.js'
import { timeOf } from './time.js'
import { redisTrouble } from './trouble.js'
import { encode, exchange, isErrorReply, type Reply, type Wire } from './wire.js'

/** One connection to one Redis process. A new life means: look before you trust. */
export interface Life {
  /** What INFO said when the life began; without permission for INFO, nothing but the time. */
  readonly facts: ServerFacts
  /** The database number, for the names of keyspace events. */
  readonly database: number
  /** Short commands: probes and marks. Never behind megabytes of a heal. */
  readonly probe: Wire
  /** Heals. */
  readonly bulk: Wire
  /** The subscriber: flush signals and key events. */
  readonly ears: Redis
  /** The subscriber's client id, if the server tells; a subscriber can no longer ask. */
  readonly earsId: number | undefined
  /** When Redis accepted our first command, in epoch ms. */
  readonly since: number
  /** Ends the life: it has failed in a way that only a new one can mend. */
  readonly fail: (trouble: Trouble) => void
}

export interface OpenLife {
  readonly life: Life
  /** Rejects with a Trouble as soon as one of the connections closes. */
  readonly ended: Promise<never>
  close(): void
}

/** How often a server that loads its data, or a replica, is asked whether that is over, in ms. */
const ASK_AGAIN = 50
/** Managed services take commands away by ACL or by renaming them. */
const FORBIDDEN = /^NOPERM|unknown command/

export interface OpenOptions {
  readonly url: string
  /** `host:port/db`, for errors. */
  readonly server: string
  /** Called while Redis answers but cannot be used yet: it loads its data, or is a replica. */
  readonly onWaiting: (trouble: Trouble) => void
  readonly signal: AbortSignal
}

/**
 * Opens the connections of one life, and waits as long as Redis loads its data or is a replica; rejects with a Trouble if it
 * cannot be reached or refuses us.
 */
export async function openLife({ url, server, onWaiting, signal }: OpenOptions): Promise<OpenLife> {
  const closers: (() => void)[] = []
  const close = (): void => {
    signal.removeEventListener('abort', close)
    for (const closer of closers) closer()
  }
  signal.addEventListener('abort', close, { once: true })
  try {
    const openWire = async (name: string): Promise<Wire> => {
      const wire = await connectWire(url, name)
      closers.push(() => wire.close())
      signal.throwIfAborted()
      return wire
    }
    const openEars = async (): Promise<Redis> => {
      const ears = await connectRedis(url, 'rekindle-ears')
      closers.push(() => ears.disconnect())
      signal.throwIfAborted()
      return ears
    }
    const probe = await openWire('rekindle')
    const since = steadyTime()
    const facts = await usableFacts(probe, server, onWaiting, signal)
    const [bulk, ears] = await Promise.all([openWire('rekindle-bulk'), openEars()])
    const earsId = await ears.client('ID').catch(unlessForbidden)
    let fail: (trouble: Trouble) => void = () => undefined
    const ended = new Promise<never>((_, reject) => {
      fail = reject
      const closed = (): void => reject(redisTrouble(new Error('the connection was closed'), server))
      for (const wire of [probe, bulk]) wire.closed.then(closed)
      ears.once('close', closed)
    })
    // Whoever holds the life listens to `ended`; if it fails before that, somebody must.
    ended.catch(() => undefined)
    return { life: { facts, database: probe.database, probe, bulk, ears, earsId, since, fail }, ended, close }
  } catch (error) {
    close()
    throw redisTrouble(error, server)
  }
}

/** Without its id nothing can be announced to it: said when that is turned on. */
function unlessForbidden(error: Error): undefined {
  if (!FORBIDDEN.test(error.message)) throw error
}

/** Asks INFO until the server has loaded its data and is no replica. */
async function usableFacts(
  probe: Wire,
  server: string,
  onWaiting: (trouble: Trouble) => void,
  signal: AbortSignal,
): Promise<ServerFacts> {
  for (;;) {
    signal.throwIfAborted()
    const facts = await readFacts(probe)
    if (facts.cluster) {
      throw new Trouble(
        'redis_refused',
        `Redis ${server} runs in cluster mode`,
        'point redis.url at a single primary',
        false,
      )
    }
    if (facts.loading) onWaiting(redisTrouble(new Error('LOADING Redis is loading its data'), server))
    else if (facts.role === 'replica') onWaiting(redisTrouble(new Error('READONLY it is a replica'), server))
    else return facts
    await delay(ASK_AGAIN, undefined, { signal })
  }
}

/** Reads INFO, INFO commandstats and CONFIG GET dir and appendfsync; what is forbidden stays unknown. */
export async function readFacts(probe: Wire): Promise<ServerFacts> {
  const replies = await exchange(probe, [
    encode('INFO'),
    encode('INFO', 'commandstats'),
    encode('CONFIG', 'GET', 'dir'),
    encode('CONFIG', 'GET', 'appendfsync'),
  ])
  const [info, stats, dir, appendfsync] = replies.map((reply) => {
    if (!isErrorReply(reply)) return reply
    if (FORBIDDEN.test(reply.message)) return undefined
    throw reply
  })
  const facts = serverFacts(
    typeof info === 'string' ? info : '',
    typeof stats === 'string' ? stats : undefined,
    settingOf(dir),
    steadyTime(),
    settingOf(appendfsync),
  )
  return facts.time === undefined ? { ...facts, ...(await askTime(probe)) } : facts
}

/** For a server whose INFO does not tell the time, or is forbidden. */
async function askTime(probe: Wire): Promise<Pick<ServerFacts, 'at' | 'time'>> {
  const [reply] = await exchange(probe, [encode('TIME')])
  const isTold = Array.isArray(reply)
  if (isErrorReply(reply) && !FORBIDDEN.test(reply.message)) throw reply
  return { at: steadyTime(), time: isTold ? timeOf(reply) : undefined }
}

/** The value in a reply of CONFIG GET; a name that the server does not know gives an empty one. */
function settingOf(reply: Reply | undefined): string | undefined {
  return Array.isArray(reply) && reply[1] !== undefined ? String(reply[1]) : undefined
}

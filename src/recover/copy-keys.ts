import type { Redis } from 'ioredis'
import { RedisClock, steadyTime } from '../clock.js'
import { serverName } from '../config/redact.js'
import { isOurs } from '../decide/classes.js'
import { Trouble } from '../errors.js'
import { connectRedis, connectWire } from '../redis/connect.js'
import { timeOf } from '../redis/time.js'
import { redisTrouble } from '../redis/trouble.js'
import { encode, type Wire } from '../redis/wire.js'
import { ahead, type Payload, readPayloads } from './payloads.js'
import { ensureRoom, watchEvictions } from './room.js'
import { Standing } from './standing.js'
import { type Fate, writer } from './write-payloads.js'

export interface CopyOptions {
  /** The socket of a throwaway server. */
  readonly from: string
  /** The URL of the live Redis, which names its database. */
  readonly to: string
  /** The database of the source. */
  readonly database: number
  readonly select: (key: Buffer) => boolean
  /** Write over keys that the live Redis has; otherwise these are kept. */
  readonly replace: boolean
  /** Write nothing. */
  readonly dryRun: boolean
  readonly signal: AbortSignal
  /** Told after every step; what was done stays done if the copy ends early. */
  readonly onProgress?: (soFar: Copied, share: number) => void
}

/** What came of a copy. Counts are keys. */
export interface Copied {
  /** Written, or that would have been written. */
  readonly copied: number
  /** The live Redis had them, and they were left as they are. */
  readonly kept: number
  /** Their time to live has ended since the backup. */
  readonly expired: number
  /** The live Redis cannot take them: it lacks their module. */
  readonly failed: number
  /** The first of those that were copied, as bytes. */
  readonly names: readonly Buffer[]
  /** Of the first that were written, those that the live Redis had no more in the end, as bytes: evicted or deleted. */
  readonly gone: readonly Buffer[]
  /** False where Redis would not tell whether it evicts other keys for these. */
  readonly isRoomKnown: boolean
  /** One that failed. */
  readonly failure: { readonly key: Buffer; readonly message: string } | undefined
}

export const NOTHING_COPIED: Copied = {
  copied: 0,
  kept: 0,
  expired: 0,
  failed: 0,
  names: [],
  gone: [],
  isRoomKnown: true,
  failure: undefined,
}

const SOURCE_GONE = new Trouble(
  'no_memory',
  'the throwaway server ended in the middle',
  'is there enough memory?',
  true,
)

/** Names that are remembered at most. */
export const NAMES = 10_000

/**
 * Brings keys from one server into a live one, with what is left of their time to live, and never Rekindle's own. Nothing is locked
 * and nothing deleted: to repeat it does no harm, nor do two at once. Where the live Redis begins to evict keys, it stops. Rejects with
 * a Trouble where going on makes no sense.
 */
export async function copyKeys(options: CopyOptions): Promise<Copied> {
  return between(options, (source, target) => copy(source, target, options))
}

/** Rejects with a Trouble `no_memory` where the live Redis would evict keys for those that are chosen; `select` only chooses. */
export function ensureRoomFor(options: Ends & Pick<CopyOptions, 'select'>): Promise<void> {
  return between(options, (source, target) => ensureRoom(source, target, options.select, options.signal))
}

type Ends = Pick<CopyOptions, 'from' | 'to' | 'database' | 'signal'>

async function between<T>(ends: Ends, work: (source: Redis, target: Wire) => Promise<T>): Promise<T> {
  const { from, to, database, signal } = ends
  const server = serverName(to)
  const source = await connectRedis(from, 'rekindle-recover')
  try {
    if (database > 0) await source.select(database)
    const target = await connectWire(to, 'rekindle-recover').catch((error) => {
      throw redisTrouble(error, server)
    })
    try {
      return await work(source, target)
    } catch (error) {
      signal.throwIfAborted()
      if (source.status !== 'ready') throw SOURCE_GONE
      throw targetTrouble(error, server)
    } finally {
      target.close()
    }
  } finally {
    source.disconnect()
  }
}

async function copy(source: Redis, target: Wire, options: CopyOptions): Promise<Copied> {
  const { select, signal, dryRun, onProgress } = options
  const write = writer(options)
  const checkEvictions = dryRun ? undefined : await watchEvictions(target)
  const clock = await clockOf(target)
  const standing = new Standing(clock)
  const total = await source.dbsize()
  const isWanted = (key: Buffer): boolean => !isOurs(key.toString('latin1')) && select(key)
  let soFar: Copied = { ...NOTHING_COPIED, isRoomKnown: dryRun || checkEvictions !== undefined }
  for await (const { payloads: read, expired, scanned } of ahead(readPayloads(source, isWanted))) {
    signal.throwIfAborted()
    const now = clock.now()
    const payloads = read.filter(({ expiresAt }) => expiresAt === 0 || expiresAt > now)
    const fates = await write(target, payloads)
    soFar = add(soFar, payloads, fates, expired + read.length - payloads.length)
    onProgress?.(soFar, total > 0 ? Math.min(1, scanned / total) : 1)
    await checkEvictions?.()
    if (!dryRun) standing.add(payloads.filter((_, i) => fates[i] === 'copied'))
  }
  return { ...soFar, gone: await standing.gone(target) }
}

/** The live Redis' clock, by which keys expire there; where it may not be asked for, that of this machine. */
async function clockOf(target: Wire): Promise<RedisClock> {
  const clock = new RedisClock()
  const [reply] = await target.exchange([encode('TIME')])
  if (Array.isArray(reply)) clock.read(timeOf(reply), steadyTime())
  return clock
}

function add(soFar: Copied, payloads: readonly Payload[], fates: readonly Fate[], expired: number): Copied {
  const keysThat = (is: (fate: Fate) => boolean): Buffer[] =>
    payloads.flatMap(({ key }, i) => (is(fates[i] ?? 'kept') ? [Buffer.from(key)] : []))
  const copied = keysThat((fate) => fate === 'copied')
  const failed = keysThat((fate) => fate instanceof Error)
  const reason = fates.find((fate) => fate instanceof Error)
  return {
    copied: soFar.copied + copied.length,
    kept: soFar.kept + payloads.length - copied.length - failed.length,
    expired: soFar.expired + expired,
    failed: soFar.failed + failed.length,
    names: soFar.names.length < NAMES ? [...soFar.names, ...copied.slice(0, NAMES - soFar.names.length)] : soFar.names,
    gone: soFar.gone,
    isRoomKnown: soFar.isRoomKnown,
    failure: soFar.failure ?? (failed[0] && reason ? { key: failed[0], message: reason.message } : undefined),
  }
}

function targetTrouble(error: unknown, server: string): Trouble {
  const said = error instanceof Error ? error.message : ''
  if (/DUMP payload version or checksum/i.test(said)) {
    const hint = 'put a redis-server on PATH here that is no newer than the live Redis, and can read the backup'
    return new Trouble(
      'bad_backup',
      `Redis ${server} is too old for what this redis-server writes: ${said}`,
      hint,
      false,
    )
  }
  const trouble = redisTrouble(error, server)
  if (!said.startsWith('NOPERM')) return trouble
  const hint = 'grant it: ACL SETUSER <user> +restore +exists, and the keys, as in ~sub:*'
  return new Trouble(trouble.code, trouble.message, hint, false)
}

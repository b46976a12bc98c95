import type { Redis } from 'ioredis'
import { serverName } from '../config/redact.js'
import { connectRedis, connectWire } from '../redis/connect.js'
import { redisTrouble } from '../redis/trouble.js'
import type { Command, Wire } from '../redis/wire.js'
import type { Copied } from './copy-keys.js'

export interface RulesOptions {
  /** The socket of the throwaway server that the keys were copied from. */
  readonly from: string
  /** The URL of the live Redis, which names its database. */
  readonly to: string
  /** The database of the source. */
  readonly database: number
  /** What came of the copy: rules of other keys are let be. */
  readonly copied: Pick<Copied, 'copied' | 'names'>
  /** Which keys were chosen; asked where more were copied than are named. Only chooses, counts nothing. */
  readonly select: (key: Buffer) => boolean
  /** Write nothing. */
  readonly dryRun: boolean
  readonly signal: AbortSignal
}

/** What became of the compaction rules of time series. Counts are rules. */
export interface RestoredRules {
  /** Made anew, or that would have been. */
  readonly restored: number
  /** Not made: one of the two series is not in the live Redis, or it refused. */
  readonly failed: number
  /** The first of those that failed. */
  readonly failure: { readonly source: Buffer; readonly target: Buffer; readonly message: string } | undefined
}

export const NO_RULES: RestoredRules = { restored: 0, failed: 0, failure: undefined }

interface Rule {
  readonly source: Buffer
  readonly target: Buffer
  /** What follows in TS.CREATERULE: the aggregation, its buckets, and what they begin at. */
  readonly words: readonly (string | Buffer)[]
}

/** Keys that one SCAN looks at, and how many are asked about at once. */
const STEP = 10_000
const AT_ONCE = 256

/**
 * Makes the compaction rules of time series anew after a copy: DUMP and RESTORE leave them out, of the source and of the target, with
 * every version of RedisTimeSeries, and nothing would be aggregated any more. A rule that stands is let be; a bucket that was open
 * counts only what comes from now on. What the live Redis refuses is counted. Rejects with a Trouble where it is gone, and with the
 * signal's reason.
 */
export async function restoreRules(options: RulesOptions): Promise<RestoredRules> {
  const { from, to, database, signal, copied } = options
  if (copied.copied === 0) return NO_RULES
  const server = serverName(to)
  const source = await connectRedis(from, 'rekindle-rules')
  let target: Wire | undefined
  try {
    if (!(await hasSeries(source))) return NO_RULES
    if (database > 0) await source.select(database)
    target = await connectWire(to, 'rekindle-rules')
    return await restore(source, target, options)
  } catch (error) {
    signal.throwIfAborted()
    throw redisTrouble(error, server)
  } finally {
    target?.close()
    source.disconnect()
  }
}

async function hasSeries(redis: Redis): Promise<boolean> {
  return /\btimeseries\b/.test(JSON.stringify(await redis.call('MODULE', 'LIST')))
}

async function restore(source: Redis, target: Wire, options: RulesOptions): Promise<RestoredRules> {
  const isCopied = copiedTest(options)
  const write: Write = options.dryRun ? look(isCopied) : create
  let soFar = NO_RULES
  for await (const found of readRules(source)) {
    options.signal.throwIfAborted()
    // One of keys that were there all along may have been taken away on purpose.
    const rules = found.filter((rule) => isCopied(rule.source) || isCopied(rule.target))
    soFar = add(soFar, rules, await write(target, rules))
  }
  return soFar
}

function copiedTest({ copied: { copied, names }, select }: RulesOptions): (key: Buffer) => boolean {
  if (names.length < copied) return select
  const named = new Set(names.map((name) => name.toString('latin1')))
  return (key) => named.has(key.toString('latin1'))
}

/** All rules, some series at a time. The server is one of our own: nobody else waits for it. */
async function* readRules(from: Redis): AsyncGenerator<Rule[]> {
  let cursor = '0'
  do {
    const [next, keys] = await from.scanBuffer(cursor, 'COUNT', STEP, 'TYPE', 'TSDB-TYPE')
    cursor = next.toString()
    for (let at = 0; at < keys.length; at += AT_ONCE) {
      const some = keys.slice(at, at + AT_ONCE)
      const replies = await Promise.all(some.map((key) => from.callBuffer('TS.INFO', key)))
      yield replies.flatMap((reply, i) => rulesOf(some[i] as Buffer, reply))
    }
  } while (cursor !== '0')
}

/** What TS.INFO tells of the rules of a series: for each the target, the buckets, the aggregation, and what they begin at. */
function rulesOf(source: Buffer, reply: unknown): Rule[] {
  const info = reply as unknown[]
  const at = info.findIndex((word, i) => i % 2 === 0 && String(word) === 'rules')
  const rules = (at < 0 ? [] : info[at + 1]) as [Buffer, number, Buffer, number?][]
  return rules.map(([target, bucket, aggregation, align = 0]) => ({
    source,
    target,
    words: ['AGGREGATION', aggregation, String(bucket), ...(align === 0 ? [] : [String(align)])],
  }))
}

/** What became of one rule: the reason where it failed. */
type Fate = 'restored' | 'stands' | Error

/** Makes rules, or only looks whether it would. */
type Write = (target: Wire, rules: readonly Rule[]) => Promise<Fate[]>

const create: Write = async (redis, rules) => {
  const replies = await redis.exchange(
    rules.map(({ source, target, words }) => command('TS.CREATERULE', source, target, ...words)),
  )
  return replies.map((reply) => {
    if (!(reply instanceof Error)) return 'restored'
    // A target has one source only: what somebody has made since counts more.
    return /already has a src rule/i.test(reply.message) ? 'stands' : reply
  })
}

/** A rule can be made where both series stand, or will be copied. */
function look(isCopied: (key: Buffer) => boolean): Write {
  return async (redis, rules) => {
    const ends = rules.flatMap(({ source, target }) => [source, target])
    const replies = await redis.exchange(ends.map((key) => command('EXISTS', key)))
    const stands = ends.map((key, i) => isCopied(key) || replies[i] === 1)
    return rules.map((_, i) => (stands[2 * i] && stands[2 * i + 1] ? 'restored' : MISSING))
  }
}

const MISSING = new Error('the other series is not in the live Redis')

function add(soFar: RestoredRules, rules: readonly Rule[], fates: readonly Fate[]): RestoredRules {
  const at = fates.findIndex((fate) => fate instanceof Error)
  const [rule, reason] = [rules[at], fates[at]]
  return {
    restored: soFar.restored + fates.filter((fate) => fate === 'restored').length,
    failed: soFar.failed + fates.filter((fate) => fate instanceof Error).length,
    failure:
      soFar.failure ??
      (rule && reason instanceof Error
        ? { source: rule.source, target: rule.target, message: reason.message }
        : undefined),
  }
}

function command(...words: readonly (string | Buffer)[]): Command {
  const parts = words.flatMap((word) => {
    const bytes = Buffer.from(word as Buffer)
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]
  })
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts])
}

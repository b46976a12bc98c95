import type { Redis } from 'ioredis'
import { isOurs } from '../decide/classes.js'
import { parseInfo } from '../decide/info.js'
import { Trouble } from '../errors.js'
import { ask, type Wire } from '../redis/wire.js'
import { exists } from './write-payloads.js'

/** Keys that one SCAN looks at, and how many of them are measured. */
const STEP = 1_000
const SAMPLE = 100
/** What a key costs beside what MEMORY USAGE says: its place in a table that doubles, in bytes. */
const PLACE = 32
/** What buffers and fragments may take while keys are written, as a share. */
const MARGIN = 1.1

/** How much memory a Redis has that evicts keys rather than refuse writes. In bytes. */
interface Limit {
  readonly used: number
  readonly max: number
  readonly policy: string
  /** Keys that were evicted since the server started. */
  readonly evicted: number
}

/** Reads it; undefined where no key is evicted, `unknown` where the server does not tell. */
async function readLimit(target: Wire): Promise<Limit | undefined | 'unknown'> {
  const info = async (section: string): Promise<ReadonlyMap<string, string>> =>
    parseInfo(String(await ask(target, 'INFO', section).catch(unlessRefused)))
  const memory = await info('memory')
  if (memory.size === 0) return 'unknown'
  const max = Number(memory.get('maxmemory') ?? 0)
  const policy = memory.get('maxmemory_policy') ?? 'noeviction'
  if (max === 0 || policy === 'noeviction') return undefined
  const used = Number(memory.get('used_memory') ?? 0) - Number(memory.get('mem_not_counted_for_evict') ?? 0)
  return { used, max, policy, evicted: Number((await info('stats')).get('evicted_keys') ?? 0) }
}

/**
 * Rejects with a Trouble `no_memory` if the chosen keys do not fit into a live Redis that would evict others for them. Those that it has
 * need no room. Sizes are estimated by samples.
 */
export async function ensureRoom(
  source: Redis,
  target: Wire,
  select: (key: Buffer) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const limit = await readLimit(target)
  // The copy tells that it could not be seen.
  if (!limit || limit === 'unknown') return
  const needed = await estimate(source, target, select, signal)
  if (limit.used + needed <= limit.max) return
  throw new Trouble(
    'no_memory',
    `Redis has room for ${megabytes(limit.max - limit.used)}, and what is to be brought back takes about ` +
      `${megabytes(needed)}: with maxmemory-policy ${limit.policy} it would evict other keys`,
    'raise maxmemory (CONFIG SET maxmemory), or bring back fewer keys: --match',
    true,
  )
}

/**
 * Gives a check that rejects with a Trouble `no_memory` once the live Redis has evicted keys since now; undefined where it does not tell
 * whether it does.
 */
export async function watchEvictions(target: Wire): Promise<(() => Promise<void>) | undefined> {
  const before = await readLimit(target)
  if (before === 'unknown') return undefined
  if (!before) return async () => undefined
  return async () => {
    const now = await readLimit(target)
    const evicted = (typeof now === 'object' ? now.evicted : 0) - before.evicted
    if (evicted <= 0) return
    throw new Trouble(
      'no_memory',
      `Redis began to evict keys (${evicted} until now, maxmemory-policy ${before.policy}): stopped before it evicts more`,
      'raise maxmemory (CONFIG SET maxmemory), then run it again to bring back the rest',
      true,
    )
  }
}

async function estimate(
  source: Redis,
  target: Wire,
  select: (key: Buffer) => boolean,
  signal: AbortSignal,
): Promise<number> {
  let [cursor, bytes] = ['0', 0]
  do {
    signal.throwIfAborted()
    const [next, keys] = await source.scanBuffer(cursor, 'COUNT', STEP)
    cursor = next.toString()
    const chosen = keys.filter((key) => !isOurs(key.toString('latin1')) && select(key))
    const every = Math.max(1, Math.floor(chosen.length / SAMPLE))
    const sample = chosen.filter((_, i) => i % every === 0)
    // Where that may not be asked, every key counts as missing.
    const there = await target.exchange(sample.map(exists))
    const sizes = await sizesOf(source, sample)
    const missing = sizes.reduce((sum, size, i) => sum + (there[i] === 1 ? 0 : size + PLACE), 0)
    if (sample.length > 0) bytes += (missing * chosen.length) / sample.length
  } while (cursor !== '0')
  return bytes * MARGIN
}

async function sizesOf(source: Redis, keys: readonly Buffer[]): Promise<number[]> {
  if (keys.length === 0) return []
  const asked = source.pipeline()
  for (const key of keys) asked.memory('USAGE', key)
  return ((await asked.exec()) ?? []).map(([, size]) => Number(size ?? 0))
}

function unlessRefused(error: Error): string {
  if (/^NOPERM|unknown command/i.test(error.message)) return ''
  throw error
}

function megabytes(bytes: number): string {
  return `${(Math.max(0, bytes) / 1_048_576).toFixed(1)} MiB`
}

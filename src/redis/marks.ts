import { asideCommand } from './aside.js'
import { missingKeys } from './presence.js'
import { ask, encode, exchange, isErrorReply, type Reply, type Wire } from './wire.js'

/** Stands while everything is whole; written last, and dies with the data. Its value starts with the run_id it was written in. */
export const EPOCH = 'rekindle:epoch'
/** Hash, symbol -> epoch: the symbols that are whole. Dies with the data, so that a reader never takes an empty Redis for truth. */
export const READY = 'rekindle:ready'

/** KEYS: ready, and every key of the symbol; ARGV: symbol, epoch. A symbol that was lost again since it was verified is not marked. */
const MARK_READY = `
if #KEYS > 1 and redis.call('EXISTS', unpack(KEYS, 2)) < #KEYS - 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`

/** KEYS: epoch, ready; ARGV: epoch, how many symbols must be ready. A flush since the last of them leaves too few. */
const MARK_COMPLETE = `
if redis.call('HLEN', KEYS[2]) < tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1`

/** A new epoch for a life: unique, and tells whether the process it was written in still runs. */
export function newEpoch(runId: string | undefined): string {
  return `${runId ?? 'unknown'}:${Date.now().toString(36)}`
}

export async function readEpoch(redis: Wire): Promise<string | null> {
  return (await unlessWrongType(ask(redis, 'GET', EPOCH), null)) as string | null
}

/** How many symbols are marked ready. */
export async function countReady(redis: Wire): Promise<number> {
  return Number(await unlessWrongType(ask(redis, 'HLEN', READY), 0))
}

/** Somebody has written over a mark: then it does not stand. */
async function unlessWrongType(reply: Promise<Reply>, otherwise: Reply): Promise<Reply> {
  try {
    return await reply
  } catch (error) {
    if (isWrongType(error)) return otherwise
    throw error
  }
}

/** True if what stands in a mark's place is of another type. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('WRONGTYPE')
}

/**
 * Takes down whatever else stands in the marks' place, the marks that were not set in the process `runId`, and those of symbols that
 * are not `enabled`, if it is known which are.
 */
export async function keepMarks(
  redis: Wire,
  runId: string | undefined,
  enabled: ReadonlySet<string> | undefined,
): Promise<void> {
  const isOurs = (mark: string): boolean => runId !== undefined && mark.startsWith(`${runId}:`)
  for (const reply of await exchange(redis, [asideCommand(EPOCH, 'string'), asideCommand(READY, 'hash')]))
    resultOf(reply)
  const epoch = await readEpoch(redis)
  if (epoch !== null && !isOurs(epoch)) await ask(redis, 'DEL', EPOCH)
  const list = (await ask(redis, 'HGETALL', READY)) as string[]
  const strays = list.filter(
    (symbol, i) => i % 2 === 0 && !(isOurs(list[i + 1] ?? '') && (enabled?.has(symbol) ?? true)),
  )
  await unmark(redis, strays)
}

/** Keys that one script may look at: about 0.1 ms of Redis' time. */
const BATCH = 500

/**
 * Marks symbols ready whose keys all stand; returns those that could not be marked. Of a symbol with very many keys, all but the last
 * few hundred are looked at just before: what takes them all in between takes those, too.
 */
export async function markReady(
  redis: Wire,
  epoch: string,
  symbols: ReadonlyMap<string, readonly string[]>,
): Promise<string[]> {
  const first = new Map([...symbols].map(([symbol, keys]) => [symbol, keys.slice(0, -BATCH)]))
  const gone = new Set(await missingKeys(redis, [...first.values()].flat()))
  const names = [...symbols.keys()].filter(
    (symbol) => gone.size === 0 || !first.get(symbol)?.some((key) => gone.has(key)),
  )
  const replies = await exchange(
    redis,
    names.map((symbol) => {
      const keys = symbols.get(symbol)?.slice(-BATCH) ?? []
      return encode('EVAL', MARK_READY, keys.length + 1, READY, ...keys, symbol, epoch)
    }),
  )
  const marked = new Set(names.filter((_, i) => resultOf(replies[i]) === 1))
  return [...symbols.keys()].filter((symbol) => !marked.has(symbol))
}

/** Writes the epoch if `count` symbols are ready; false if they no longer are. */
export async function markComplete(redis: Wire, epoch: string, count: number): Promise<boolean> {
  return (await ask(redis, 'EVAL', MARK_COMPLETE, 2, EPOCH, READY, epoch, count)) === 1
}

/** Takes the marks of lost symbols away, and with them the epoch. */
export async function markLost(redis: Wire, symbols: Iterable<string>): Promise<void> {
  const names = [...symbols]
  const commands = [encode('DEL', EPOCH)]
  for (let i = 0; i < names.length; i += 500) commands.push(encode('HDEL', READY, ...names.slice(i, i + 500)))
  for (const reply of await exchange(redis, commands)) resultOf(reply)
}

/** Forgets symbols that are no longer enabled; what is whole stays so. */
export async function unmark(redis: Wire, symbols: readonly string[]): Promise<void> {
  if (symbols.length > 0) await ask(redis, 'HDEL', READY, ...symbols)
}

function resultOf(reply: Reply | Error | undefined): Reply {
  if (isErrorReply(reply)) throw reply
  return reply ?? null
}

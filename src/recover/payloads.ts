import type { Redis } from 'ioredis'

/** A key with what DUMP gives for it. */
export interface Payload {
  readonly key: Buffer
  readonly payload: Buffer
  /** The moment at which it expires, in epoch ms by the clock of the Redis that the backup is of; 0 if it has none, as RESTORE takes it. */
  readonly expiresAt: number
}

/** What was read in one step. */
export interface Batch {
  readonly payloads: readonly Payload[]
  /** Keys that are gone since they were found: their time had come. */
  readonly expired: number
  /** How many keys were gone through until now, chosen or not. */
  readonly scanned: number
}

/** Keys that one SCAN looks at. */
const STEP = 1_000

/** What is read and written at once, in keys and in bytes; a key that is larger travels alone. */
const KEYS = 256
const BYTES = 8 * 1_048_576

/**
 * DUMP of each key and when it expires, until it is enough: one command instead of two for each of a million keys. No time left is not
 * what 0 means to RESTORE, so that such a key counts as gone, as an empty payload. Moments, and not what is left until then: the clock of
 * this machine, by which that is counted here, may be another than that of Redis.
 */
const READ = `
local bytes, replies, time = 0, {}, redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, key in ipairs(ARGV) do
  if bytes > ${BYTES} then break end
  local payload, ttl = redis.call('DUMP', key), redis.call('PTTL', key)
  if not payload or ttl == 0 or ttl == -2 then payload = '' end
  bytes = bytes + #payload
  replies[#replies + 1] = payload
  replies[#replies + 1] = ttl < 0 and 0 or now + ttl
end
return replies`

/** Reads chosen keys whole. The server is one of our own: nobody else waits for it. */
export async function* readPayloads(from: Redis, select: (key: Buffer) => boolean): AsyncGenerator<Batch> {
  let [cursor, scanned] = ['0', 0]
  do {
    const [next, keys] = await from.scanBuffer(cursor, 'COUNT', STEP)
    cursor = next.toString()
    scanned += keys.length
    const chosen = keys.filter(select)
    // Also a step in which nothing was chosen is one.
    if (chosen.length === 0) yield { payloads: [], expired: 0, scanned }
    for (let at = 0; at < chosen.length; ) {
      const { read, payloads } = await readSome(from, chosen.slice(at, at + KEYS))
      yield { payloads, expired: read - payloads.length, scanned }
      at += read
    }
  } while (cursor !== '0')
}

async function readSome(from: Redis, keys: readonly Buffer[]): Promise<{ read: number; payloads: Payload[] }> {
  const replies = (await from.callBuffer('EVAL', READ, 0, ...keys)) as (Buffer | number)[]
  const read = replies.length / 2
  const payloads = keys.slice(0, read).flatMap((key, i): Payload[] => {
    const [payload, expiresAt] = [replies[2 * i] as Buffer, replies[2 * i + 1] as number]
    return payload.length === 0 ? [] : [{ key, payload, expiresAt }]
  })
  return { read, payloads }
}

/** Asks for the next one while this one is being used. */
export async function* ahead<T>(source: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = source.next()
  for (;;) {
    const { done, value } = await next
    if (done) return
    next = source.next()
    // It is awaited in the next round, unless nobody asks any more.
    next.catch(() => undefined)
    yield value
  }
}

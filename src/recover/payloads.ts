import type { Redis } from 'ioredis'

/** A key with what DUMP gives for it. */
export interface Payload {
  readonly key: Buffer
  readonly payload: Buffer
  /** What is left of its time to live, in ms; 0 if it has none, as RESTORE takes it. */
  readonly ttl: number
}

/** Keys that were looked at in one step, and those that are gone since: their time had come. */
export interface Batch {
  readonly payloads: readonly Payload[]
  readonly expired: number
}

/** What is read and written at once, in keys and in bytes of memory at the source; a key that is larger travels alone. */
const KEYS = 256
const BYTES = 8 * 1_048_576

/** Reads keys whole, as many at once as is easy on both sides. */
export async function* readPayloads(from: Redis, keys: readonly Buffer[]): AsyncGenerator<Batch> {
  for (const batch of await easyBatches(from, keys)) {
    const asked = from.pipeline()
    for (const key of batch) asked.dumpBuffer(key).pttl(key)
    const replies = await run(asked)
    const payloads = batch.flatMap((key, i): Payload[] => {
      const [payload, ttl] = [replies[2 * i] as Buffer | null, replies[2 * i + 1] as number]
      // No time left is not what 0 means to RESTORE.
      return payload === null || ttl === 0 || ttl === -2 ? [] : [{ key, payload, ttl: Math.max(0, ttl) }]
    })
    yield { payloads, expired: batch.length - payloads.length }
  }
}

async function easyBatches(from: Redis, keys: readonly Buffer[]): Promise<Buffer[][]> {
  const asked = from.pipeline()
  for (const key of keys) asked.call('MEMORY', 'USAGE', key)
  const sizes = await run(asked)
  const batches: Buffer[][] = []
  let room = 0
  keys.forEach((key, i) => {
    const size = Number(sizes[i] ?? 0)
    const last = batches.at(-1)
    if (!last || last.length >= KEYS || room < size) {
      batches.push([key])
      room = BYTES - size
    } else {
      last.push(key)
      room -= size
    }
  })
  return batches
}

/** Runs a pipeline; rejects with the first error reply. */
export async function run(pipeline: ReturnType<Redis['pipeline']>): Promise<unknown[]> {
  const replies = (await pipeline.exec()) ?? []
  return replies.map(([error, reply]) => {
    if (error) throw error
    return reply
  })
}

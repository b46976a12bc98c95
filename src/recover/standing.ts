import type { RedisClock } from '../clock.js'
import type { Wire } from '../redis/wire.js'
import type { Payload } from './payloads.js'
import { exists } from './write-payloads.js'

/** Keys that are looked for at most, and at once. */
const LIMIT = 10_000
const BATCH = 500
/** A key that has less time to live than this when it is looked for may be gone by right, in ms. */
const CLOSE = 1_000

interface Written {
  readonly key: Buffer
  /** When its time comes, in epoch ms by the live Redis' clock. */
  readonly until: number
}

/** Remembers keys that were written, the first ones, to see in the end whether they stand. */
export class Standing {
  private readonly written: Written[] = []

  constructor(private readonly clock: RedisClock) {}

  add(payloads: readonly Payload[]): void {
    for (const { key, expiresAt } of payloads.slice(0, LIMIT - this.written.length))
      this.written.push({ key: Buffer.from(key), until: expiresAt === 0 ? Number.POSITIVE_INFINITY : expiresAt })
  }

  /** Those that the live Redis does not have any more, though their time has not come. What it does not tell is not counted. */
  async gone(target: Wire): Promise<Buffer[]> {
    const gone: Buffer[] = []
    for (let at = 0; at < this.written.length; at += BATCH) {
      const batch = this.written.slice(at, at + BATCH)
      const replies = await target.exchange(batch.map(({ key }) => exists(key)))
      // A user who may not ask: then no more of it.
      if (replies[0] instanceof Error) break
      const now = this.clock.now()
      gone.push(...batch.flatMap(({ key, until }, i) => (replies[i] === 0 && until > now + CLOSE ? [key] : [])))
    }
    return gone
  }
}

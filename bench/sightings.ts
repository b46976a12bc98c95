import type { Redis } from 'ioredis'

interface Expected {
  readonly fields: readonly string[]
  readonly value: number
  resolve(at: number): void
}

/**
 * Sees values arrive in hashes, independently of the daemon: keyspace notifications (`Kh`) say which hash was written and when, and
 * then its fields are read. What is expected are rising numbers, so that a newer value stands for the older ones that it replaced.
 */
export class Sightings {
  private readonly expected = new Map<string, Set<Expected>>()
  private readonly touched = new Map<string, number>()

  private constructor(private readonly reader: Redis) {}

  /** `ears` becomes a subscriber; `reader` reads. */
  static async open(ears: Redis, reader: Redis): Promise<Sightings> {
    const sightings = new Sightings(reader)
    const prefix = '__keyspace@0__:'
    ears.on('pmessage', (_pattern: string, channel: string) => sightings.touch(channel.slice(prefix.length)))
    await ears.psubscribe(`${prefix}indicator:*`)
    return sightings
  }

  /** The time, by `performance.now()`, of the notification after which all the fields held the value, or a later one. */
  of(key: string, fields: readonly string[], value: number): Promise<number> {
    return new Promise((resolve) => {
      const waiting = this.expected.get(key) ?? new Set()
      this.expected.set(key, waiting.add({ fields, value, resolve }))
    })
  }

  /** How many are still to come. */
  get missing(): number {
    return [...this.expected.values()].reduce((total, { size }) => total + size, 0)
  }

  /** One script that writes ten fields sends ten notifications at once: the first says when, and one look does for all. */
  private touch(key: string): void {
    if (!this.touched.has(key)) setImmediate(() => void this.look(key))
    this.touched.set(key, this.touched.get(key) ?? performance.now())
  }

  private async look(key: string): Promise<void> {
    const at = this.touched.get(key) ?? performance.now()
    this.touched.delete(key)
    const waiting = this.expected.get(key)
    if (!waiting?.size) return
    const held = await this.reader.hgetall(key)
    for (const one of waiting) {
      if (!one.fields.every((field) => Number(held[field]) >= one.value)) continue
      waiting.delete(one)
      one.resolve(at)
    }
  }
}

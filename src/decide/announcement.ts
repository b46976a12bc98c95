/** The rows of one dataset whose symbols and parts (a timeframe, say) are named have changed; without a part, all of the symbol. */
export interface Change {
  /** `indicators`, `symbols`, or `candles.` and the timeframe. */
  readonly dataset: string
  readonly keys: readonly ChangedKey[] | 'all'
}

export interface ChangedKey {
  readonly symbol: string
  readonly part?: string
  /** What was written of it; null if rows were only removed. Absent: whatever may have been. */
  readonly written?: Written | null
}

/** Rows of indicator values that were inserted, or that an UPDATE made of others. */
export interface Written {
  /** The earliest of their times, as PostgreSQL writes it in JSON. */
  readonly since: string
  /** The instances that they are of; null: any of the symbol's. */
  readonly ids: readonly string[] | null
}

/** What a listener sends to itself to learn that notifications still arrive. */
export interface Ping {
  readonly ping: string
}

export type Announcement = Change | Ping

/** PostgreSQL sends less than 8,000 bytes, so what is longer than this many characters did not come from a trigger. */
const LONGEST = 8000
const VERSION = 1

/** Reads a payload of the NOTIFY channel; undefined for whatever is not ours: no JSON, another version, another shape, too long. */
export function parseAnnouncement(payload: string): Announcement | undefined {
  const message = payload.length > LONGEST ? undefined : parseObject(payload)
  if (message?.v !== VERSION) return undefined
  const { ping, dataset, keys } = message
  if (typeof ping === 'string') return { ping }
  if (typeof dataset !== 'string' || dataset === '') return undefined
  if (keys === null) return { dataset, keys: 'all' }
  if (!Array.isArray(keys) || !keys.every(isKey)) return undefined
  return {
    dataset,
    keys: keys.map(([symbol, part, written]) => ({
      symbol,
      ...(part !== undefined && { part }),
      ...(written !== undefined && { written }),
    })),
  }
}

/** The payload of a ping, below 8,000 bytes as long as the id is. */
export function pingPayload(id: string): string {
  return JSON.stringify({ v: VERSION, ping: id })
}

type Message = Partial<Record<'v' | 'ping' | 'dataset' | 'keys', unknown>>

function parseObject(text: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Message) : undefined
  } catch {
    // Somebody else's: the caller says so.
    return undefined
  }
}

type Key = readonly [symbol: string, part?: string, written?: Written | null]

function isKey(key: unknown): key is Key {
  if (!Array.isArray(key) || key.length < 1 || key.length > 3) return false
  const [symbol, part, written] = key
  return (
    isText(symbol) && (key.length < 2 || isText(part)) && (key.length < 3 || written === null || isWritten(written))
  )
}

function isWritten(value: unknown): value is Written {
  if (typeof value !== 'object' || value === null) return false
  const { since, ids } = value as Partial<Record<keyof Written, unknown>>
  return isText(since) && (ids === null || (Array.isArray(ids) && ids.every(isText)))
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

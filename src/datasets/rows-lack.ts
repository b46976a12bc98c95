import { createHash } from 'node:crypto'
import { hasExpired } from '../holdings.js'
import type { Lack } from '../model.js'
import type { RowFinding } from './rows.js'
import type { RowWanted } from './rows-reading.js'

/** What stands at the key of a row, and until when (epoch ms by Redis' own clock; -1 for ever). */
export interface Stand {
  readonly expires: number
  /** When it was looked at, in epoch ms by Redis' own clock. */
  readonly now: number
  /** By field, or under '' for a text: what is seen, undefined for nothing. Only what must be written. */
  readonly changes: ReadonlyMap<string, string | undefined>
  /** What they are to become, for the picture. */
  readonly wantedOf: (field: string) => string
  readonly orphans: readonly string[]
}

/** How far a moment of expiry may be from the one wanted, in ms. */
export const TOLERANCE = 2_000
/** The position of a key's moment of expiry among what differs. */
export const EXPIRY = 'expires'

/** The position of a field's value, or of a text under ''. */
export function valueAt(field: string): string {
  return `=${field}`
}

/** Values longer than this are shown by their digest. */
const LONG = 40

/** The finding of a key that is gone, or holds another type, at `now` by Redis' own clock. */
export function absentRow(
  dataset: string,
  wanted: RowWanted,
  kind: 'missing' | 'wrong_type',
  fields: readonly string[],
  now: number,
): RowFinding {
  if (hasExpired(wanted.expires, now)) return wholeRow(wanted)
  const { symbol, key } = wanted
  return {
    wanted,
    lack: { dataset, symbol, key, kind, missing: fields.length, differing: 0 },
    orphans: [],
    repair: { changes: new Map(fields.map((field) => [field, undefined])) },
  }
}

/** The finding of a key that is there. */
export function standingRow(dataset: string, wanted: RowWanted, stand: Stand): RowFinding {
  const { changes, expires, now, orphans, wantedOf } = stand
  const isLate = !isMoment(wanted.expires, expires)
  if (changes.size === 0 && !isLate) return wholeRow(wanted, orphans)
  if (hasExpired(wanted.expires, now)) return wholeRow(wanted, orphans)
  const missing = [...changes.values()].filter((seen) => seen === undefined).length
  const kind: Lack['kind'] = missing > 0 ? 'hole' : 'differs'
  const pictures = [...changes].map(
    ([field, seen]) => `${field}=${seen === undefined ? '' : brief(seen)}>${brief(wantedOf(field))}`,
  )
  const picture = [...pictures.sort(), ...(isLate ? [`expires ${wanted.expires ?? 'never'}`] : [])].join(' ')
  const { symbol, key } = wanted
  const differing = changes.size - missing + (isLate ? 1 : 0)
  const pairs = new Map(
    [...changes].flatMap(([field, seen]) =>
      seen === undefined ? [] : [[valueAt(field), `${brief(seen)}>${brief(wantedOf(field))}`] as const],
    ),
  )
  // To the second: the moment is read with the few ms that its reading takes.
  if (isLate) pairs.set(EXPIRY, `${expires < 0 ? '' : Math.round(expires / 1_000)}>${wanted.expires ?? ''}`)
  return {
    wanted,
    lack: { dataset, symbol, key, kind, missing, differing, picture },
    orphans,
    differing: pairs,
    repair: { changes, ...(isLate && { expires }) },
  }
}

const NONE: readonly string[] = []

export function wholeRow(wanted: RowWanted, orphans: readonly string[] = NONE): RowFinding {
  return { wanted, lack: undefined, orphans }
}

function isMoment(wanted: number | undefined, seen: number): boolean {
  if (wanted === undefined) return seen === -1
  return seen !== -1 && Math.abs(seen - wanted) <= TOLERANCE
}

function brief(value: string): string {
  return value.length > LONG ? digestOf(value) : value
}

/** As Redis' sha1hex. */
export function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('hex')
}

/** The moment at which a key expires, from TIME and PTTL. */
export function momentOf(now: number, ttl: number): number {
  return ttl < 0 ? -1 : now + ttl
}

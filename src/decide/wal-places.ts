import type { RowChange, Tuple } from './row-change.js'

/** Where the keys of a dataset are found in a row: the texts of the target's columns, in their order; null is NULL. */
export type Place = readonly (string | null)[]

/** A dataset whose keys a table's rows make. */
export interface WalTarget {
  readonly dataset: string
  /** The columns that say which keys a row belongs to; none if any row concerns all of the dataset. */
  readonly columns: readonly string[]
}

/** How a column's text in the WAL becomes that of a cast to text. `untold`: it does not, so that it says nothing. */
export type Form = 'text' | 'padded' | 'boolean' | 'untold'

/** What must be known of a table, or a partition, to read its changes. */
export interface WalTable<Target extends WalTarget = WalTarget> {
  readonly targets: readonly Target[]
  /** The columns by which UPDATE and DELETE tell which row they meant: the replica identity. Empty if there is none. */
  readonly identity: ReadonlySet<string>
  /** True if that is the whole row, as of REPLICA IDENTITY FULL: only then a column may be NULL, which is left out. */
  readonly isFull: boolean
  /** Of columns that are no plain text. */
  readonly forms: ReadonlyMap<string, Form>
}

/**
 * What changed in a dataset: the keys at one place; all of it; or `elsewhere`, some row somewhere that may have moved from a place
 * that was not told.
 */
export interface PlaceHint<Target extends WalTarget = WalTarget> {
  readonly target: Target
  readonly place: Place | 'all' | 'elsewhere'
}

type OneRow = Exclude<RowChange, { kind: 'any' }>

/** How many rows are remembered. */
const MOST = 50_000

/** The columns whose texts must be read from the WAL. */
export function columnsToRead({ targets, identity }: WalTable): Set<string> {
  const columns = targets.flatMap((target) => target.columns)
  const isTold = targets.every((target) => covers(identity, target))
  return new Set(isTold ? columns : [...columns, ...identity])
}

/**
 * Finds out where rows were and are. An UPDATE or DELETE tells no more of the row before it than its replica identity, by default the
 * primary key: which symbol it had is remembered, for the rows that came by last.
 */
export class Places {
  /** The last rows seen, oldest first, each with its place. */
  private readonly rows = new Map<string, Place>()

  constructor(private readonly most = MOST) {}

  /** What a change of a table means for each dataset; the changes must come in the order of the WAL. */
  take<Target extends WalTarget>(change: OneRow, table: WalTable<Target>): PlaceHint<Target>[] {
    return table.targets.flatMap((target, i) => {
      if (target.columns.length === 0) return { target, place: 'all' } as const
      return this.placesIn(change, { table, target, name: `${change.table}\u0000${i}` }).map((place) => ({
        target,
        place,
      }))
    })
  }

  /** What it means that any row of a table may be another. */
  takeAll<Target extends WalTarget>({ targets }: WalTable<Target>): PlaceHint<Target>[] {
    return targets.map((target) => ({ target, place: 'all' }))
  }

  private placesIn(change: OneRow, of: Part): PlaceHint['place'][] {
    if (change.kind === 'insert') return [this.enter(change.row, of) ?? 'all']
    if (change.kind === 'delete') {
      if (covers(of.table.identity, of.target)) return [(change.old && oldPlaceOf(change.old, of)) ?? 'all']
      return [this.leave(change.old, of) ?? 'all']
    }
    const before = this.before(change, of)
    const now = this.enter(change.row, of)
    if (now === undefined) return ['all']
    if (before === undefined) return [now, 'elsewhere']
    return isSame(before, now) ? [now] : [before, now]
  }

  /** Where an updated row was; undefined if that is not told. */
  private before({ old, row }: Extract<RowChange, { kind: 'update' }>, of: Part): Place | undefined {
    if (!covers(of.table.identity, of.target)) return this.leave(old ?? row, of)
    return old ? oldPlaceOf(old, of) : placeOf(row, of)
  }

  /** Remembers where the row is now. */
  private enter(row: Tuple, of: Part): Place | undefined {
    const place = placeOf(row, of)
    if (covers(of.table.identity, of.target)) return place
    const id = idOf(row, of)
    if (id === undefined) return place
    this.rows.delete(id)
    if (place === undefined) return undefined
    this.rows.set(id, place)
    if (this.rows.size > this.most) this.rows.delete(this.rows.keys().next().value ?? '')
    return place
  }

  /** Where the row was, which is forgotten. */
  private leave(old: Tuple | undefined, of: Part): Place | undefined {
    const id = old && idOf(old, of)
    if (id === undefined) return undefined
    const place = this.rows.get(id)
    this.rows.delete(id)
    return place
  }
}

/** A table as one of its targets sees it. */
interface Part {
  readonly table: WalTable
  readonly target: WalTarget
  readonly name: string
}

function covers(identity: ReadonlySet<string>, { columns }: WalTarget): boolean {
  return columns.every((column) => identity.has(column))
}

/** Undefined if the row tells less than that. A column that is absent counts as `absent`, if that is given. */
function placeOf(row: Tuple, { table, target }: Part, absent?: null): Place | undefined {
  const texts = target.columns.map((column) => {
    const text = row.has(column) ? row.get(column) : absent
    return typeof text === 'string' ? formed(text, table.forms.get(column)) : text
  })
  return texts.every((text) => text !== undefined) ? texts : undefined
}

function oldPlaceOf(old: Tuple, of: Part): Place | undefined {
  return placeOf(old, of, of.table.isFull ? null : undefined)
}

/** Undefined if there is no identity, or it is not told whole. */
function idOf(row: Tuple, { table: { identity }, name }: Part): string | undefined {
  const texts = [...identity].map((column) => row.get(column))
  if (texts.length === 0 || texts.some((text) => typeof text !== 'string')) return undefined
  return JSON.stringify([name, ...texts])
}

function formed(text: string, form: Form = 'text'): string | undefined {
  if (form === 'untold') return undefined
  if (form === 'padded') return text.replace(/ +$/, '')
  return form === 'boolean' && text.length === 1 ? { t: 'true', f: 'false' }[text] : text
}

function isSame(a: Place, b: Place): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i])
}

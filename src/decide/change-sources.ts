/** What finds the changes of a table in PostgreSQL, and how soon: from what the catalog tells, and what is heard. */

/** `triggers` announce them, `wal` is read, the rows are polled, or nothing but the scrub finds them. */
export type FoundBy = 'triggers' | 'wal' | 'poll' | 'scrub'

/** A relation whose rows belong to a table of the configuration, as PostgreSQL's catalog describes it. */
export interface Relation {
  /** With its schema, as SQL. */
  readonly name: string
  /**
   * The table itself; a partition or a child of it, however deep; or one that it is a partition or a child of. A statement fires
   * only the triggers of the table that it names, and any of these may be named.
   */
  readonly role: 'self' | 'part' | 'parent'
  /** As of pg_class.relkind: `r` a table, `p` a partitioned one, `v` a view, `m` a materialised one, `f` a foreign table. */
  readonly kind: string
  /** As of pg_class.relpersistence: `p` permanent, `u` unlogged, `t` temporary. */
  readonly persistence: string
  /** True if a subscription of logical replication writes to it. */
  readonly subscribed: boolean
  /**
   * Our triggers on it: all there, enabled always; all there, but not for sessions with session_replication_role = replica; all
   * there, some of them disabled, or calling the function of an earlier version or for other columns; or some not there.
   */
  readonly triggers: 'always' | 'origin' | 'outdated' | 'disabled' | 'missing'
}

/** A table of the configuration, or a query in the place of one. */
export interface Source {
  readonly dataset: string
  /** The configuration key that chose it. */
  readonly key: string
  /** As the configuration names it. */
  readonly table: string
  /** Itself first; empty if it does not exist. */
  readonly relations: readonly Relation[]
  /** Why no change of it can be heard, whatever the catalog says: it is a query. */
  readonly unheard?: string
}

/** How changes of one table are found. */
export interface ChangeSource {
  /** `indicators`, `symbols`, `candles.m1`, `rows.plans`. */
  readonly dataset: string
  /** The configuration key that chose the table. */
  readonly key: string
  /** The table, or the query's configuration key. */
  readonly table: string
  /** What finds them. */
  readonly found_by: FoundBy
  /** Within this time of their commit, in ms, or somewhat later under load. */
  readonly within_ms: number
  /** Why it is not found sooner, as a clause about the table, `it`; absent where it is heard. */
  readonly why?: string
  /** The command or setting that mends this; absent where nothing does. */
  readonly mend?: string
}

/** What goes on beside the catalog. */
export interface Surroundings {
  /** What tells of changes as they are committed; undefined while nothing does. */
  readonly heard: 'triggers' | 'wal' | undefined
  /** Why nothing does. */
  readonly deaf?: { readonly why: string; readonly mend?: string }
  /** How often the dataset is polled, in ms; undefined if it cannot be. */
  pollOf(dataset: string): number | undefined
  /** How often everything is compared, in ms. */
  readonly scrub: number
}

/** The list of symbols is read no more often than this, in ms. */
export const SYMBOLS_POLL = 1_000
/** What is heard reaches Redis within this time of its commit, in ms. */
export const WITHIN: Readonly<Record<'triggers' | 'wal', number>> = { triggers: 10, wal: 100 }
export const APPLY = 'run: rekindle triggers --apply'
const USE_WAL = 'set sync.source to wal, where PostgreSQL has wal_level = logical'

/** One line for each source. A table is heard only if every relation that its rows can be written through is. */
export function changeSources(sources: readonly Source[], surroundings: Surroundings): ChangeSource[] {
  return sources.map(({ dataset, key, table, relations, unheard }): ChangeSource => {
    const { heard, deaf = { why: 'nothing is heard from PostgreSQL' } } = surroundings
    const named = { dataset, key, table }
    const reason = unheard === undefined ? heard && hindrance(relations, heard) : { why: unheard }
    if (heard && !reason) return { ...named, found_by: heard, within_ms: WITHIN[heard] }
    const poll = surroundings.pollOf(dataset)
    const how: Pick<ChangeSource, 'found_by' | 'within_ms'> =
      poll === undefined ? { found_by: 'scrub', within_ms: surroundings.scrub } : { found_by: 'poll', within_ms: poll }
    return { ...named, ...how, ...(reason ?? deaf) }
  })
}

/** The datasets of which every table is heard: the others must be polled. */
export function heardDatasets(sources: readonly ChangeSource[]): Set<string> {
  const heard = new Set(sources.map(({ dataset }) => dataset))
  for (const { dataset, found_by } of sources) if (found_by === 'poll' || found_by === 'scrub') heard.delete(dataset)
  return heard
}

/** True if `rekindle triggers --apply` would let more of the table be heard. */
export function isMendable({ mend }: ChangeSource): boolean {
  return mend?.includes(APPLY) ?? false
}

type Reason = { readonly why: string; readonly mend?: string }

const KINDS: Readonly<Record<string, string>> = {
  v: 'is a view',
  m: 'is a materialised view',
  f: 'is a foreign table',
}

/** Why some change of the table would not be heard; undefined if every one is. */
function hindrance(relations: readonly Relation[], heard: 'triggers' | 'wal'): Reason | undefined {
  if (relations.length === 0) return { why: 'it does not exist' }
  const odd = relations.find(({ kind }) => kind !== 'r' && kind !== 'p')
  if (odd) return { why: `${say(odd)}${KINDS[odd.kind] ?? 'is no table'}, of which PostgreSQL announces no changes` }
  return heard === 'wal' ? notInWal(relations) : notAnnounced(relations)
}

function notInWal(relations: readonly Relation[]): Reason | undefined {
  const unlogged = relations.find(({ persistence }) => persistence !== 'p')
  if (!unlogged) return undefined
  return {
    why: `${say(unlogged)}is ${unlogged.persistence === 'u' ? 'unlogged' : 'temporary'}: the WAL does not hold it`,
  }
}

function notAnnounced(relations: readonly Relation[]): Reason | undefined {
  const filled = relations.find(({ subscribed }) => subscribed)
  if (filled) {
    const why = `${say(filled)}is filled by a subscription of logical replication, which fires no triggers of statements`
    return { why, mend: USE_WAL }
  }
  const missing = relations.filter(({ triggers }) => triggers === 'missing')
  if (missing[0]) return { why: `${sayAll(missing)} no triggers of ours`, mend: APPLY }
  const outdated = relations.filter(({ triggers }) => triggers === 'outdated')
  if (outdated[0])
    return { why: `${sayAll(outdated)} triggers of another version of Rekindle, or for other columns`, mend: APPLY }
  const disabled = relations.filter(({ triggers }) => triggers === 'disabled')
  if (disabled[0]) return { why: `${sayAll(disabled)} triggers that are disabled`, mend: APPLY }
  const origin = relations.filter(({ triggers }) => triggers === 'origin')
  if (!origin[0]) return undefined
  const why = `${sayAll(origin)} triggers that do not fire where session_replication_role is replica`
  return { why, mend: `as the owner of the table, ${APPLY}` }
}

/** `it has`, `public.p1, a part of it, has`, or `2 of its partitions and children (public.p1 for one) have`. */
function sayAll([first, ...rest]: readonly Relation[]): string {
  if (!first || first.role === 'self') return 'it has'
  if (rest.length === 0) return `${first.name}, ${ROLES[first.role]}, has`
  return `${rest.length + 1} of its partitions and children (${first.name} for one) have`
}

const ROLES = { part: 'a part of it', parent: 'that it is a part of' } as const

function say({ role, name }: Relation): string {
  return role === 'self' ? 'it ' : `${name}, ${ROLES[role]}, `
}

/**
 * The tables that would be heard if the triggers were installed. Candle tables without a single trigger do not count where others
 * have theirs: they were left out on purpose.
 */
export function lacksTriggers(sources: readonly Source[]): ChangeSource[] {
  const found = changeSources(sources, { heard: 'triggers', pollOf: () => 0, scrub: 0 }).filter(isMendable)
  const candles = sources.filter(({ dataset }) => dataset.startsWith('candles.'))
  // Nobody leaves out some of them on purpose: a table that has lost its triggers was swapped, or restored.
  const areLeftOut = hasTriggers(sources) && !hasTriggers(candles)
  return found.filter(({ dataset }) => !(areLeftOut && dataset.startsWith('candles.')))
}

/** True if any trigger of ours is there: somebody has chosen them. */
export function hasTriggers(sources: readonly Source[]): boolean {
  return !sources.every(({ relations }) => relations.every(isBare))
}

function isBare({ triggers }: Relation): boolean {
  return triggers === 'missing'
}

const WAYS: Readonly<Record<FoundBy, string>> = {
  triggers: 'by triggers',
  wal: 'from the WAL',
  poll: 'by polling',
  scrub: 'by the scrub only',
}

/** `by triggers within 10 ms (indicators, symbols), by polling within 1 s (candles.m1)`. */
export function saySources(sources: readonly ChangeSource[]): string {
  const groups = new Map<string, Set<string>>()
  for (const { dataset, found_by, within_ms } of sources) {
    const way = `${WAYS[found_by]} within ${sayTime(within_ms)}`
    groups.set(way, (groups.get(way) ?? new Set()).add(dataset))
  }
  return [...groups].map(([way, datasets]) => `${way} (${[...datasets].join(', ')})`).join(', ')
}

/** `changes of ohlcv4_m1 are found by polling within 1 s: it has no triggers of ours; run: rekindle triggers --apply`. */
export function saySource({ table, found_by, within_ms, why, mend }: ChangeSource): string {
  const reason = [why, mend].filter((part) => part !== undefined).join('; ')
  return `changes of ${table} are found ${WAYS[found_by]} within ${sayTime(within_ms)}${reason && `: ${reason}`}`
}

/** `10 ms`, `1 s`, `5 min`. */
export function sayTime(ms: number): string {
  if (ms < 1_000) return `${ms} ms`
  return ms < 120_000 ? `${Math.round(ms / 100) / 10} s` : `${Math.round(ms / 6_000) / 10} min`
}

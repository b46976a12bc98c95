import {
  BehaviorSubject,
  defer,
  distinctUntilChanged,
  EMPTY,
  exhaustMap,
  filter,
  from,
  map,
  merge,
  mergeMap,
  type Observable,
  of,
  repeat,
  retry,
  switchMap,
  timer,
} from 'rxjs'
import { needsSymbols } from '../config/needs-symbols.js'
import type { Config } from '../config/schema.js'
import type { Dataset } from '../datasets/dataset.js'
import type { Change } from '../decide/announcement.js'
import { type Heard, listen } from '../detect/changes.js'
import { Updates } from '../detect/updates.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'
import { installedTriggers } from '../postgres/trigger-catalog.js'
import { postgresTrouble } from '../postgres/trouble.js'
import type { Conditions } from '../report/conditions.js'
import { EachMinute } from '../report/each-minute.js'
import type { Emit } from '../report/events.js'

export type DatedChange = Change & { readonly at: number }

export interface ChangesContext {
  readonly config: Config
  readonly datasets: readonly Dataset[]
  /** `host:port/database`. */
  readonly server: string
  readonly db: Database
  readonly conditions: Conditions
  readonly emit: Emit
}

/** Back-off between attempts to listen, in ms. */
const RETRY_FIRST = 100
const RETRY_LAST = 5_000
/** How often it is asked which triggers are installed, in ms. */
const RECHECK = 10_000
/** All polling together may keep PostgreSQL busy for one part in this many of the time. */
const POLL_SHARE = 20

/** The datasets, and `symbols`, whose changes notifications tell us of; the rest is polled. */
type Covered = ReadonlySet<string>

/**
 * Emits what changed in PostgreSQL: from the triggers' notifications where they are installed and arrive, else by polling. After
 * every break of the listener it emits what was updated meanwhile. Never ends; `symbols` means: read the list again.
 */
export function watchChanges(context: ChangesContext): Observable<DatedChange> {
  const { config, datasets, db, emit } = context
  const covered = new BehaviorSubject<Covered | undefined>(undefined)
  const updates = datasets.flatMap(({ name, polling }) => (polling ? [new Updates(db, name, polling)] : []))
  const foreign = new EachMinute<string>((examples, count) => {
    emit({ event: 'foreign_notifications', count, example: examples[0] ?? '' })
  }, 1)
  let listening = false
  const onDeaf = (): void => {
    listening = false
    // What was announced until now has changed since it was last polled.
    for (const each of updates) if (!each.isOnward && covered.value?.has(each.dataset)) each.forget()
    covered.next(new Set())
  }

  const heard = hear(context, onDeaf).pipe(
    mergeMap((message): Observable<DatedChange> => {
      if (message.kind === 'change') return of({ ...message.change, at: message.at })
      if (message.kind === 'listening') {
        listening = true
        return from(catchUp(context, updates, covered)).pipe(mergeMap((changes) => changes))
      }
      foreign.add(message.payload)
      return EMPTY
    }),
  )
  const polled = covered.pipe(
    filter((state) => state !== undefined),
    distinctUntilChanged((a, b) => a.size === b.size && [...a].every((dataset) => b.has(dataset))),
    switchMap((announced) => {
      const { poll, scrub } = config.watch
      const rest = updates.filter(({ dataset }) => !announced.has(dataset))
      const isQuiet = announced.has('symbols') || !needsSymbols(config)
      return merge(
        ...rest.map((each) => pollUpdates(each, poll, POLL_SHARE * rest.length)),
        timer(0, isQuiet ? scrub : Math.max(poll, 1000)).pipe(
          map(() => ({ dataset: 'symbols', keys: 'all', at: Date.now() }) as const),
        ),
      )
    }),
  )
  // Triggers that are installed under a running daemon, or dropped, are noticed by asking.
  const rechecked = timer(RECHECK, RECHECK).pipe(
    filter(() => listening && covered.value !== undefined),
    exhaustMap(() => isOtherwiseCovered(context, covered.value)),
    filter((isOther) => isOther && listening),
    mergeMap(() => catchUp(context, updates, covered)),
    mergeMap((changes) => changes),
  )
  return merge(heard, polled, rechecked)
}

/** True if the triggers that are installed are others than those that were found; false where that cannot be told. */
async function isOtherwiseCovered({ config, db }: ChangesContext, covered: Covered = new Set()): Promise<boolean> {
  try {
    const { announced } = await installedTriggers(config, (sql, values) => db.query(sql, values))
    const found = new Set(announced)
    return found.size !== covered.size || [...found].some((dataset) => !covered.has(dataset))
  } catch {
    return false
  }
}

/** Listens for ever; says so when it was deaf. */
function hear({ config, server, conditions, emit }: ChangesContext, onDeaf: () => void): Observable<Heard> {
  let deaf: { since: number; reason: string } | undefined
  let heardBefore = false
  return listen({ url: config.postgres.url, server, channel: config.sync.channel }).pipe(
    mergeMap((message) => {
      if (message.kind === 'listening') {
        conditions.worked('listener')
        if (deaf && heardBefore) emit({ event: 'gap', reason: deaf.reason, deaf_for_ms: Date.now() - deaf.since })
        deaf = undefined
        heardBefore = true
      }
      return of(message)
    }),
    retry({
      resetOnSuccess: true,
      delay: (error: unknown, attempt) => {
        const trouble = postgresTrouble(error, server)
        deaf ??= { since: Date.now(), reason: trouble.message }
        conditions.failed('listener', trouble)
        onDeaf()
        return timer(Math.min(RETRY_LAST, RETRY_FIRST * 2 ** Math.min(attempt - 1, 10)))
      },
    }),
  )
}

/** After LISTEN is committed: learns what the triggers cover, and returns what may have changed unheard. */
async function catchUp(
  { config, db, conditions }: ChangesContext,
  updates: readonly Updates[],
  covered: BehaviorSubject<Covered | undefined>,
): Promise<DatedChange[]> {
  const at = Date.now()
  // The first list of symbols, and with it the first survey, comes when this is known: what was updated before, the survey reads.
  const isFirst = covered.value === undefined
  try {
    const installed = await installedTriggers(config, (sql, values) => db.query(sql, values))
    if (installed.missing.length === 0) conditions.worked('triggers')
    else conditions.failed('triggers', withoutTriggers(config.watch.poll))
    const announced = new Set(installed.announced)
    const changes: DatedChange[] = []
    for (const each of updates) {
      if (!each.isOnward && (announced.has(each.dataset) || !isFirst)) continue
      // One that cannot be asked is polled until it can.
      const change = await each.next().catch(() => void announced.delete(each.dataset))
      if (change) changes.push({ ...change, at })
    }
    covered.next(announced)
    if (isFirst) return []
    const told = new Set(['symbols', ...updates.flatMap(({ dataset, isOnward }) => (isOnward ? [dataset] : []))])
    const rest = [...announced].filter((dataset) => !told.has(dataset))
    return [...changes, ...rest.map((dataset) => ({ dataset, keys: 'all', at }) as const)]
  } catch {
    // The database's own condition tells of it; until the triggers are seen to be there, polling does their work.
    covered.next(new Set())
    return []
  }
}

function withoutTriggers(poll: number): Trouble {
  return new Trouble(
    'postgres_schema',
    `the NOTIFY triggers are not installed: changes are found by polling every ${poll} ms or more instead of within 10 ms`,
    'run: rekindle triggers --apply',
    false,
  )
}

/** Asks every `period` ms, but for at most one part in `share` of the time. */
function pollUpdates(updates: Updates, period: number, share: number): Observable<DatedChange> {
  let took = 0
  return defer(async () => {
    const at = Date.now()
    // A failure is told by the database's condition; the next poll asks from the same time on.
    const change = await updates.next().catch(() => undefined)
    took = Date.now() - at
    return change && { ...change, at }
  }).pipe(
    filter((change) => change !== undefined),
    repeat({ delay: () => timer(Math.max(period, share * took)) }),
  )
}

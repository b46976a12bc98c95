import {
  BehaviorSubject,
  defer,
  distinctUntilChanged,
  EMPTY,
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
import type { Config } from '../config/schema.js'
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
  /** `host:port/database`. */
  readonly server: string
  readonly db: Database
  readonly conditions: Conditions
  readonly emit: Emit
}

/** Back-off between attempts to listen, in ms. */
const RETRY_FIRST = 100
const RETRY_LAST = 5_000
/** Polling may keep PostgreSQL busy for one part in this many of the time. */
const POLL_SHARE = 20

/** Which changes notifications tell us of; the rest is polled. */
interface Covered {
  readonly indicators: boolean
  readonly symbols: boolean
}

/**
 * Emits what changed in PostgreSQL: from the triggers' notifications where they are installed and arrive, else by polling. After
 * every break of the listener it emits what was updated meanwhile. Never ends; `symbols` means: read the list again.
 */
export function watchChanges(context: ChangesContext): Observable<DatedChange> {
  const { config, db, emit } = context
  const covered = new BehaviorSubject<Covered | undefined>(undefined)
  const updates = config.indicators && new Updates(db, config.indicators)
  const foreign = new EachMinute<string>((examples, count) => {
    emit({ event: 'foreign_notifications', count, example: examples[0] ?? '' })
  }, 1)

  const heard = hear(context, () => covered.next({ indicators: false, symbols: false })).pipe(
    mergeMap((message): Observable<DatedChange> => {
      if (message.kind === 'change') return of({ ...message.change, at: message.at })
      if (message.kind === 'listening')
        return from(catchUp(context, updates, covered)).pipe(mergeMap((changes) => changes))
      foreign.add(message.payload)
      return EMPTY
    }),
  )
  const polled = covered.pipe(
    filter((state) => state !== undefined),
    distinctUntilChanged((a, b) => a.indicators === b.indicators && a.symbols === b.symbols),
    switchMap(({ indicators, symbols }) =>
      merge(
        indicators || !updates ? EMPTY : pollUpdates(updates, config.watch.poll),
        timer(0, symbols ? config.watch.scrub : Math.max(config.watch.poll, 1000)).pipe(
          map(() => ({ dataset: 'symbols', keys: 'all', at: Date.now() }) as const),
        ),
      ),
    ),
  )
  return merge(heard, polled)
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
  updates: Updates | undefined,
  covered: BehaviorSubject<Covered | undefined>,
): Promise<DatedChange[]> {
  const at = Date.now()
  // The first list of symbols, and with it the first survey, comes when this is known: what was updated before, the survey reads.
  const isFirst = covered.value === undefined
  try {
    const changed = await updates?.next()
    const installed = await installedTriggers(config, (sql, values) => db.query(sql, values))
    const indicators = installed.indicators || !config.indicators
    if (indicators && installed.symbols) conditions.worked('triggers')
    else conditions.failed('triggers', withoutTriggers(config.watch.poll))
    covered.next({ indicators, symbols: installed.symbols })
    const candles = Object.entries(installed.candles).flatMap(([timeframe, there]) =>
      there ? [{ dataset: `candles.${timeframe}`, keys: 'all', at } as const] : [],
    )
    return isFirst ? [] : [...(changed ? [{ ...changed, at }] : []), ...candles]
  } catch {
    // The database's own condition tells of it; until the triggers are seen to be there, polling does their work.
    covered.next({ indicators: false, symbols: false })
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

function pollUpdates(updates: Updates, period: number): Observable<DatedChange> {
  let took = 0
  return defer(async () => {
    const at = Date.now()
    // A failure is told by the database's condition; the next poll asks from the same time on.
    const change = await updates.next().catch(() => undefined)
    took = Date.now() - at
    return change && { ...change, at }
  }).pipe(
    filter((change) => change !== undefined),
    repeat({ delay: () => timer(Math.max(period, POLL_SHARE * took)) }),
  )
}

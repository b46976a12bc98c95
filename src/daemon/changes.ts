import {
  defer,
  distinctUntilChanged,
  EMPTY,
  exhaustMap,
  filter,
  finalize,
  ignoreElements,
  map,
  merge,
  mergeMap,
  NEVER,
  type Observable,
  of,
  retry,
  Subject,
  startWith,
  switchMap,
  tap,
  timer,
} from 'rxjs'
import { steadyTime } from '../clock.js'
import { needsSymbols } from '../config/needs-symbols.js'
import type { Dataset } from '../datasets/dataset.js'
import type { Change } from '../decide/announcement.js'
import { SYMBOLS_POLL } from '../decide/change-sources.js'
import { Updates } from '../detect/updates.js'
import { Trouble } from '../errors.js'
import { postgresTrouble } from '../postgres/trouble.js'
import { EachMinute } from '../report/each-minute.js'
import type { Emit } from '../report/events.js'
import { type ChoiceContext, type HeardSource, SourceChoice } from './change-source.js'
import { Coverage } from './coverage.js'
import { Polls } from './polls.js'
import { Vouching } from './vouching.js'

export type DatedChange = Change & { readonly at: number }

export interface ChangesContext extends ChoiceContext {
  readonly datasets: readonly Dataset[]
  /** The enabled symbols. */
  readonly readSymbols: () => Promise<readonly string[]>
  readonly emit: Emit
}

/** Back-off between attempts to listen, in ms. */
const RETRY_FIRST = 100
const RETRY_LAST = 5_000
/** A pooler stays as it is configured, and each attempt costs it a session, in ms. */
const RETRY_POOLED = 30_000
/** So long may it take to begin to listen before everything is polled meanwhile, in ms. */
const SLOW = 1_000
/** How often the catalog is read again, in ms. */
const RECHECK = 10_000

/** What a session tells; `begun` comes when what is not heard from now on is to be polled. */
type Told = { readonly kind: 'begun'; readonly by: HeardSource['kind'] | undefined } | DatedChange

/**
 * Emits what changed in PostgreSQL: from the triggers' notifications or the WAL where they tell of it, else by polling. After every
 * break of what is listened to it emits what was updated meanwhile. Never ends; `symbols` means: read the list again.
 */
export function watchChanges(context: ChangesContext): Observable<DatedChange> {
  return defer(() => {
    const { config, datasets, db, conditions, emit, readSymbols } = context
    const updates = datasets.flatMap(({ name, polling }) =>
      polling ? [new Updates(db, name, polling, readSymbols)] : [],
    )
    const glances = datasets.flatMap(({ name, polling: { glance, bySymbol = false } = {} }) =>
      glance ? [new Updates(db, name, { fingerprints: glance, bySymbol }, readSymbols, true)] : [],
    )
    const polls = new Polls({ config, updates, conditions, onPace: () => coverage.tell() })
    const vouching = new Vouching(datasets, db, config.sync.channel, () => coverage.look())
    const coverage: Coverage = new Coverage({ config, db, conditions, emit, polls, updates, vouching })
    const choice = new SourceChoice(context)
    const reopen = new Subject<void>()

    const heard = reopen.pipe(
      startWith(undefined),
      switchMap(() => hear(context, choice, coverage, vouching)),
      mergeMap((told) => {
        if (!('kind' in told)) return of(told)
        return defer(() => coverage.begin(told.by)).pipe(mergeMap((changes) => changes))
      }),
    )
    const polled = coverage.heard.pipe(
      filter((datasets) => datasets !== undefined),
      distinctUntilChanged((a, b) => a.size === b.size && [...a].every((dataset) => b.has(dataset))),
      switchMap((covered) => {
        const { poll, scrub } = config.watch
        const isPolled = ({ dataset }: Updates): boolean => !covered.has(dataset)
        const isQuiet = covered.has('symbols') || !needsSymbols(config)
        const symbols = timer(0, isQuiet ? scrub : Math.max(poll, SYMBOLS_POLL)).pipe(
          map((): DatedChange => ({ dataset: 'symbols', keys: 'all', at: steadyTime() })),
        )
        return merge(...[updates, glances].flatMap((each) => polls.loops(each.filter(isPolled))), symbols)
      }),
    )
    // What is installed, attached, renamed or disabled under a running daemon is noticed by asking.
    const rechecked = timer(RECHECK, RECHECK).pipe(
      filter(() => coverage.isListening || config.sync.source === 'poll'),
      exhaustMap(async () => {
        const changes = await coverage.recheck()
        // What cannot be chosen now is asked again; until then all stays as it is.
        const next = await choice.choose(coverage.catalog).catch(() => undefined)
        if (next && coverage.isListening && next.kind !== coverage.by) reopen.next()
        return changes
      }),
      mergeMap((changes) => changes),
    )
    return merge(polls.changes, heard, polled, rechecked).pipe(finalize(() => coverage.close()))
  })
}

/** The first look at everything waits for what is listened to, but not for long: a slot may take its time. */
function unlessSlow(coverage: Coverage, isListening: () => boolean): Observable<never> {
  return timer(SLOW).pipe(
    tap(() => {
      if (!isListening() && !coverage.hasBegun)
        coverage.deafen('what is to be listened to takes its time to begin', true)
    }),
    ignoreElements(),
  )
}

/** The same, but worth a line at once. */
function lasting({ code, message, hint }: Trouble): Trouble {
  return new Trouble(code, message, hint, false)
}

/** Listens for ever, to what is there; says so when it was deaf. */
function hear(context: ChangesContext, choice: SourceChoice, coverage: Coverage, vouching: Vouching): Observable<Told> {
  const { server, emit, conditions } = context
  let deaf = coverage.isListening
    ? { since: steadyTime(), reason: 'changes are listened to in another way' }
    : undefined
  if (deaf) coverage.deafen(deaf.reason)
  let source: HeardSource | undefined
  const foreign = new EachMinute<string>((examples, count) => {
    emit({ event: 'foreign_notifications', count, example: examples[0] ?? '' })
  }, 1)
  return defer(async () => {
    source = await choice.choose(await coverage.look())
    return source
  }).pipe(
    mergeMap((opened): Observable<Told> => {
      if (!opened) return merge(of({ kind: 'begun', by: undefined } as const), NEVER)
      let isListening = false
      return merge(
        opened.open(),
        unlessSlow(coverage, () => isListening),
      ).pipe(
        mergeMap((message): Observable<Told> => {
          if (message.kind === 'listening') {
            isListening = true
            return of({ kind: 'begun', by: opened.kind })
          }
          if (message.kind === 'foreign') foreign.add(message.payload)
          else if (message.kind === 'echo') vouching.echo(message.ping)
          else {
            vouching.hear(message.change)
            return of({ ...message.change, at: message.at })
          }
          return EMPTY
        }),
      )
    }),
    tap((told) => {
      if (!('kind' in told)) return
      if (told.by) choice.worked(told.by)
      if (deaf && coverage.hasListened)
        emit({ event: 'gap', reason: deaf.reason, deaf_for_ms: steadyTime() - deaf.since })
      deaf = undefined
    }),
    retry({
      resetOnSuccess: true,
      delay: (error: unknown, attempt) => {
        const trouble = postgresTrouble(error, server)
        deaf ??= { since: steadyTime(), reason: trouble.message }
        const isServerUp = !conditions.isDown('postgres')
        // While the queries get through, one that never listened has an address of its own that is wrong.
        choice.failed(source?.kind ?? 'triggers', isServerUp && !coverage.hasListened ? lasting(trouble) : trouble)
        coverage.deafen(trouble.message)
        if (trouble.code === 'postgres_pooler') return timer(RETRY_POOLED)
        return timer(Math.min(RETRY_LAST, RETRY_FIRST * 2 ** Math.min(attempt - 1, 10)))
      },
    }),
  )
}

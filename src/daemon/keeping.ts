import {
  catchError,
  concatMap,
  defer,
  EMPTY,
  filter,
  ignoreElements,
  type MonoTypeOperatorFunction,
  merge,
  mergeMap,
  Observable,
  repeat,
  retry,
  switchMap,
  tap,
  timer,
} from 'rxjs'
import { putRewritesBack } from '../backup/aof-rewrites.js'
import { openRatchet, type Ratchet } from '../backup/ratchet.js'
import type { Config } from '../config/schema.js'
import type { RiskNews } from '../decide/risk-ledger.js'
import { watchFlushes } from '../detect/flushes.js'
import { watchRisks } from '../doctor/watch-risks.js'
import { latest } from '../flow/latest.js'
import type { Life } from '../redis/life.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import { ask, type Wire } from '../redis/wire.js'
import type { Conditions } from '../report/conditions.js'
import type { Emit, LogEvent } from '../report/events.js'
import type { Backups } from './backups.js'
import type { Inventory } from './inventory.js'

/** After how many polls Redis is asked about its persistence, with one more round trip. */
const POLLS = 10
/** How often the keys are counted at most, in ms. */
const COUNT_LEAST = 30_000
/** When they are counted after everything has become whole, in ms. */
const COUNT_SOON = [0, 2_000, 10_000]

export interface KeepingContext {
  readonly config: Config
  /** `host:port/db` of Redis. */
  readonly server: string
  readonly inventory: Inventory
  readonly backups: Backups
  /** True if everything that PostgreSQL gives back is known to be whole. */
  readonly isWhole: () => boolean
  readonly conditions: Conditions
  readonly emit: Emit
  /** Everything that is emitted. */
  readonly events: Observable<LogEvent>
}

/**
 * What is done, beside healing, for the keys that PostgreSQL cannot give back, while one life of Redis after the other lasts: they are
 * counted, what endangers them is told, and the files of Redis are kept from being lost with its data. Never emits, never errors.
 */
export function keeper(context: KeepingContext): (life: Life) => Observable<never> {
  const { inventory, backups } = context
  let probe: Wire | undefined
  // A finding that outlasts a connection is the same finding.
  const look = watchRisks({
    probe: () => probe as Wire,
    stake: () => inventory.stake,
    more: () => ({ backups: backups.facts }),
  })
  return (life) => {
    probe = life.probe
    return merge(rewrites(context), counts(life, context), risks(look, context), ratchets(life, context)).pipe(
      ignoreElements(),
    )
  }
}

/** A copy of the append-only file that was killed may have left its rewrites switched off. */
function rewrites({ config, ...context }: KeepingContext): Observable<unknown> {
  const { redis, backup } = config
  return defer(() => putRewritesBack({ url: redis.url, dir: backup.dir })).pipe(
    tap(() => context.conditions.worked('rewrites')),
    catchError((error: unknown) => {
      tell('rewrites', error, context)
      return EMPTY
    }),
  )
}

/** Counts the keys from time to time, and as soon as everything is whole again. */
function counts({ probe }: Life, { config, inventory, isWhole, events, ...context }: KeepingContext): Observable<void> {
  const period = Math.max(COUNT_LEAST, config.watch.scrub)
  const news = events.pipe(
    tap(({ event }) => event === 'keys_recovered' && inventory.recovered()),
    filter(({ event }) => /^(watching|healed|keys_recovered)$/.test(event)),
    // After a loss their writers bring keys back in their own time.
    switchMap(() => merge(...COUNT_SOON.map((ms) => timer(ms)))),
  )
  return merge(timer(0, period), news).pipe(
    latest(
      (_, newer) => newer,
      async (_, signal) => {
        try {
          await inventory.count(probe, isWhole, signal)
          context.conditions.worked('inventory')
        } catch (error) {
          tell('inventory', error, context)
        }
      },
    ),
  )
}

function risks(look: () => Promise<RiskNews>, { config, emit, ...context }: KeepingContext): Observable<void> {
  const once = async (): Promise<void> => {
    const { appeared, gone } = await look()
    for (const { code, severity, message, mend } of appeared) {
      emit({ event: 'persistence_risk', finding: code, severity, reason: message, hint: mend })
    }
    for (const { code, after_ms } of gone) emit({ event: 'persistence_ok', finding: code, after_ms })
  }
  const period = POLLS * config.watch.poll
  return defer(() => once()).pipe(patiently('risks', period, context), repeat({ delay: () => timer(period) }))
}

/** Keeps the files of Redis aside where its data directory is at hand; at a flush, at once. */
function ratchets(life: Life, { config, events, conditions, emit }: KeepingContext): Observable<void> {
  // Elsewhere that is the normal case; it is worth a line only where something depends on it.
  const isNeeded = config.keys.some(({ recovery }) => recovery === 'backup')
  const opened = new Observable<Ratchet>((out) => {
    const abort = new AbortController()
    const ratchet = openRatchet({
      ask: (...args) => ask(life.probe, ...args),
      onKept: ({ what, path, bytes }) => emit({ event: 'kept_aside', what, path, bytes }),
      onTrouble: (trouble) => {
        if (!trouble) conditions.worked('ratchet')
        else if (isNeeded) conditions.failed('ratchet', trouble)
      },
      signal: abort.signal,
    })
    out.next(ratchet)
    return () => abort.abort()
  })
  const isLoss = ({ event }: LogEvent): boolean => event === 'data_loss' || event === 'loss_joined'
  const alerts = events.pipe(filter((event) => isLoss(event) && 'cause' in event && event.cause === 'flush'))
  return opened.pipe(
    mergeMap((ratchet) => merge(watchFlushes(life), alerts).pipe(concatMap(() => ratchet.freeze('flush')))),
  )
}

/** Tries again after trouble, for ever. */
function patiently(what: string, period: number, context: Told): MonoTypeOperatorFunction<void> {
  return (work) =>
    work.pipe(
      tap({ complete: () => context.conditions.worked(what) }),
      retry({
        delay: (error: unknown) => {
          tell(what, error, context)
          return timer(period)
        },
      }),
    )
}

type Told = Pick<KeepingContext, 'conditions' | 'server'>

/** Tells of trouble, but for the end of a life, which is told by others. */
function tell(what: string, error: unknown, { conditions, server }: Told): void {
  const trouble = redisTrouble(error, server)
  if (!endsLife(trouble)) conditions.failed(what, trouble)
}

import {
  asapScheduler,
  defer,
  filter,
  finalize,
  ignoreElements,
  map,
  merge,
  mergeMap,
  type Observable,
  retry,
  Subject,
  scheduled,
  share,
  shareReplay,
  switchMap,
  tap,
  timer,
} from 'rxjs'
import { steadyTime } from '../clock.js'
import { serverName } from '../config/redact.js'
import { type Config, hasDatasets } from '../config/schema.js'
import { datasetsOf } from '../datasets/index.js'
import { liveValuesOf } from '../datasets/live.js'
import { retryDelay } from '../decide/tasks.js'
import { watchLives } from '../detect/lives.js'
import { secondDaemon, watchOtherDaemons } from '../detect/other-daemons.js'
import { readSymbols } from '../detect/roster.js'
import { Trouble, troubleOf } from '../errors.js'
import { latest } from '../flow/latest.js'
import type { Database } from '../postgres/database.js'
import { openDatabase } from '../postgres/database.js'
import type { Life } from '../redis/life.js'
import { Conditions } from '../report/conditions.js'
import type { Emit, LogEvent } from '../report/events.js'
import { announce } from './announcements.js'
import { Backups } from './backups.js'
import { type DatedChange, watchChanges } from './changes.js'
import { Guard } from './guard.js'
import { HealReport } from './heal-report.js'
import { Inventory } from './inventory.js'
import { keeper } from './keeping.js'
import { guardLife } from './life.js'
import { KnownPostgres } from './postgres-identity.js'
import { watchRecovery } from './recovery.js'
import { walSource } from './wal-source.js'
import { type BeginWork, unwatched } from './work.js'

/** What a daemon leaves to the next one in this process, when the configuration is read again. */
export interface Memory {
  guarded?: { readonly guard: Guard; readonly url: string }
}

export interface GuardOptions {
  /** Told of every turn of a loop, by its name. */
  readonly onSign?: (what: string) => void
  readonly memory?: Memory
  /** Told of work that should not be cut off: backups, drills and recoveries. */
  readonly beginWork?: BeginWork
}

/**
 * The whole daemon: lives of Redis and changes of PostgreSQL in, alerts and healed keys out. Emits nothing and never ends; to
 * unsubscribe aborts what is under way and closes every connection.
 */
export function guardRedis(
  config: Config,
  listener: Emit,
  { onSign, memory = {}, beginWork = unwatched }: GuardOptions = {},
): Observable<never> {
  return defer(() => {
    const events = new Subject<LogEvent>()
    const emit: Emit = (event) => {
      listener(event)
      events.next(event)
    }
    const { storm } = config.watch
    const servers = { redis: serverName(config.redis.url), postgres: serverName(config.postgres.url) }
    const conditions = new Conditions(emit, steadyTime, onSign, storm)
    const known = new KnownPostgres(emit)
    const pool = openDatabase(config.postgres.url, servers.postgres, {
      rowSecurity: config.postgres.row_security,
      onIdentity: (identity) => known.met(identity),
    })
    const recoveries = new Subject<void>()
    const db = watched(pool, conditions, () => recoveries.next())
    const datasets = datasetsOf(config)
    const readEnabled = (): Promise<string[]> => readSymbols(db, config)
    const backups = new Backups({
      config,
      truth: { db, datasets, readSymbols: readEnabled },
      conditions,
      emit,
      beginWork,
    })
    const inventory = new Inventory(config, backups, emit)
    const guard = new Guard(datasets, emit, {
      storm,
      classLosses: (probe, missing) => inventory.losses(probe, missing),
      isFlapping: () => conditions.isFlapping('redis'),
    })
    const earlier = memory.guarded
    // Of the same Redis we know already what stood in it; this is no first look.
    if (earlier?.url === config.redis.url) {
      guard.holdings.adopt(earlier.guard.holdings, new Set(datasets.map(({ name }) => name)))
      guard.losses.follow(earlier.guard.losses)
    }
    memory.guarded = { guard, url: config.redis.url }
    const report = new HealReport(conditions, emit)

    // With keys only there is nothing to learn from PostgreSQL; said when all listen.
    const toldOf = hasDatasets(config)
      ? watchChanges({
          config,
          datasets,
          server: servers.postgres,
          db,
          conditions,
          wal: walSource({ config, db, emit }),
          readSymbols: readEnabled,
          emit,
        })
      : scheduled([{ dataset: 'symbols', keys: 'all', at: steadyTime() } as const], asapScheduler)
    // What another PostgreSQL holds was not told as a change.
    const reread = known.watch(db).pipe(
      map(() => steadyTime()),
      mergeMap((at) =>
        ['symbols', ...datasets.map(({ name }) => name)].map((dataset) => ({ dataset, keys: 'all', at }) as const),
      ),
    )
    const changes = merge(toldOf, reread).pipe(share())
    const rosters = watchRosters(changes, config, db, conditions).pipe(shareReplay({ bufferSize: 1, refCount: true }))
    const lives = watchLives({
      url: config.redis.url,
      server: servers.redis,
      onDown: (trouble) => conditions.failed('redis', trouble),
      onWaiting: (trouble) => conditions.failed('redis', trouble),
    })
    const isWhole = (): boolean => guard.isWholeSince(steadyTime())
    const keeping = { config, server: servers.redis, inventory, backups, isWhole, conditions, emit, events }
    const keep = keeper(keeping)
    const guarded = lives.pipe(
      switchMap((life) =>
        merge(
          keep(life),
          announce(life, keeping),
          watchForOthers(life, servers.redis, conditions),
          guardLife(life, {
            config,
            guard,
            datasets,
            db,
            live: liveValuesOf(datasets, config.sync.settle),
            server: servers.redis,
            conditions,
            report,
            emit,
            rosters,
            changes,
            recoveries,
          }),
        ),
      ),
    )
    // All but the last are also kept running while there is no life.
    return merge(backups.watch(), watchRecovery({ config, emit, events, beginWork }), changes, rosters, guarded).pipe(
      ignoreElements(),
      finalize(() => {
        conditions.stop()
        guard.stop()
        // Ending a connection that is broken may fail; it is gone either way.
        pool.close().catch(() => undefined)
      }),
    )
  })
}

/** Warns of a second daemon on the same Redis. */
function watchForOthers(life: Life, server: string, conditions: Conditions): Observable<never> {
  return watchOtherDaemons(life).pipe(
    tap(([other]) => {
      if (other) conditions.failed('second_daemon', secondDaemon(other, server))
      else conditions.worked('second_daemon')
    }),
    ignoreElements(),
    // Where the right to see clients is missing, that is all that is lost; a look that failed for another reason is done again.
    retry({ delay: 60_000 }),
  )
}

/** A database whose failures and successes are told to its condition. */
function watched(db: Database, conditions: Conditions, onRecovery: () => void): Database {
  return {
    async query<Row>(
      sql: string,
      values: readonly unknown[],
      tables?: Readonly<Record<string, string>>,
    ): Promise<Row[]> {
      try {
        const rows = await db.query<Row>(sql, values, tables)
        if (conditions.worked('postgres') > 0) onRecovery()
        return rows
      } catch (error) {
        if (!(error instanceof Trouble)) throw error
        // A server that says what is wrong with a query is there.
        if (/^postgres_(unreachable|refused)$/.test(error.code)) conditions.failed('postgres', error)
        else if (conditions.worked('postgres') > 0) onRecovery()
        throw error
      }
    },
  }
}

/** Emits the enabled symbols whenever changes tell that the list may be another, as they do first of all; what cannot be read changes nothing. */
function watchRosters(
  changes: Observable<DatedChange>,
  config: Config,
  db: Database,
  conditions: Conditions,
): Observable<readonly string[]> {
  const again = new Subject<number>()
  let failures = 0
  const reasons = merge(
    changes.pipe(filter(({ dataset }) => dataset === 'symbols')),
    again.pipe(switchMap((ms) => timer(ms))),
  )
  return reasons.pipe(
    map(() => undefined),
    latest(
      () => undefined,
      async () => {
        try {
          const symbols = await readSymbols(db, config)
          conditions.worked('symbols')
          failures = 0
          return symbols
        } catch (error) {
          const trouble = troubleOf(error)
          // No other change may come to tell that it can be read by now.
          again.next(retryDelay(++failures))
          // A server that is away is told of by its own condition.
          if (!/^postgres_(unreachable|refused)$/.test(trouble.code)) conditions.failed('symbols', trouble)
          return undefined
        }
      },
    ),
    filter((symbols) => symbols !== undefined),
    map((symbols): readonly string[] => symbols),
  )
}

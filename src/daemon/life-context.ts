import type { Observable } from 'rxjs'
import type { Config } from '../config/schema.js'
import type { Dataset } from '../datasets/dataset.js'
import type { LiveValues } from '../decide/live-values.js'
import { caughtUp } from '../detect/flushes.js'
import type { LiveWriters, Sides } from '../heal/heal.js'
import type { Database } from '../postgres/database.js'
import type { Life } from '../redis/life.js'
import type { Conditions } from '../report/conditions.js'
import type { Emit } from '../report/events.js'
import type { DatedChange } from './changes.js'
import type { Guard } from './guard.js'
import type { HealReport } from './heal-report.js'

/** What guarding one life of Redis works with. */
export interface LifeContext {
  readonly config: Config
  readonly guard: Guard
  readonly datasets: readonly Dataset[]
  readonly db: Database
  readonly live: LiveValues
  /** `host:port/db` of Redis. */
  readonly server: string
  readonly conditions: Conditions
  readonly report: HealReport
  readonly emit: Emit
  /** The latest list of enabled symbols, replayed, and every later one. */
  readonly rosters: Observable<readonly string[]>
  readonly changes: Observable<DatedChange>
  /** Emits when PostgreSQL answers again. */
  readonly recoveries: Observable<void>
}

/** What heals and looks of this life are told of live writers by. */
export function liveWritersOf(life: Life, { live }: Pick<LifeContext, 'live'>): LiveWriters {
  return {
    values: live,
    async caughtUp() {
      if (live.isTracking) await caughtUp(life)
    },
  }
}

export function sidesOf(life: Life, context: Pick<LifeContext, 'db' | 'live'>, signal: AbortSignal): Sides {
  return { db: context.db, redis: life.bulk, live: liveWritersOf(life, context), signal }
}

import type { Observable } from 'rxjs'
import type { Config } from '../config/schema.js'
import type { Dataset } from '../datasets/dataset.js'
import type { Database } from '../postgres/database.js'
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

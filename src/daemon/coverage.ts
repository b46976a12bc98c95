import { BehaviorSubject } from 'rxjs'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import {
  type ChangeSource,
  changeSources,
  heardDatasets,
  lacksTriggers,
  saySources,
  sayTime,
  WITHIN,
} from '../decide/change-sources.js'
import type { Updates } from '../detect/updates.js'
import { Trouble } from '../errors.js'
import type { Database } from '../postgres/database.js'
import { type Catalog, readCatalog } from '../postgres/trigger-catalog.js'
import type { Conditions } from '../report/conditions.js'
import type { Emit } from '../report/events.js'
import type { HeardSource } from './change-source.js'
import type { DatedChange } from './changes.js'
import type { Polls } from './polls.js'
import type { Vouching } from './vouching.js'

export interface CoverageContext {
  readonly config: Config
  readonly db: Database
  readonly conditions: Conditions
  readonly emit: Emit
  readonly polls: Polls
  readonly updates: readonly Updates[]
  readonly vouching: Vouching
}

/** What is said of it is held back so long after it was last said, in ms: a short outage is no news. */
const SETTLED = 3_000

/** Keeps account of what is listened to, and so of which datasets' changes are heard, and which must be polled. */
export class Coverage {
  /** The datasets, and `symbols`, whose changes are heard; undefined until that is known. */
  readonly heard = new BehaviorSubject<ReadonlySet<string> | undefined>(undefined)
  /** What is listened to, while it is. */
  by: HeardSource['kind'] | undefined
  catalog: Catalog | undefined
  /** True once something was listened to. */
  hasListened = false
  private deaf: string | undefined
  /** Another number whenever it went deaf: whatever was to begin before does not. */
  private era = 0
  private beginning = 0
  private told = ''
  private telling: NodeJS.Timeout | undefined

  constructor(private readonly context: CoverageContext) {}

  /** True while something is listened to. */
  get isListening(): boolean {
    return this.by !== undefined
  }

  /** True if it has been known before what is heard. */
  get hasBegun(): boolean {
    return this.heard.value !== undefined
  }

  /** True while it listens already, and is about to know what that covers. */
  get isBeginning(): boolean {
    return this.beginning > 0
  }

  /** Reads the catalog; undefined where that fails. */
  async look(): Promise<Catalog | undefined> {
    const { config, db } = this.context
    try {
      const catalog = await readCatalog(config, (sql, values) => db.query(sql, values))
      // Also where nothing can ever be listened to it is said how changes are found.
      this.catalog ??= catalog
      return catalog
    } catch {
      // The database's own condition tells of it; until the catalog is read, polling does the work.
      return undefined
    }
  }

  /** Listening has begun, or polling alone: learns what that covers, and returns what may have changed unheard. */
  async begin(by: HeardSource['kind'] | undefined): Promise<DatedChange[]> {
    this.beginning++
    try {
      return await this.learn(by)
    } finally {
      this.beginning--
    }
  }

  private async learn(by: HeardSource['kind'] | undefined): Promise<DatedChange[]> {
    const { polls, updates } = this.context
    const { era } = this
    const at = steadyTime()
    // The first list of symbols, and with it the first survey, comes when this is known: what was updated before, the survey reads.
    const isFirst = !this.hasBegun
    const catalog = await this.look()
    if (era !== this.era) return []
    this.catalog = catalog
    this.by = by
    this.hasListened ||= by !== undefined
    this.deaf = undefined
    const heard = this.heardNow()
    const polled = updates.filter(({ dataset }) => !heard.has(dataset))
    if (isFirst) await Promise.all(polled.map((each) => polls.ask(each, true)))
    if (era !== this.era) return []
    this.cover(heard)
    if (isFirst) return []
    // The list of symbols is read again whenever it begins to be heard.
    return [...heard].filter((dataset) => dataset !== 'symbols').map((dataset) => ({ dataset, keys: 'all', at }))
  }

  /** Nothing is heard any more, for this reason: all is polled. That is said unless it is `quietly`, as it should soon be over. */
  deafen(reason: string, quietly = false): void {
    this.era++
    this.by = undefined
    this.deaf = reason
    this.context.vouching.end()
    const before = this.heard.value
    // What was heard until now has changed since it was last polled.
    for (const each of this.context.updates) if (before?.has(each.dataset)) each.forget()
    this.heard.next(new Set())
    if (!quietly) this.tell()
  }

  /** Reads the catalog again, and returns what may have changed with nothing to tell of it. */
  async recheck(): Promise<DatedChange[]> {
    const at = steadyTime()
    const { by, catalog: before } = this
    const catalog = await this.look()
    // Whatever has happened to the listener meanwhile comes with a look of its own.
    if (!catalog || this.by !== by || this.catalog !== before) return []
    const changed = [...catalog.versions].flatMap(([dataset, version]) =>
      before?.versions.get(dataset) === version ? [] : [dataset],
    )
    this.catalog = catalog
    if (changed.length === 0) return []
    this.cover(this.heardNow())
    return changed.map((dataset) => ({ dataset, keys: 'all', at }))
  }

  /** Says how changes are found, where that is another way than was last said. */
  tell(): void {
    if (this.telling) return
    const say = (): void => {
      const tables = this.sources()
      const text = JSON.stringify(tables)
      if (text === this.told || !this.catalog) return
      this.told = text
      this.context.emit({ event: 'change_sources', tables })
    }
    // The first time at once.
    if (this.told === '') say()
    else {
      this.telling = setTimeout(() => {
        this.telling = undefined
        say()
      }, SETTLED)
    }
  }

  close(): void {
    clearTimeout(this.telling)
  }

  private cover(heard: Set<string>): void {
    this.warn()
    if (this.by === 'triggers' && this.catalog) this.context.vouching.begin(heard, this.catalog)
    else this.context.vouching.end()
    this.heard.next(heard)
    this.tell()
  }

  private heardNow(): Set<string> {
    return heardDatasets(this.sources())
  }

  private sources(): ChangeSource[] {
    const { config, polls } = this.context
    const { source } = config.sync
    const why = source === 'poll' ? 'sync.source is poll' : (this.deaf ?? 'the catalog could not be read')
    return changeSources(this.catalog?.sources ?? [], {
      heard: this.by,
      deaf: { why },
      pollOf: (dataset) => polls.paceOf(dataset),
      scrub: config.watch.scrub,
    })
  }

  /** Triggers that are not there are worth a warning where they would help, and nobody has left them out on purpose. */
  private warn(): void {
    const { conditions, config } = this.context
    if (!this.catalog) return
    // Where the WAL is asked for, that it cannot be read was said already.
    const lacking = this.by === 'triggers' && config.sync.source !== 'wal' ? lacksTriggers(this.catalog.sources) : []
    const [first] = lacking
    if (!first) {
      conditions.worked('triggers')
      return
    }
    const keys = new Set(lacking.map(({ key }) => key))
    const now = saySources(this.sources().filter(({ key }) => keys.has(key)))
    conditions.failed(
      'triggers',
      new Trouble(
        'postgres_schema',
        `changes are found ${now} instead of by triggers within ${sayTime(WITHIN.triggers)}: ` +
          `${first.table}: ${first.why}${lacking.length > 1 ? `, and ${lacking.length - 1} more` : ''}`,
        first.mend ?? '',
        false,
      ),
    )
  }
}

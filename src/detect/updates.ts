import type { IndicatorsConfig } from '../config/schema.js'
import { fingerprintSql } from '../datasets/indicators-sql.js'
import type { Change } from '../decide/announcement.js'
import type { Database } from '../postgres/database.js'

type Row = { symbol: string; timeframe: string; fingerprint: string }

/** Finds which indicators were updated since it was last asked, by the `updated_at` of their newest rows; the first time, all. */
export class Updates {
  private seen = new Map<string, string>()

  constructor(
    private readonly db: Database,
    private readonly config: IndicatorsConfig,
  ) {}

  /** The symbols and timeframes whose newest rows changed, came or went; undefined if none did. */
  async next(): Promise<Change | undefined> {
    const rows = await this.db.query<Row>(fingerprintSql(this.config), [], {
      'indicators.instances': this.config.instances,
      'indicators.values': this.config.values,
    })
    const before = this.seen
    this.seen = new Map(rows.map((row) => [JSON.stringify([row.symbol, row.timeframe]), row.fingerprint]))
    const keys = [...this.seen].flatMap(([key, fingerprint]) => {
      if (before.get(key) === fingerprint) return []
      const [symbol, part] = JSON.parse(key) as [string, string]
      return { symbol, part }
    })
    return keys.length === 0 ? undefined : { dataset: 'indicators', keys }
  }
}

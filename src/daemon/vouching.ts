import type { Dataset } from '../datasets/dataset.js'
import type { Change } from '../decide/announcement.js'
import { changeSources, heardDatasets } from '../decide/change-sources.js'
import { Echoes } from '../detect/echoes.js'
import { nextRun } from '../flow/next-run.js'
import type { Database } from '../postgres/database.js'
import type { Catalog } from '../postgres/trigger-catalog.js'

const BY_TRIGGERS = { heard: 'triggers', pollOf: () => undefined, scrub: 0 } as const

interface Seen {
  readonly caughtUp: boolean
  readonly catalog: Catalog | undefined
}

/**
 * Tells datasets which changes are heard, and vouches, when they ask, that none was missed: the triggers are the same ones that stood
 * when they began to remember, were never disabled since, and all that was committed has been heard.
 */
export class Vouching {
  private readonly echoes: Echoes
  private readonly see: () => Promise<Seen>
  /** Another number whenever something else is announced. */
  private era = 0

  constructor(
    private readonly datasets: readonly Dataset[],
    db: Database,
    channel: string,
    look: () => Promise<Catalog | undefined>,
  ) {
    this.echoes = new Echoes(channel, (sql) => db.query(sql, []))
    this.see = nextRun(async () => {
      const [caughtUp, catalog] = await Promise.all([this.echoes.caughtUp(), look()])
      return { caughtUp, catalog }
    })
  }

  /** From now on the triggers announce every change of these datasets, as the catalog says that was read since they are listened to. */
  begin(announced: ReadonlySet<string>, catalog: Catalog): void {
    const era = ++this.era
    for (const { name, announced: told } of this.datasets) {
      const version = catalog.versions.get(name)
      told?.renew(announced.has(name) && version !== undefined ? () => this.prove(name, version, era) : undefined)
    }
  }

  /** Nothing is announced any more. */
  end(): void {
    this.era++
    this.echoes.lost()
    for (const { announced } of this.datasets) announced?.renew(undefined)
  }

  hear({ dataset, keys }: Change): void {
    for (const { name, announced } of this.datasets) if (name === dataset) announced?.hear(keys)
  }

  /** A ping has come back. */
  echo(ping: string): void {
    this.echoes.came(ping)
  }

  private async prove(name: string, version: string, era: number): Promise<boolean> {
    if (era !== this.era) return false
    const { caughtUp, catalog } = await this.see()
    if (!caughtUp || catalog?.versions.get(name) !== version) return false
    return heardDatasets(changeSources(catalog.sources, BY_TRIGGERS)).has(name)
  }
}

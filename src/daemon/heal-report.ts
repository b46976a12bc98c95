import { steadyTime } from '../clock.js'
import type { Trouble } from '../errors.js'
import type { Healed } from '../heal/heal.js'
import type { Outcome } from '../heal/heal-tasks.js'
import type { Survey } from '../heal/survey.js'
import type { Lack } from '../model.js'
import type { Conditions } from '../report/conditions.js'
import { EachMinute } from '../report/each-minute.js'
import type { Emit } from '../report/events.js'

/** Tells the log what heals came to. */
export class HealReport {
  /** Dataset -> symbol -> how many values were left out when that was last said. */
  private readonly leftOut = new Map<string, number>()
  /** Datasets that a look could not see, as far as no heal has met trouble with them since. */
  private readonly unseen = new Set<string>()
  private readonly omissions: EachMinute<{ dataset: string; symbol: string; values: number }>

  constructor(
    private readonly conditions: Conditions,
    private readonly emit: Emit,
  ) {
    this.omissions = new EachMinute((items) => {
      for (const dataset of new Set(items.map((item) => item.dataset))) {
        const its = items.filter((item) => item.dataset === dataset)
        const values = its.reduce((total, item) => total + item.values, 0)
        this.emit({
          event: 'left_out',
          dataset,
          values,
          symbols: [...new Set(its.map(({ symbol }) => symbol))].slice(0, 10),
        })
      }
    }, 1_000)
  }

  failed({ tasks }: Outcome, trouble: Trouble): void {
    const dataset = tasks[0]?.dataset
    if (dataset === undefined || isServerAway(trouble)) return
    this.unseen.delete(dataset)
    this.conditions.failed(dataset, trouble)
  }

  /** Takes in what a look could not see, and what is wrong with some of what it saw. */
  surveyed({ unseen, defects }: Pick<Survey, 'unseen' | 'defects'>): void {
    for (const { dataset, trouble } of unseen) {
      if (isServerAway(trouble)) continue
      this.unseen.add(dataset)
      this.conditions.failed(dataset, trouble)
    }
    for (const [dataset, defect] of defects) {
      const isSeen = !unseen.some((item) => item.dataset === dataset)
      // What could not be looked at works again when it can; what could not be healed, when it is.
      if (isSeen && this.unseen.delete(dataset)) this.conditions.worked(dataset)
      this.defective(dataset, defect)
    }
  }

  private defective(dataset: string, defect: Trouble | undefined): void {
    const what = `${dataset} in part`
    if (defect) this.conditions.failed(what, defect)
    else this.conditions.worked(what)
  }

  healed({ tasks }: Outcome, { findings, held, leftOut, defect }: Healed): void {
    const dataset = tasks[0]?.dataset ?? ''
    this.conditions.worked(dataset)
    this.defective(dataset, defect)
    for (const [symbol, values] of leftOut) this.omitted(dataset, symbol, values)
    const left = new Set(held.map(({ key }) => key))
    const now = steadyTime()
    for (const { symbol, why, since } of tasks) {
      if (why !== 'sync') continue
      const values = findings.reduce(
        (total, { lack }) => total + (lack?.symbol === symbol ? written(lack, left) : 0),
        0,
      )
      if (values === 0) continue
      const [samples, fields] = dataset.startsWith('candles.') ? [values, 0] : [0, values]
      this.emit({ event: 'sync', symbol, dataset, samples, fields, latency_ms: now - since })
    }
  }

  /** Says it once, and again only if the number changes. */
  private omitted(dataset: string, symbol: string, values: number): void {
    const key = JSON.stringify([dataset, symbol])
    if (this.leftOut.get(key) === values) return
    this.leftOut.set(key, values)
    this.omissions.add({ dataset, symbol, values })
  }
}

/** How many values a heal has written to a key; those that differ may have been `left` to a live worker. */
function written({ key, missing, differing }: Lack, left: ReadonlySet<string>): number {
  return missing + (left.has(key) ? 0 : differing)
}

/** Told by the condition of the server itself, or by the end of the life. */
function isServerAway({ code }: Trouble): boolean {
  return (
    code === 'postgres_unreachable' || code === 'postgres_refused' || code === 'redis_unreachable' || code === 'aborted'
  )
}

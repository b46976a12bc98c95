import { expect } from 'vitest'
import type { ChangeSource } from '../../src/decide/change-sources.js'
import { blankBoard } from '../../src/report/board.js'
import { openMetrics } from '../../src/report/metrics.js'
import { note } from '../../src/report/note.js'
import { readinessOf } from '../../src/report/readiness.js'
import { anyLayout, expectWhole, type Queryable, type RunningDaemon } from './daemon.js'
import { until } from './until.js'

/** For a machine with load, in ms: what is said of times is said of one without. */
const SLACK = 5_000
/** As of `testConfig`, in ms. */
const SETTLE = 400

/** Another value in every row. */
export function change(table: string): string {
  const column = table === 'indicator_values_v4' ? 'value' : 'close'
  return `UPDATE ${table} SET ${column} = ${column} + 1`
}

/** How changes of a dataset are found, as the log has said last; of several tables, the first that is not heard. */
export function sourceOf({ events }: RunningDaemon, dataset: string): ChangeSource {
  const last = events.findLast((event) => event.event === 'change_sources')
  const its = last?.tables.filter((each) => each.dataset === dataset) ?? []
  const found = its.find(({ found_by }) => found_by !== 'triggers') ?? its[0]
  if (!found) throw new Error(`nothing was said of ${dataset}`)
  return found
}

/** Waits until Redis equals PostgreSQL, for no longer than was said, what a live writer may need, and what a busy machine takes. */
export async function untilEqual(redisUrl: string, database: Queryable, within: number): Promise<void> {
  const isEqual = () =>
    expectWhole(redisUrl, database, anyLayout()).then(
      () => true,
      () => false,
    )
  await until(isEqual, { timeout: within + SETTLE + SLACK }).catch(() => expectWhole(redisUrl, database, anyLayout()))
}

/** What the log said last is what /readyz?verbose and the metrics say; all is ready, and nothing was taken for a loss. */
export async function agrees({ events }: RunningDaemon): Promise<void> {
  const board = blankBoard('test', Date.now())
  for (const event of events) note(board, event, Date.now())
  expect(readinessOf(board).ready).toBe(true)
  const { tables = [] } = events.findLast((event) => event.event === 'change_sources') ?? {}
  expect(board.sources).toEqual(tables)
  const text = await openMetrics(board).text()
  for (const kind of ['candles', 'indicators', 'symbols']) {
    const its = tables.filter(({ dataset }) => dataset.split('.')[0] === kind)
    const longest = Math.max(...its.map(({ within_ms }) => within_ms))
    const found_by = its.find(({ within_ms }) => within_ms === longest)?.found_by
    const series = `rekindle_changes_found_within_seconds{dataset="${kind}",found_by="${found_by}"} ${longest / 1_000}`
    expect(text).toContain(series)
  }
  expect(events.filter(({ event }) => event === 'data_loss')).toHaveLength(1)
}

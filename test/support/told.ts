import { Registry } from 'prom-client'
import { expect } from 'vitest'
import type { LogEvent } from '../../src/report/events.js'
import { countEvents } from '../../src/report/metrics-counted.js'
import { readinessOf } from '../../src/report/readiness.js'
import { levelOf } from '../../src/report/sentences.js'
import { isAlert } from '../../src/report/webhook-message.js'
import { boardOf } from '../serve/scenes.js'
import type { RunningDaemon } from './daemon.js'

/** The events that stand in a log of level `info`. */
export function aloud(events: readonly LogEvent[]): LogEvent[] {
  return events.filter((event) => levelOf(event) !== 'debug')
}

/**
 * A storm that is over was told as one incident: an alert at its start (and one more if the first loss had been healed before the second
 * came; `starts` at most), one end for each, and not much in between. Metrics, the board and the webhook agree. Returns how many losses there were.
 */
export async function expectOneStorm(daemon: RunningDaemon, most = 6, starts = 2): Promise<number> {
  const alerts = daemon.all('data_loss')
  const ends = daemon.all('healed')
  expect(alerts.length, JSON.stringify(alerts)).toBeGreaterThan(0)
  expect(alerts.length).toBeLessThanOrEqual(starts)
  expect(alerts.slice(1).every(({ reopened }) => reopened)).toBe(true)
  expect(new Set([...alerts, ...ends].map(({ incident }) => incident)).size).toBe(1)
  expect(ends).toHaveLength(alerts.length)
  const since = daemon.events.indexOf(alerts[0] as LogEvent)
  const during = daemon.events.slice(since)
  const sent = during.filter((event) => isAlert(event) && 'incident' in event)
  expect(sent.length, JSON.stringify(sent)).toBeLessThanOrEqual(most)
  expect(aloud(during).length, JSON.stringify(aloud(during).map(({ event }) => event))).toBeLessThanOrEqual(3 * most)
  const losses = alerts.length + daemon.all('loss_joined').length
  expect(ends.reduce((sum, end) => sum + end.losses, 0)).toBe(losses)
  expect(await counted(during)).toMatchObject({
    rekindle_losses_total: losses,
    rekindle_healed_total: losses,
    rekindle_incidents_total: alerts.length,
  })
  const board = boardOf(daemon.events)
  expect(board.open).toBeUndefined()
  expect(board.incidents.at(-1)).toMatchObject({ losses })
  expect(readinessOf(board)).toMatchObject({ ready: true })
  return losses
}

/** What the metrics count of some events, without labels. */
async function counted(events: readonly LogEvent[]): Promise<Record<string, number>> {
  const registry = new Registry()
  const { observe } = countEvents(registry)
  for (const event of events) observe(event)
  const metrics = await registry.getMetricsAsJSON()
  return Object.fromEntries(
    metrics.map(({ name, values }) => [name, values.reduce((sum, { value }) => sum + Number(value), 0)]),
  )
}

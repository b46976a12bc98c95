import { collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { Board } from './board.js'
import { type Counting, countEvents } from './metrics-counted.js'
import { addState } from './metrics-state.js'

export interface Metrics extends Counting {
  /** The type of `text`, as a scraper is told. */
  readonly contentType: string
  /** All metrics in the text format of Prometheus. */
  text(): Promise<string>
}

/** How often the event loop's lag is measured, in ms: more often would keep an idle machine awake. */
const LAG_EVERY = 100

/** What prom-client calls `_total` and is no counter. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/**
 * Metrics in a registry of their own: what happened is counted event by event, how things stand is read from the board when asked.
 * No label holds a symbol, a key or a text of others.
 */
export function openMetrics(board: Board): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: LAG_EVERY })
  for (const name of MISNAMED) registry.removeSingleMetric(name)
  new Gauge({
    name: 'rekindle_build_info',
    help: 'Always 1: which Rekindle this is.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version: board.rekindle }, 1)
  addState(registry, board)
  const { observe, delivered } = countEvents(registry)
  return { observe, delivered, contentType: registry.contentType, text: () => registry.metrics() }
}

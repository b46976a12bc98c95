import { collectDefaultMetrics, Registry } from 'prom-client'
import { blankBoard } from '../../src/report/board.js'
import type { LogEvent } from '../../src/report/events.js'
import { openMetrics } from '../../src/report/metrics.js'
import { note } from '../../src/report/note.js'
import { code, heading, table } from './markdown.js'

const ABOUT = `\`/metrics\` of \`http.listen\` gives these to Prometheus. What is not known has no sample. No label holds a symbol, a key or a text of
others; where all values of a label are listed, each has a sample from the start. [monitoring.md](../monitoring.md) says how to use them.`

const PROCESS = `## Of the process

As prom-client gives them, on Linux.`

/** Something for the metrics whose labels show only while something is wrong. */
const TROUBLE: readonly LogEvent[] = [
  { event: 'degraded', what: 'http', code: 'unexpected', reason: '', hint: '', since_ms: 0 },
  { event: 'persistence_risk', finding: 'aof_off', severity: 'risk', reason: '', hint: '' },
]

interface Metric {
  readonly name: string
  readonly type: string
  readonly help: string
  /** Label -> its values. */
  readonly labels: Map<string, Set<string>>
}

/** The page about the metrics, as a scraper that comes right after the start sees them. */
export async function metricsPage(): Promise<string> {
  const board = blankBoard('0', 0)
  const { text } = openMetrics(board)
  for (const event of TROUBLE) note(board, event, 0)
  const metrics = parse(await text()).sort((a, b) => (a.name < b.name ? -1 : 1))
  const isOurs = ({ name }: Metric): boolean => name.startsWith('rekindle_')
  const labels = defaultLabels()
  const header = ['metric', 'type', 'labels', '']
  return [
    heading('The metrics', ['src/report/metrics.ts', 'src/report/metrics-counted.ts', 'src/report/metrics-state.ts']),
    ABOUT,
    table(
      header,
      metrics.filter(isOurs).map((metric) => rowOf(metric, labelsOf(metric))),
    ),
    PROCESS,
    table(
      header,
      metrics.filter((metric) => !isOurs(metric)).map((metric) => rowOf(metric, labels.get(metric.name) ?? [])),
    ),
  ].join('\n\n')
}

/** What stands in the text format of Prometheus. */
function parse(text: string): Metric[] {
  const metrics: Metric[] = []
  for (const line of text.split('\n')) {
    const [, name = '', help = ''] = /^# HELP (\S+) (.*)$/.exec(line) ?? []
    const type = /^# TYPE \S+ (\S+)$/.exec(line)?.[1]
    const last = metrics.at(-1)
    if (name) metrics.push({ name, help, type: '', labels: new Map() })
    else if (type && last) metrics[metrics.length - 1] = { ...last, type }
    else if (last) for (const [label, value] of labelsIn(line)) add(last, label, value)
  }
  return metrics
}

function labelsIn(line: string): [string, string][] {
  return [...line.matchAll(/([a-z]\w*)="([^"]*)"/g)].map(([, label = '', value = '']) => [label, value])
}

function add({ labels }: Metric, label: string, value: string): void {
  if (label !== 'le') labels.set(label, (labels.get(label) ?? new Set()).add(value))
}

/** Counters and histograms have a sample for each value from the start; of a gauge, only what is wrong shows. */
function labelsOf({ type, labels }: Metric): string[] {
  return [...labels].map(([label, values]) =>
    type === 'gauge' ? code(label) : `${code(label)}: ${[...values].map(code).join(', ')}`,
  )
}

/** Label names by metric: which of these have a sample depends on what the process has done. */
function defaultLabels(): Map<string, string[]> {
  const register = new Registry()
  collectDefaultMetrics({ register })
  const metrics: readonly { readonly name: string; readonly labelNames?: readonly string[] }[] =
    register.getMetricsAsArray()
  return new Map(
    metrics.map(({ name, labelNames = [] }) => [name, labelNames.filter((label) => label !== 'le').map(code)]),
  )
}

function rowOf({ name, type, help }: Metric, labels: readonly string[]): string[] {
  return [code(name), type, labels.join('; '), help]
}

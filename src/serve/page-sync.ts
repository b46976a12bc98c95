/** How long changes in PostgreSQL took to reach Redis, minute by minute. */

import type { Board } from '../report/board.js'
import { quantile, type Span } from '../report/latencies.js'
import { sentence } from '../report/sentences.js'
import { type Html, html } from './html.js'
import { counted, moment, span } from './words.js'

const MINUTE = 60_000
const MINUTES = 60
/** The picture, in its own units: the plot with room for words at its left and beneath it. */
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [440, 170, 44, 18, 8]

export function syncPart({ latencies, incidents, lastSyncAt, syncs, sources, drift, gaps }: Board, now: number): Html {
  const losses = incidents.map(({ at }) => at).filter((at) => now - at < MINUTES * MINUTE)
  return html`<h2>Sync latency <small>median to 99 of 100, by the minute</small></h2>
${latencies.length > 0 ? chart(latencies, losses, now) : html`<p class="nothing">No change in PostgreSQL in the last hour.</p>`}
<dl class="facts">
<dt>Changes</dt><dd>${counted(syncs, 'change')}${lastSyncAt !== undefined && html`, the last ${moment(lastSyncAt, now)}`}</dd>
<dt>Found</dt><dd>${sources === undefined ? 'not known yet' : sentence({ event: 'change_sources', tables: [...sources] })}</dd>
<dt>Drift</dt><dd>${drift.last ? html`${counted(drift.keys, 'key')} mended, the last ${moment(drift.last.at, now)} in ${drift.last.dataset}` : 'none found'}</dd>
<dt>Gaps</dt><dd>${gaps.last ? html`${counted(gaps.count, 'time')} deaf, the last ${moment(gaps.last.at, now)} for ${span(gaps.last.deafForMs)}` : 'none'}</dd>
</dl>`
}

interface Minute {
  readonly at: number
  readonly median: number
  readonly slow: number
}

function byMinute(latencies: readonly Span[], now: number): Minute[] {
  const minutes = new Map<number, Span[]>()
  for (const each of latencies) {
    const at = Math.floor(each.at / MINUTE) * MINUTE
    if (now - at <= MINUTES * MINUTE) minutes.set(at, [...(minutes.get(at) ?? []), each])
  }
  return [...minutes].map(([at, spans]) => ({
    at,
    median: quantile(spans, 0.5) ?? 0,
    slow: quantile(spans, 0.99) ?? 0,
  }))
}

function chart(latencies: readonly Span[], losses: readonly number[], now: number): Html {
  const minutes = byMinute(latencies, now)
  const top = Math.max(1, Math.ceil(Math.log10(Math.max(10, ...minutes.map(({ slow }) => slow)))))
  const end = Math.ceil(now / MINUTE) * MINUTE
  const x = (at: number): number => WIDTH - ((WIDTH - LEFT) * (end - at)) / (MINUTES * MINUTE)
  const y = (ms: number): number =>
    TOP + (HEIGHT - TOP - BOTTOM) * (1 - Math.min(top, Math.log10(Math.max(1, ms))) / top)
  const half = (WIDTH - LEFT) / MINUTES / 2
  const said = `Sync latency in the last hour: median ${span(quantile(latencies, 0.5) ?? 0)}`
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${said}">
${Array.from({ length: top + 1 }, (_, i) => gridLine(10 ** i, y(10 ** i)))}
${[60, 45, 30, 15].map((ago) => html`<text class="axis" x="${x(end - ago * MINUTE).toFixed(1)}" y="${HEIGHT - 4}">−${ago} min</text>`)}
<text class="axis end" x="${WIDTH}" y="${HEIGHT - 4}">now</text>
${losses.map((at) => html`<line class="loss" x1="${x(at).toFixed(1)}" x2="${x(at).toFixed(1)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"><title>Redis lost data</title></line>`)}
${minutes.map(({ at, median, slow }) => {
  const middle = (x(at) + half).toFixed(1)
  return html`<g><title>${new Date(at).toISOString().slice(11, 16)} UTC: median ${span(median)}, 99 of 100 within ${span(slow)}</title><line class="reach" x1="${middle}" x2="${middle}" y1="${y(median).toFixed(1)}" y2="${y(slow).toFixed(1)}"/><circle class="median" cx="${middle}" cy="${y(median).toFixed(1)}" r="2.2"/></g>
`
})}</svg>`
}

function gridLine(ms: number, at: number): Html {
  const words = ms >= 1_000 ? `${ms / 1_000} s` : `${ms} ms`
  return html`<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${at.toFixed(1)}" y2="${at.toFixed(1)}"/><text class="axis end" x="${LEFT - 6}" y="${(at + 3).toFixed(1)}">${words}</text>
`
}

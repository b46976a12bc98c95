/** The newest lines of the log, newest first. */

import type { Board } from '../report/board.js'
import { type Html, html } from './html.js'
import { moment } from './words.js'

const SHOWN = 15

export function logPart({ journal }: Board, now: number): Html {
  const newest = [...journal].reverse()
  const lines = (entries: typeof newest): Html =>
    html`<ol class="log">
${entries.map(
  ({
    at,
    level,
    event,
    text,
  }) => html`<li class="${level}">${moment(at, now)} <code>${event}</code> <span>${text}</span></li>
`,
)}</ol>`
  return html`<h2>Log</h2>
${newest.length === 0 ? html`<p class="nothing">Nothing yet.</p>` : lines(newest.slice(0, SHOWN))}
${newest.length > SHOWN && html`<details id="log-more"><summary>${newest.length - SHOWN} more</summary>${lines(newest.slice(SHOWN))}</details>`}`
}

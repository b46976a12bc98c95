/** What works with less, and what stands between the data and its recovery: each with what mends it. */

import type { Board } from '../report/board.js'
import { type Html, html } from './html.js'
import { moment } from './words.js'

/** How many are shown; a flood of them says no more. */
const MOST = 30

interface Concern {
  readonly tone: 'bad' | 'warn' | 'note'
  readonly name: string
  readonly since: number
  readonly reason: string
  readonly hint: string
}

export function concernsPart(board: Board, now: number): Html {
  const concerns = concernsOf(board)
  if (concerns.length === 0)
    return html`<h2>To mend</h2><p class="nothing">Nothing. Everything that should work does.</p>`
  const more = concerns.length - MOST
  return html`<h2>To mend</h2>
<ul class="concerns">
${concerns.slice(0, MOST).map((concern) => row(concern, now))}
</ul>${more > 0 && html`<p class="nothing">and ${more} more</p>`}`
}

function row({ tone, name, since, reason, hint }: Concern, now: number): Html {
  return html`<li class="${tone}"><p><code>${name}</code> ${reason} <small>${moment(since, now)}</small></p>${hint && html`<p class="mend">${hint}</p>`}</li>
`
}

/** Worst first. */
function concernsOf(board: Board): Concern[] {
  const { redis, postgres, degraded, reloadFailed, risks, backups } = board
  const concerns: Concern[] = []
  for (const [name, { state, at, trouble }] of Object.entries({ redis, postgres })) {
    if (state !== 'down') continue
    const { reason = 'it cannot be used', hint = '' } = trouble ?? {}
    concerns.push({ tone: 'bad', name, since: at, reason, hint })
  }
  if (backups.failure) {
    const { at, stage, reason, hint } = backups.failure
    concerns.push({ tone: 'bad', name: `backup: ${stage}`, since: at, reason, hint })
  }
  if (reloadFailed) {
    concerns.push({
      tone: 'bad',
      name: 'configuration',
      since: reloadFailed.at,
      reason: reloadFailed.reason,
      hint: 'the configuration from before goes on; correct the file and reload',
    })
  }
  for (const [name, { since, reason, hint }] of degraded) concerns.push({ tone: 'warn', name, since, reason, hint })
  const findings = [...risks].map(([name, { severity, ...rest }]): Concern => {
    return { tone: severity === 'risk' ? 'warn' : 'note', name, ...rest }
  })
  return [
    ...concerns,
    ...findings.filter(({ tone }) => tone === 'warn'),
    ...findings.filter(({ tone }) => tone === 'note'),
  ]
}

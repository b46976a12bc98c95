/** What there is to fall back on. */

import type { Board } from '../report/board.js'
import { type Html, html } from './html.js'
import { count, moment, size, span } from './words.js'

export function backupsPart({ backups }: Board, now: number): Html {
  const { count: number, newestAt, newestBytes, provedAt, proofOk, proofMs, keptAside } = backups
  if (number === undefined && newestAt === undefined) {
    return html`<h2>Backups</h2><p class="nothing">Nothing was seen of any.</p>`
  }
  return html`<h2>Backups <small>${count(number ?? 0)}</small></h2>
<dl class="facts">
<dt>Newest</dt><dd>${newestAt === undefined ? 'none' : html`${moment(newestAt, now)}${newestBytes !== undefined && `, ${size(newestBytes)}`}`}</dd>
<dt>Proof</dt><dd>${proof(provedAt, proofOk, proofMs, now)}</dd>
${keptAside && html`<dt>Kept aside</dt><dd>${keptAside.what === 'rdb' ? 'a snapshot' : 'an append-only file'} of Redis, ${moment(keptAside.at, now)}: <code>${keptAside.path}</code></dd>`}
</dl>`
}

function proof(at: number | undefined, ok: boolean | undefined, took: number | undefined, now: number): Html {
  if (ok === false) return html`<b class="bad">failed</b>${at !== undefined && html`, ${moment(at, now)}`}`
  if (at === undefined)
    return html`<span class="warn">never: no backup has been booted to see that it holds what it should</span>`
  return html`${moment(at, now)}${took !== undefined && `: its keys were back after ${span(took)}`}`
}

/** What was lost, when and why, and how long it took to come back. */

import type { Board } from '../report/board.js'
import type { ClassLoss } from '../report/events.js'
import type { Healed, Incident, Recovered } from '../report/incidents.js'
import { type Html, html } from './html.js'
import { count, counted, moment, span } from './words.js'

/** How many losses are shown at once; older ones fold away. */
const SHOWN = 8

export function lossesPart({ incidents, losses }: Board, now: number): Html {
  if (incidents.length === 0) return html`<h2>Losses</h2><p class="nothing">None since Rekindle started.</p>`
  const newest = [...incidents].reverse()
  const older = newest.slice(SHOWN)
  return html`<h2>Losses <small>${count(losses)}</small></h2>
<ol class="losses">
${newest.slice(0, SHOWN).map((incident, i) => loss(incident, i === 0, now))}
</ol>
${
  older.length > 0 &&
  html`<details id="older"><summary>${count(older.length)} older</summary>
<ol class="losses">
${older.map((incident) => loss(incident, false, now))}
</ol></details>`
}`
}

function loss(incident: Incident, open: boolean, now: number): Html {
  const { id, cause, others, losses, at, keysLost, keysIncomplete, symbolsLost, healed } = incident
  const also = others.length > 0 && html` <small>${others.join(', ')}</small>`
  const often = losses > 1 && html` <b>${count(losses)} times</b>`
  return html`<li class="${healed ? 'over' : 'open'}"><details id="loss-${id}"${open && ' open'}>
<summary><span class="cause ${cause}">${cause}</span>${also}${often}
<span class="what">${counted(keysLost, 'key')}${keysIncomplete > 0 && ` and ${count(keysIncomplete)} incomplete`} of ${counted(symbolsLost, 'symbol')}</span>
<span class="when">${moment(at, now)}</span>
<span class="took">${healed ? ended(healed) : html`<b>healing</b>`}</span></summary>
${course(incident)}
${more(incident, now)}
</details></li>
`
}

/** Back, or only in part where PostgreSQL no longer wants the rest. */
function ended({ healMs, lost, unwanted }: Healed): Html {
  const back = unwanted > 0 ? `${count(lost - unwanted)} of ${counted(lost, 'key')} back` : 'back'
  return html`${back} after <b>${span(healMs)}</b>`
}

/** The time from the loss to its end, as a bar: until it was noticed, and from then on. */
function course({ detectMs, healed, symbolsBack, symbolsLost }: Incident): Html {
  if (!healed) {
    return html`<p class="course"><span>noticed after <b>${span(detectMs)}</b></span> <span>${count(symbolsBack)} of ${counted(symbolsLost, 'symbol')} back</span></p>`
  }
  const share = healed.healMs > 0 ? Math.min(100, Math.max(1, (100 * detectMs) / healed.healMs)) : 50
  return html`<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect class="blind" width="${share.toFixed(1)}" height="4"/><rect class="heal" x="${share.toFixed(1)}" width="${(100 - share).toFixed(1)}" height="4"/></svg>
<p class="course"><span>noticed after <b>${span(detectMs)}</b></span> <span>whole after <b>${span(healed.healMs)}</b></span></p>`
}

function more(incident: Incident, now: number): Html {
  const { evidence, healed, symbols, symbolsLost, classes, wholeAt, recovered } = incident
  const wholeTime = Date.parse(wholeAt ?? '')
  return html`<dl class="facts">
${evidence.length > 0 && html`<dt>Why</dt><dd>${evidence.join('; ')}</dd>`}
${!Number.isNaN(wholeTime) && html`<dt>Last whole</dt><dd>${moment(wholeTime, now)}</dd>`}
${symbols.length > 0 && html`<dt>Symbols</dt><dd>${names(symbols, symbolsLost)}</dd>`}
${healed && html`<dt>Written</dt><dd>${counted(healed.keys, 'key')}, ${counted(healed.samples, 'sample')}, ${counted(healed.fields, 'field')}</dd>`}
${healed && healed.unwanted > 0 && html`<dt>Not back</dt><dd>${counted(healed.unwanted, 'key')} that PostgreSQL no longer wants: ${healed.unwantedKeys.join(', ')}</dd>`}
${recovered && html`<dt>From a backup</dt><dd>${recovery(recovered, now)}</dd>`}
</dl>
${classes.length > 0 && html`<ul class="classes">${classes.map(classRow)}</ul>`}`
}

function names(symbols: readonly string[], all: number): Html {
  const rest = all - symbols.length
  return html`${symbols.map((symbol, i) => html`${i > 0 && ', '}<bdi>${symbol}</bdi>`)}${rest > 0 && ` and ${count(rest)} more`}`
}

function recovery(recovered: Recovered, now: number): Html {
  return 'keys' in recovered
    ? html`${counted(recovered.keys, 'key')} of ${recovered.file}, as of ${recovered.takenAt}, ${moment(recovered.at, now)}`
    : html`${recovered.failure} <span class="mend">${recovered.hint}</span>`
}

function classRow({ match, recovery: way, impact, keys_gone, keys_before, comes_back }: ClassLoss): Html {
  return html`<li class="${way ?? 'unknown'}"><code>${match ?? 'keys of no class'}</code> ${keys_gone === undefined ? 'an unknown part' : count(keys_gone)} of ${counted(keys_before, 'key')}${impact && `: ${impact}`} <small>${comes_back}</small></li>
`
}

/** Every symbol: is it whole, and when did a change last reach it. */

import type { Board, SymbolState } from '../report/board.js'
import { type Html, html } from './html.js'
import { count, isoTime, moment } from './words.js'

/** As many are shown by name; more become dots, and of those that are not whole so many are named. */
const NAMED = 400
const SPELT_OUT = 60
const LONGEST = 24

type Item = readonly [name: string, state: SymbolState]

export function symbolsPart({ symbols, total, lost }: Board, now: number): Html {
  const all = [...symbols].sort(([a], [b]) => (a < b ? -1 : 1))
  const unnamed = Math.max(0, (total ?? 0) - all.length)
  if (all.length === 0) {
    return html`<h2>Symbols ${total !== undefined && html`<small>${count(total)}</small>`}</h2><p class="nothing">Their names are not known yet.</p>`
  }
  return html`<h2>Symbols <small>${count(all.length)}</small></h2>
<p class="legend"><span class="dot f0"></span>changed within a minute <span class="dot f1"></span>an hour <span class="dot f2"></span>longer ago <span class="dot lost"></span>not whole</p>
${all.length <= NAMED ? named(all, now) : dots(all, lost, now)}
${unnamed > 0 && html`<p class="nothing">and ${count(unnamed)} that nothing was heard of yet</p>`}`
}

function named(all: readonly Item[], now: number): Html {
  return html`<ul class="symbols">
${all.map(
  ([
    name,
    state,
  ]) => html`<li class="${tone(state, now)}" title="${told(name, state)}"><bdi>${short(name)}</bdi><small>${state.ready ? moment(freshness(state), now) : 'not whole'}</small></li>
`,
)}</ul>`
}

function dots(all: readonly Item[], lost: ReadonlySet<string>, now: number): Html {
  const groups = new Map<string, Item[]>()
  for (const item of all) {
    const letter = [...item[0]][0]?.toUpperCase() ?? ''
    const group = groups.get(letter)
    if (group) group.push(item)
    else groups.set(letter, [item])
  }
  const names = [...lost].sort()
  return html`${
    names.length > 0 &&
    html`<p class="lost-names">Not whole: ${names.slice(0, SPELT_OUT).map((name) => html`<bdi>${short(name)}</bdi> `)}${names.length > SPELT_OUT && `and ${count(names.length - SPELT_OUT)} more`}</p>`
  }
<div class="groups">
${[...groups].map(
  ([
    letter,
    items,
  ]) => html`<div class="group"><h3><bdi>${letter}</bdi> <small>${count(items.length)}</small></h3><p>${items.map(([name, state]) => html`<i class="${tone(state, now)}" title="${told(name, state)}"></i>`)}</p></div>
`,
)}</div>`
}

/** When it last became what it is now: by a change, or by being healed. */
function freshness({ since, syncedAt }: SymbolState): number {
  return Math.max(since, syncedAt ?? 0)
}

function tone(state: SymbolState, now: number): string {
  if (!state.ready) return 'lost'
  const ms = now - freshness(state)
  return ms < 60_000 ? 'f0' : ms < 3_600_000 ? 'f1' : 'f2'
}

function told(name: string, state: SymbolState): string {
  const at = isoTime(freshness(state))
  return state.ready ? `${name}: whole, as of ${at}` : `${name}: not whole since ${at}`
}

function short(name: string): string {
  const letters = [...name]
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join('')}…` : name
}

/** The first thing one sees: is everything whole, and if not, what is being done. */

import type { Board } from '../report/board.js'
import type { Incident } from '../report/incidents.js'
import { quantile } from '../report/latencies.js'
import { readinessOf } from '../report/readiness.js'
import { type Html, html } from './html.js'
import { count, counted, moment, span } from './words.js'

export function statePart(board: Board, now: number): Html {
  const { tone, title, text } = headline(board, now)
  return html`<div class="hero ${tone}">
<h2>${title}</h2>
<p>${text}</p>
${progress(board)}
</div>
<dl class="figures">
${figure('Symbols whole', ...symbols(board))}
${figure('Last loss', ...lastLoss(board, now))}
${figure('Sync latency', ...latency(board))}
${figure('Newest backup', ...backup(board, now))}
</dl>`
}

interface Headline {
  readonly tone: 'good' | 'warn' | 'bad' | 'calm'
  readonly title: string
  readonly text: Html
}

function headline(board: Board, now: number): Headline {
  const { redis, postgres } = board
  const { code, reason } = readinessOf(board)
  const trouble = redis.trouble
  switch (code) {
    case 'ready':
      if (postgres.state === 'down') {
        return {
          tone: 'warn',
          title: 'Whole, but changes do not arrive',
          text: html`PostgreSQL went away ${moment(postgres.at, now)}: ${postgres.trouble?.reason}`,
        }
      }
      return { tone: 'good', title: 'Everything is whole', text: whole(board, now) }
    case 'data_loss': {
      const incident = board.incidents.findLast(({ id }) => id === board.open)
      return { tone: 'bad', title: 'Redis lost data; healing', text: incident ? lost(incident, now) : html`${reason}` }
    }
    case 'healing':
      return { tone: 'warn', title: 'Healing', text: html`${reason}` }
    case 'redis_down':
      return {
        tone: 'bad',
        title: 'Redis is down',
        text: html`It went away ${moment(redis.at, now)}. ${trouble?.reason}<br><span class="mend">${trouble?.hint}</span>`,
      }
    default:
      return { tone: 'calm', title: code === 'stopping' ? 'Stopping' : 'Looking', text: html`${reason}` }
  }
}

function whole(board: Board, now: number): Html {
  const what = [
    ...(board.total === undefined ? [] : [counted(board.total, 'symbol')]),
    ...(board.keys === undefined ? [] : [counted(board.keys, 'key')]),
  ].join(', ')
  if (board.open !== undefined) return html`${what}. Waiting for whether more is lost.`
  return board.losses === 0
    ? html`${what}. Nothing was lost since Rekindle started, ${moment(board.since, now)}.`
    : html`${what}. ${counted(board.losses, 'loss').replace(/losss$/, 'losses')} healed since Rekindle started, ${moment(board.since, now)}.`
}

function lost({ at, cause, keysLost, symbolsLost }: Incident, now: number): Html {
  return html`${counted(keysLost, 'key')} of ${counted(symbolsLost, 'symbol')} by <b>${cause}</b>, noticed ${moment(at, now)}.`
}

function progress({ incidents, open, back }: Board): Html | undefined {
  const incident = incidents.findLast(({ id }) => id === open)
  if (open === undefined || back || !incident || incident.symbolsLost === 0) return undefined
  const { symbolsBack, symbolsLost } = incident
  const text = `${count(symbolsBack)} of ${count(symbolsLost)} symbols are back`
  return html`<p class="progress"><progress max="${symbolsLost}" value="${symbolsBack}" aria-label="${text}"></progress> ${text}</p>`
}

type Figure = [value: Html | string, note: Html | string, tone?: 'good' | 'warn' | 'bad']

function figure(name: string, value: Html | string, note: Html | string, tone = ''): Html {
  return html`<div class="figure ${tone}"><dt>${name}</dt><dd><b>${value}</b><small>${note}</small></dd></div>`
}

function symbols({ total, symbols: known, lost: gone, settled, open, back: isBack }: Board): Figure {
  const all = total ?? (known.size > 0 ? known.size : undefined)
  if (all === undefined) return ['–', 'not known yet']
  if (!settled && gone.size >= known.size) return [html`– <i>of ${count(all)}</i>`, 'not looked at yet']
  const back = Math.max(0, all - gone.size)
  return [
    html`${count(back)} <i>of ${count(all)}</i>`,
    gone.size === 0
      ? open === undefined || isBack
        ? 'workers may read'
        : 'as far as is known'
      : `${count(gone.size)} not`,
    gone.size === 0 ? 'good' : 'bad',
  ]
}

function lastLoss({ incidents }: Board, now: number): Figure {
  const last = incidents.at(-1)
  if (!last) return ['none', 'since the start']
  const { healed, cause } = last
  if (!healed) return [moment(last.at, now), html`${cause}, healing`, 'bad']
  const isPart = healed.unwanted > 0
  const note = html`${cause}, ${isPart && 'in part '}back after <b>${span(healed.healMs)}</b>`
  return isPart ? [moment(last.at, now), note, 'warn'] : [moment(last.at, now), note]
}

function latency({ latencies }: Board): Figure {
  const [median, slow] = [quantile(latencies, 0.5), quantile(latencies, 0.99)]
  if (median === undefined || slow === undefined) return ['–', 'no change in the last hour']
  return [span(round(median)), html`median; 99 of 100 within ${span(round(slow))}`]
}

function backup({ backups }: Board, now: number): Figure {
  if (backups.newestAt === undefined) {
    return backups.count === 0 ? ['none', 'nothing to fall back on', 'warn'] : ['–', 'none was looked for yet']
  }
  const proof = backups.provedAt
  if (backups.proofOk === false) return [moment(backups.newestAt, now), 'the last proof failed', 'bad']
  return [moment(backups.newestAt, now), proof === undefined ? 'never proved' : html`proved ${moment(proof, now)}`]
}

function round(ms: number): number {
  return ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)
}

/** The status page: a still page that needs no script, out of parts that a script replaces one by one while things change. */

import { createHash } from 'node:crypto'
import type { Board } from '../report/board.js'
import { type Answer, answer } from './answer.js'
import { Html, html } from './html.js'
import { backupsPart } from './page-backups.js'
import { concernsPart } from './page-concerns.js'
import { logPart } from './page-log.js'
import { lossesPart } from './page-losses.js'
import { statePart } from './page-state.js'
import { symbolsPart } from './page-symbols.js'
import { syncPart } from './page-sync.js'
import { SCRIPT } from './script.js'
import { STYLE } from './style.js'
import { isoTime } from './words.js'

/** A part of the page: what the element of this id holds. */
export interface Fragment {
  readonly id: string
  readonly html: Html
}

type Render = (board: Board, now: number) => Html

const PARTS: Readonly<Record<string, Render>> = {
  state: statePart,
  concerns: concernsPart,
  losses: lossesPart,
  sync: syncPart,
  backups: backupsPart,
  symbols: symbolsPart,
  log: logPart,
}

/** All parts as they are at this moment, in epoch ms. */
export function fragmentsOf(board: Board, now: number): Fragment[] {
  return Object.entries(PARTS).map(([id, render]) => ({ id, html: shown(render, board, now) }))
}

/** A part that cannot be shown must take neither the others with it, nor the daemon. */
function shown(render: Render, board: Board, now: number): Html {
  try {
    return render(board, now)
  } catch (error) {
    return html`<p class="nothing">This cannot be shown: ${error instanceof Error ? error.message : String(error)}</p>`
  }
}

/** An ember. */
const LOGO = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="28" height="28" aria-hidden="true"><path fill="#e8590c" d="M13 2c1 4-4 5.500-5 9-.500-1-.800-2-.600-3C4.600 9.800 3.500 12 3.500 14.200 3.500 18.800 7.300 22 12 22s8.500-3.200 8.500-7.600C20.500 8.500 15.500 6.500 13 2z"/><path fill="#ffc078" d="M12.300 11c.3 2.200-2.800 3-2.800 5.900 0 1.900 1.200 3.100 2.700 3.100s2.800-1.200 2.800-3c0-2.500-2.400-3.400-2.700-6z"/></svg>`

const sources = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`
/** Only what stands in the page itself, word by word, and our own events. */
const POLICY = `style-src ${sources(STYLE)}; script-src ${sources(SCRIPT)}; img-src data:; connect-src 'self'`

/** The whole page. */
export function pageOf(board: Board, now: number): Answer {
  const { guards } = board
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Rekindle${guards && ` · ${guards.redis}`}</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(LOGO)}">
<style>${new Html(STYLE)}</style>
<noscript><meta http-equiv="refresh" content="15"></noscript>
</head>
<body>
<header>
<h1>${new Html(LOGO)}Rekindle</h1>
<p class="servers">${
    guards &&
    html`<span><b>Redis</b> <bdi>${guards.redis}</bdi></span> <span><b>PostgreSQL</b> <bdi>${guards.postgres}</bdi></span>`
  }</p>
<p id="live" class="live" role="status">as of <time datetime="${isoTime(now)}">${isoTime(now).slice(11, 19)} UTC</time></p>
</header>
<main>
${fragmentsOf(board, now).map(({ id, html: content }) => html`<section id="${id}">${content}</section>\n`)}</main>
<footer>Rekindle ${board.rekindle} · <a href="status.json">status.json</a> · <a href="metrics">metrics</a> · <a href="readyz">readyz</a></footer>
<script>${new Html(SCRIPT)}</script>
</body>
</html>
`
  return answer(200, 'text/html; charset=utf-8', page.text, [], POLICY)
}

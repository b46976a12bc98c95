import type { ServerResponse } from 'node:http'
import type { Board } from '../report/board.js'
import { headersOf } from './answer.js'
import type { Fragment } from './page.js'

/** How often those who watch are told, and how often if nothing happens, in ms. */
const TELL = 250
const TELL_ANYWAY = 10_000
/** What is large is told less often: at most every so many ms. */
const LARGE = 50_000
const TELL_LARGE = 2_000
/** Who has taken in nothing for this long, in ms, is hung up on. */
const PATIENCE = 10_000
const WATCHERS = 32

interface Watcher {
  readonly response: ServerResponse
  /** The newest version of each part that was sent. */
  readonly sent: Map<string, number>
  toldAt: number
  fullSince: number | undefined
}

interface Part {
  text: string
  version: number
  at: number
}

/**
 * Tells browsers how the page changes, as server-sent events. Everyone gets the newest version of what changed, never a backlog: who
 * reads slowly skips what lies between, and costs one version of the page at most.
 */
export class Stream {
  private readonly watchers = new Set<Watcher>()
  private readonly parts = new Map<string, Part>()
  private timer: NodeJS.Timeout | undefined
  private seen = -1
  private renderedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly board: Board,
    private readonly render: (now: number) => readonly Fragment[],
  ) {}

  /** Begins to tell one more; false if there are too many already. */
  add(response: ServerResponse): boolean {
    if (this.watchers.size >= WATCHERS) return false
    const watcher: Watcher = { response, sent: new Map(), toldAt: 0, fullSince: undefined }
    this.watchers.add(watcher)
    response.once('close', () => this.remove(watcher))
    response.writeHead(200, headersOf('text/event-stream'))
    response.write('retry: 2000\n\n')
    this.refresh()
    this.tell(watcher)
    this.timer ??= setInterval(() => this.tick(), TELL)
    return true
  }

  /** Ends all streams. */
  close(): void {
    for (const watcher of this.watchers) {
      watcher.response.destroy()
      this.remove(watcher)
    }
  }

  private remove(watcher: Watcher): void {
    this.watchers.delete(watcher)
    if (this.watchers.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  private tick(): void {
    this.refresh()
    for (const watcher of this.watchers) this.tell(watcher)
  }

  /** Renders anew if anything may have changed. */
  private refresh(): void {
    const now = performance.now()
    if (this.board.version === this.seen && now - this.renderedAt < TELL_ANYWAY) return
    this.seen = this.board.version
    this.renderedAt = now
    for (const { id, html } of this.render(Date.now())) {
      const part = this.parts.get(id)
      // Ages go on by themselves in the browser.
      const text = html.text.replace(/(<time[^>]*>)[^<]*/g, '$1')
      if (part?.text === text) continue
      if (part && text.length > LARGE && now - part.at < TELL_LARGE) {
        this.seen = -1
        continue
      }
      this.parts.set(id, { text, version: (part?.version ?? 0) + 1, at: now })
    }
  }

  private tell(watcher: Watcher): void {
    const { response, sent } = watcher
    if (response.writableNeedDrain) {
      watcher.fullSince ??= performance.now()
      if (performance.now() - watcher.fullSince > PATIENCE) response.destroy()
      return
    }
    watcher.fullSince = undefined
    const news = [...this.parts].filter(([id, { version }]) => sent.get(id) !== version)
    const now = performance.now()
    // Also without news: whoever hears nothing may as well be cut off.
    if (news.length === 0 && now - watcher.toldAt < TELL_ANYWAY) return
    watcher.toldAt = now
    for (const [id, { version }] of news) sent.set(id, version)
    const parts = Object.fromEntries(news.map(([id, { text }]) => [id, text]))
    response.write(`event: parts\ndata: ${JSON.stringify({ now: Date.now(), parts })}\n\n`)
  }
}

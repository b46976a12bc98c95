import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { troubleOf } from '../errors.js'
import type { Board } from '../report/board.js'
import { type Readiness, readinessOf, readinessOfSymbol } from '../report/readiness.js'
import type { Address } from './address.js'
import { type Answer, answer, atMostEvery, jsonAnswer, refusal, send } from './answer.js'
import type { Pulse } from './health.js'
import { hostCheck } from './hosts.js'
import { pageOf } from './page.js'
import { degradedParts, statusOf } from './status.js'
import type { Stream } from './stream.js'

/** How long what is dear to make may be shown again, in ms. */
const FRESH = 250
/** How many symbols of those that are not whole are named. */
const NAMES = 10

export interface Sources {
  readonly board: Board
  readonly pulse: Pulse
  readonly stream: Stream
  readonly metrics: { readonly contentType: string; text(): Promise<string> }
}

const WRONG_METHOD = refusal(405, 'only GET and HEAD are answered', ['Allow', 'GET, HEAD', 'Connection', 'close'])
const WRONG_HOST = refusal(
  421,
  'the Host header names another site; ask 127.0.0.1 or localhost, and let a proxy do so, too',
)
const NO_SUCH_PAGE = refusal(
  404,
  'there is /, /healthz, /readyz, /readyz?symbol=NAME, /readyz?verbose, /metrics, /status.json and /events',
)
const EVENTS = answer(200, 'text/event-stream', '')
const TOO_MANY = refusal(503, 'too many watch already', ['Retry-After', '10'])

/** Answers requests to `address`. What everyone is told alike is made once for all of them. */
export function routes(address: Address, { board, pulse, stream, metrics }: Sources): RequestListener {
  const isOurHost = hostCheck(address)
  const page = atMostEvery(FRESH, () => pageOf(board, Date.now()))
  const status = atMostEvery(FRESH, () => jsonAnswer(200, statusOf(board)))
  const healthz = atMostEvery(FRESH, () => {
    const health = pulse.health()
    return jsonAnswer(health.alive ? 200 : 503, health)
  })
  const scrape = atMostEvery(FRESH, () =>
    metrics.text().then(
      (text) => answer(200, metrics.contentType, text),
      (error: unknown) => refusal(500, `the metrics could not be gathered: ${troubleOf(error).message}`),
    ),
  )
  const readyz = ofEachVersion(board, () => ({}))
  const verbose = ofEachVersion(board, () => ({ change_sources: board.sources, degraded: degradedParts(board) }))
  const made = (path: string, query: string): Answer | Promise<Answer> => {
    switch (path) {
      case '/readyz':
        return query === '' ? readyz() : query === 'verbose' ? verbose() : ofSymbols(board, query)
      case '/healthz':
        return healthz()
      case '/metrics':
        return scrape()
      case '/status.json':
        return status()
      case '/':
        return page()
      case '/events':
        return EVENTS
      default:
        return NO_SUCH_PAGE
    }
  }
  const answerTo = ({ headers, method, url = '/' }: IncomingMessage, response: ServerResponse) => {
    if (!isOurHost(headers.host)) return WRONG_HOST
    if (method !== 'GET' && method !== 'HEAD') return WRONG_METHOD
    const [path, query] = splitOnce(url, '?')
    if (path === '/events' && method === 'GET') return stream.add(response) ? undefined : TOO_MANY
    return made(path, query)
  }
  return (request, response) => {
    // A client that goes away in the middle is no trouble of ours.
    response.on('error', () => undefined)
    const reply = (answer: Answer | undefined): void => {
      if (answer) send(request, response, answer)
    }
    // Whoever asked is told; what is guarded goes on.
    const fail = (error: unknown): void => {
      if (response.headersSent) response.destroy()
      else reply(refusal(500, `this cannot be told; please report it: ${troubleOf(error).message}`))
    }
    try {
      const answer = answerTo(request, response)
      if (answer instanceof Promise) answer.then(reply).catch(fail)
      else reply(answer)
    } catch (error) {
      fail(error)
    }
  }
}

function splitOnce(text: string, mark: string): [before: string, after: string] {
  const at = text.indexOf(mark)
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** The readiness of everything, made once for each change of the board: it is asked for the most. */
function ofEachVersion(board: Board, more: () => object): () => Answer {
  let made: { version: number; answer: Answer } | undefined
  return () => {
    if (made?.version !== board.version) {
      const readiness = readinessOf(board)
      const lost = [...take(board.lost, NAMES)]
      made = {
        version: board.version,
        answer: readyAnswer(readiness, {
          symbols: board.total,
          not_ready: board.lost.size,
          first_not_ready: lost,
          ...more(),
        }),
      }
    }
    return made.answer
  }
}

function* take<Item>(items: Iterable<Item>, most: number): Iterable<Item> {
  let left = most
  for (const item of items) {
    if (left-- <= 0) return
    yield item
  }
}

/** `symbol=A&symbol=B`: ready if all of them are. */
function ofSymbols(board: Board, query: string): Answer {
  const params = new URLSearchParams(query)
  const stranger = [...params.keys()].find((name) => name !== 'symbol')
  if (stranger !== undefined)
    return refusal(400, `unknown parameter ${JSON.stringify(stranger.slice(0, 100))}; it should be symbol`)
  const answers = params.getAll('symbol').map((symbol) => ({ symbol, ...readinessOfSymbol(board, symbol) }))
  const worst =
    answers.find(({ code }) => code === 'unknown_symbol') ?? answers.find(({ ready }) => !ready) ?? answers[0]
  return worst ? readyAnswer(worst) : refusal(400, 'symbol is missing')
}

function readyAnswer(readiness: Readiness, more: object = {}): Answer {
  const status = readiness.ready ? 200 : readiness.code === 'unknown_symbol' ? 404 : 503
  return jsonAnswer(status, { ...readiness, ...more })
}

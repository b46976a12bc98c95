import type { IncomingMessage, ServerResponse } from 'node:http'

/** A whole answer, ready to be written: the same for everyone who asks. */
export interface Answer {
  readonly status: number
  /** Names and values in turn. */
  readonly headers: string[]
  readonly body: Buffer
}

/** What every answer says to browsers: nothing here is anybody else's, to be kept, guessed at, framed or sent on. */
const ALWAYS = [
  'Cache-Control',
  'no-store',
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
  'X-Frame-Options',
  'DENY',
  'Cross-Origin-Resource-Policy',
  'same-origin',
]

/** All that a page may do that does not say otherwise. */
const NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

/** The headers of an answer of this type; `policy` adds what its content may do. */
export function headersOf(type: string, policy = ''): string[] {
  return ['Content-Type', type, 'Content-Security-Policy', policy ? `${NOTHING}; ${policy}` : NOTHING, ...ALWAYS]
}

/** Makes an answer out of text; `policy` is what its content may do. */
export function answer(
  status: number,
  type: string,
  text: string,
  more: readonly string[] = [],
  policy?: string,
): Answer {
  const body = Buffer.from(text)
  return { status, headers: [...headersOf(type, policy), ...more, 'Content-Length', String(body.length)], body }
}

/** Makes an answer out of an object. */
export function jsonAnswer(status: number, value: object, more: readonly string[] = []): Answer {
  return answer(status, 'application/json', `${JSON.stringify(value)}\n`, more)
}

/** An answer that says what is wrong with the request. */
export function refusal(status: number, error: string, more: readonly string[] = []): Answer {
  return jsonAnswer(status, { error }, more)
}

/** Writes an answer; to HEAD without its body. */
export function send(request: IncomingMessage, response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, headers)
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Makes something anew at most once in `period` ms, however often it is asked for. */
export function atMostEvery<Value>(period: number, make: () => Value): () => Value {
  let made: { value: Value; at: number } | undefined
  return () => {
    const now = performance.now()
    if (!made || now - made.at >= period) made = { value: make(), at: now }
    return made.value
  }
}

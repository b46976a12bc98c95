import { redactUrl } from './config/redact.js'

/** Shorter secrets are hidden only where they stand as one: `a` as a password must not turn every line into stars. */
const SHORTEST = 5

/** What some use as a password although everybody says it all the time. */
const WORDS: ReadonlySet<string> = new Set(['rekindle', 'redis', 'postgres', 'postgresql', 'default'])

type Write = NodeJS.WriteStream['write']

/** The secrets of this process, longest first, each as the pattern that finds it. */
let secrets: readonly { readonly text: string; readonly pattern: RegExp }[] = []

/** From now on none of these texts reaches stdout or stderr, in whatever shape: as it is, in JSON, or escaped as in a URL. */
export function keepSecret(texts: Iterable<string>): void {
  const all = new Set(secrets.map(({ text }) => text))
  for (const text of texts) {
    if (text === '' || WORDS.has(text)) continue
    for (const shape of [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), encodeURI(text)])
      all.add(shape)
  }
  secrets = [...all].sort((a, b) => b.length - a.length).map((text) => ({ text, pattern: patternOf(text) }))
}

/** The text with no secret in it. */
function masked(text: string): string {
  return secrets.reduce(
    (rest, { text: secret, pattern }) => (rest.includes(secret) ? rest.replace(pattern, '***') : rest),
    text,
  )
}

function patternOf(secret: string): RegExp {
  const text = secret.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  const stands = secret.length < SHORTEST || /^\d+$/.test(secret)
  return new RegExp(stands ? `(?<=[:="'/])${text}(?=@)|(?<=[="'])${text}(?=["'&\\s]|$)` : text, 'g')
}

/**
 * Has all that this process writes to stdout and stderr pass through here, whoever writes it: a log line, an answer, a warning of a
 * library or of Node. An error that nobody caught ends the process with one line, and status 1.
 */
export function guardOutput(onCrash: (error: unknown) => number): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream) as (...args: unknown[]) => boolean
    // Answers and log lines have been searched for passwords of URLs piece by piece, and may be JSON or SQL; libraries write to stderr.
    const hide = stream === process.stderr ? (text: string) => redactUrl(masked(text)) : masked
    stream.write = ((chunk: unknown, ...rest: unknown[]) =>
      write(typeof chunk === 'string' ? hide(chunk) : chunk, ...rest)) as Write
  }
  // Node would print warnings, and the stack of what nobody caught, past the streams.
  process.removeAllListeners('warning')
  process.on('warning', ({ name, message }) => process.stderr.write(`rekindle: ${name}: ${oneLine(message)}\n`))
  for (const event of ['uncaughtException', 'unhandledRejection'])
    process.on(event, (error: unknown) => process.exit(onCrash(error)))
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ')
}

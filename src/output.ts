import { isUtf8 } from 'node:buffer'
import { redactUrl } from './config/redact.js'

/** Shorter secrets are hidden only where they stand as one: `a` as a password must not turn every line into stars. */
const SHORTEST = 5

/** What some use as a password although everybody says it all the time. */
const WORDS: ReadonlySet<string> = new Set(['rekindle', 'redis', 'postgres', 'postgresql', 'default'])

type Write = NodeJS.WriteStream['write']

/** The secrets of this process, longest first, each as the pattern that finds it. */
let secrets: readonly { readonly text: string; readonly pattern: RegExp }[] = []

/** From now on none of these texts reaches stdout or stderr, in whatever shape: as it is, in JSON, or escaped as in a URL, or both. */
export function keepSecret(texts: Iterable<string>): void {
  const all = new Set(secrets.map(({ text }) => text))
  for (const text of texts) {
    if (text !== '' && !WORDS.has(text)) all.add(text)
  }
  secrets = [...all].sort((a, b) => b.length - a.length).map((text) => ({ text, pattern: patternOf(text) }))
}

/** The text with no secret in it. */
function masked(text: string): string {
  return secrets.reduce((rest, { pattern }) => rest.replace(pattern, '***'), text)
}

function patternOf(secret: string): RegExp {
  const text = [...secret].map(shapesOf).join('')
  const stands = secret.length < SHORTEST || /^\d+$/.test(secret)
  return new RegExp(stands ? `(?<=[:="'/])${text}(?=@)|(?<=[="'])${text}(?=["'&\\s]|$)` : text, 'g')
}

/** How one character may be written: as it is, in JSON once or more often, and in URLs, where each may be escaped, also twice. */
function shapesOf(char: string): string {
  const plain = char.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
  const escaped = char === '\\' ? '\\\\+' : /["'/]/.test(char) ? `\\\\*${plain}` : plain
  const bytes = [...Buffer.from(char)].map((byte) => `%(?:25)*${anyCase(byte.toString(16).padStart(2, '0'))}`)
  const units = Array.from({ length: char.length }, (_, i) => char.charCodeAt(i).toString(16).padStart(4, '0'))
  const shapes = [escaped, bytes.join(''), units.map((unit) => `\\\\+u${anyCase(unit)}`).join('')]
  // Forms write a space in this way.
  return `(?:${[...shapes, ...(char === ' ' ? ['\\+'] : [])].join('|')})`
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`)
}

/** Bytes that are no text are searched for what is written in ASCII. */
function hideInBytes(bytes: Uint8Array, hide: (text: string) => string): Uint8Array {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const encoding = isUtf8(buffer) ? 'utf8' : 'latin1'
  const text = buffer.toString(encoding)
  const hidden = hide(text)
  return hidden === text ? bytes : Buffer.from(hidden, encoding)
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
    stream.write = ((chunk: string | Uint8Array, ...rest: unknown[]) =>
      write(typeof chunk === 'string' ? hide(chunk) : hideInBytes(chunk, hide), ...rest)) as Write
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

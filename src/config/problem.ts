/** One line for one mistake: `<file or variable>: <key>: <value> <what is wrong>; <what it should be>`. */

import { ConfigError } from '../errors.js'
import { redactAddress, redactUrl } from './redact.js'

/** How much of a value or of a name is shown, in letters. */
const LONGEST = 100

/** The error for a value; `problem` reads `<what is wrong>; <what it should be>`. Passwords in it are hidden. A value that is undefined is missing. */
export function wrongValue(source: string, path: readonly string[], value: unknown, problem: string): ConfigError {
  // What is not there has no value to show.
  const [, advice] = value === undefined ? (/; (.*)$/s.exec(problem) ?? []) : []
  if (advice !== undefined) return configError(source, `${dotted(path)} is missing; ${advice}`)
  // The path of a webhook's URL is all that keeps others from posting there.
  const key = path.join('.')
  const isHidden =
    (typeof value !== 'object' && /^alerts(\.webhook(\.(url|secret))?)?$/.test(key)) ||
    (key === 'http.listen' && String(value).includes('@'))
  const isAddress = /^(redis|postgres)(\.(listen_)?url)?$/.test(key)
  // A file that is one text may be a password that was meant for another.
  const isAlone = path.length === 0 && typeof value !== 'object'
  const shown = isAlone ? `a ${typeof value}` : isHidden ? '***' : showValue(value, isAddress)
  return configError(source, ...(path.length > 0 ? [dotted(path)] : []), `${shown} ${problem}`)
}

/** The error whose message is these parts, joined by colons into one line without a password. */
export function configError(...parts: string[]): ConfigError {
  const line = redactUrl(parts.join(': '))
  // Invisible marks can hide or turn round what follows them.
  return new ConfigError(line.replace(/[\s\p{Cc}\p{Cf}]+/gu, ' '))
}

/** A key as one writes it in a sentence: `candles.keys.close`. */
export function dotted(path: readonly string[]): string {
  return path
    .map(shorten)
    .map((name) => (/^[^\s.:"\p{C}]+$/u.test(name) ? name : JSON.stringify(name)))
    .join('.')
}

function showValue(value: unknown, secret: boolean): string {
  if (Array.isArray(value)) return value.length > 0 ? 'a list' : '[]'
  if (typeof value === 'object' && value !== null) return Object.keys(value).length > 0 ? 'a mapping' : '{}'
  // A password in place of an address may be all digits.
  if (secret && typeof value === 'number') return 'a number'
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(shorten(secret ? redactAddress(value) : redactUrl(value)))
}

function shorten(text: string): string {
  const letters = [...text]
  return letters.length > LONGEST ? `${letters.slice(0, LONGEST).join('')}…` : text
}

import { type DestinationStream, type Logger, pino } from 'pino'
import { redactUrl } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import type { Emit } from './events.js'
import { levelOf, sentence } from './sentences.js'

/** Opens the log: one JSON object a line on `destination`, stdout by default. No line ever holds the password of a configured URL. */
export function openLog(
  level: Config['log']['level'],
  // Pino's own would write past the place where secrets are kept back.
  destination: DestinationStream = process.stdout,
): { logger: Logger; emit: Emit } {
  const logger = pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return { logger, emit: (event) => logger[levelOf(event)](redactValues(event), redactUrl(sentence(event))) }
}

/** The same event with no password in any of its texts, however deep. Done before a line is made of it, so that it stays JSON. */
export function redactValues<T>(value: T): T
export function redactValues(value: unknown): unknown {
  if (typeof value === 'string') return redactUrl(value)
  if (Array.isArray(value)) return value.map(redactValues)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, redactValues(each)]))
}

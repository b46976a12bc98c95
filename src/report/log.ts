import { type DestinationStream, type Level, type Logger, pino } from 'pino'
import { redactUrl } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import type { Emit, LogEvent } from './events.js'

const LEVELS: Readonly<Record<LogEvent['event'], Level>> = {
  starting: 'info',
  watching: 'info',
  redis_down: 'error',
  redis_up: 'info',
  postgres_down: 'error',
  postgres_up: 'info',
  suspicion: 'debug',
  data_loss: 'error',
  symbol_healed: 'debug',
  healed: 'info',
  drift: 'warn',
  sync: 'debug',
  gap: 'warn',
  symbols: 'info',
  degraded: 'warn',
  recovered: 'info',
  foreign_notifications: 'warn',
  left_out: 'warn',
  stopping: 'info',
}

/** One sentence for a person beside the fields for a machine. */
function sentence(event: LogEvent): string {
  switch (event.event) {
    case 'starting':
      return `Rekindle ${event.version} guards Redis ${event.redis} from PostgreSQL ${event.postgres}`
    case 'watching':
      return `${event.symbols} symbols are whole (${event.keys} keys); watching`
    case 'redis_down':
    case 'postgres_down':
      return `${event.reason}: ${event.hint}`
    case 'redis_up':
      return event.previous_run_id === undefined || event.previous_run_id === event.run_id
        ? 'Redis answers'
        : 'Redis answers, and it is another process than before'
    case 'postgres_up':
      return 'PostgreSQL answers'
    case 'suspicion':
      return 'Redis may have lost data; looking'
    case 'data_loss':
      return `Redis lost data (${event.cause}): ${event.keys_lost} keys of ${event.symbols_lost} symbols; healing`
    case 'symbol_healed':
      return `${event.symbol} is whole again`
    case 'healed':
      return `Redis is whole again after ${event.time_to_heal_ms} ms`
    case 'drift':
      return `${event.keys_drifted} keys of ${event.dataset} differ from PostgreSQL; mending`
    case 'sync':
      return `${event.symbol} follows a change in PostgreSQL`
    case 'gap':
      return `${event.reason}; catching up`
    case 'symbols':
      return `${event.total} symbols are enabled, ${event.added.length} new, ${event.removed.length} gone`
    case 'degraded':
      return `${event.reason}: ${event.hint}`
    case 'recovered':
      return `${event.what} works again`
    case 'foreign_notifications':
      return `${event.count} notifications on our channel are not ours; ignored`
    case 'left_out':
      return `${event.values} values of ${event.dataset} are NULL, NaN or infinite; left out`
    case 'stopping':
      return `${event.signal}: stopping`
  }
}

/** Opens the log: one JSON object a line on `destination`, stdout by default. No line ever holds the password of a configured URL. */
export function openLog(
  level: Config['log']['level'],
  destination?: DestinationStream,
): { logger: Logger; emit: Emit } {
  const logger = pino(
    {
      level,
      base: {},
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    ...(destination ? [destination] : []),
  )
  return { logger, emit: (event) => logger[LEVELS[event.event]](redactValues(event), redactUrl(sentence(event))) }
}

/** The same event with no password in any of its texts, however deep. Done before a line is made of it, so that it stays JSON. */
function redactValues<T>(value: T): T
function redactValues(value: unknown): unknown {
  if (typeof value === 'string') return redactUrl(value)
  if (Array.isArray(value)) return value.map(redactValues)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, redactValues(each)]))
}

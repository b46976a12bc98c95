import type { Level } from 'pino'
import { saySources } from '../decide/change-sources.js'
import type { LogEvent } from './events.js'

/** How loud each event is. */
export const LEVELS: Readonly<Record<LogEvent['event'], Level>> = {
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
  change_sources: 'info',
  symbols: 'info',
  degraded: 'warn',
  recovered: 'info',
  foreign_notifications: 'warn',
  left_out: 'warn',
  symbol_ready: 'debug',
  symbol_lost: 'debug',
  surveyed: 'debug',
  counted: 'debug',
  backups_seen: 'debug',
  reloaded: 'info',
  reload_failed: 'error',
  persistence_risk: 'warn',
  persistence_ok: 'info',
  backup: 'info',
  backup_failed: 'error',
  drill: 'info',
  kept_aside: 'info',
  keys_recovered: 'warn',
  recover_failed: 'error',
  stopping: 'info',
}

/** One sentence for a person beside the fields for a machine. */
export function sentence(event: LogEvent): string {
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
    case 'change_sources':
      return `Changes are found ${saySources(event.tables)}`
    case 'symbols':
      return `${event.total} symbols are enabled${named('new', event.added)}${named('gone', event.removed)}`
    case 'degraded':
      return `${event.reason}: ${event.hint}`
    case 'recovered':
      return `${event.what} works again`
    case 'foreign_notifications':
      return `${event.count} notifications on our channel are not ours; ignored`
    case 'left_out':
      return `${event.values} values of ${event.dataset} are NULL, NaN or infinite; left out`
    case 'symbol_ready':
      return `${event.symbol} is whole`
    case 'symbol_lost':
      return `${event.symbol} is not whole`
    case 'surveyed':
      return `Looked at ${event.symbols} symbols: ${event.lacks} keys lack something`
    case 'counted':
      return `Redis holds ${event.keys} keys`
    case 'backups_seen':
      return event.newest_taken_at === undefined
        ? 'There is no backup'
        : `The newest backup is of ${event.newest_taken_at}`
    case 'reloaded':
      return event.changed.length > 0
        ? `Configuration reloaded: ${event.changed.join(', ')}`
        : 'Configuration reloaded: nothing changed'
    case 'reload_failed':
      return `${event.reason}; the configuration from before goes on`
    case 'persistence_risk':
    case 'backup_failed':
    case 'recover_failed':
      return `${event.reason}: ${event.hint}`
    case 'persistence_ok':
      return `${event.finding} is over`
    case 'backup':
      return `Backed up to ${event.file} in ${event.took_ms} ms`
    case 'drill':
      return `${event.file} is proved: ${event.keys} keys were back after ${event.took_ms} ms`
    case 'kept_aside':
      return `Kept ${event.what === 'rdb' ? 'a snapshot' : 'the append-only file'} of Redis aside as ${event.path}`
    case 'keys_recovered':
      return `${event.keys} lost keys are back from ${event.file}, as of ${event.taken_at}`
    case 'stopping':
      return `${event.signal}: stopping`
  }
}

/** The event holds the first few names only, so that their number says nothing. */
function named(what: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  return `; ${what}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`
}

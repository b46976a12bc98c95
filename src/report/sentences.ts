import type { Level } from 'pino'
import { saySources } from '../decide/change-sources.js'
import type { LogEvent } from './events.js'

/** How loud each event is, unless it says otherwise of itself: see {@link levelOf}. */
export const LEVELS: Readonly<Record<LogEvent['event'], Level>> = {
  starting: 'info',
  watching: 'info',
  redis_down: 'error',
  redis_up: 'info',
  postgres_down: 'error',
  postgres_up: 'info',
  postgres_changed: 'warn',
  suspicion: 'debug',
  data_loss: 'error',
  loss_joined: 'debug',
  data_loss_continues: 'error',
  all_back: 'debug',
  symbol_healed: 'debug',
  healed: 'info',
  drift: 'warn',
  unwanted: 'debug',
  sync: 'debug',
  gap: 'warn',
  change_sources: 'info',
  wal_opened: 'info',
  wal_slot: 'debug',
  wal_closed: 'debug',
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

/** How loud this one is: one of many in a short time is not, and what did not come back is louder than what did. */
export function levelOf(event: LogEvent): Level {
  if ('repeated' in event && event.repeated) return 'debug'
  if (event.event === 'postgres_changed' && event.change === 'promoted') return 'info'
  if (event.event === 'unwanted' && isMuch(event)) return 'warn'
  return event.event === 'healed' && !isWhole(event) ? 'warn' : LEVELS[event.event]
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
    case 'degraded':
      return `${event.reason}: ${event.hint}${oftenSaid(event)}`
    case 'redis_up': {
      const { previous_run_id: previous, run_id } = event
      const isOther = previous !== undefined && previous !== run_id && event.stable_for_ms === undefined
      return `Redis answers${isOther ? ', and it is another process than before' : ''}${stableSaid(event)}`
    }
    case 'postgres_up':
      return `PostgreSQL answers${stableSaid(event)}`
    case 'postgres_changed':
      return changedSaid(event)
    case 'suspicion':
      return 'Redis may have lost data; looking'
    case 'data_loss':
      return `Redis lost data${event.reopened ? ' again' : ''} (${event.cause}): ${event.keys_lost} keys of ${event.symbols_lost} symbols; healing`
    case 'loss_joined':
      return `Redis lost ${event.keys_lost} keys more (${event.cause})`
    case 'data_loss_continues':
      return `Redis goes on losing data (${event.causes.join(', ')}): ${event.losses} times in ${seconds(event.for_ms)}, ${event.keys_lost} keys of ${event.symbols_lost} symbols; healing`
    case 'all_back':
      return `Everything is back; waiting ${event.hold_ms} ms for whether more is lost`
    case 'symbol_healed':
      return `${event.symbol} is whole again`
    case 'healed':
      return healedSaid(event)
    case 'drift':
      return `${event.keys_drifted} keys of ${event.dataset} differ from PostgreSQL; mending`
    case 'unwanted':
      return `PostgreSQL no longer wants ${event.keys_unwanted} of the ${event.keys_unwanted + event.keys_left} keys of ${event.dataset}, ${event.unwanted_keys[0]} for one; they stay in Redis, and will not come back if it loses them`
    case 'sync':
      return `${event.symbol} follows a change in PostgreSQL`
    case 'gap':
      return `${event.reason}; catching up`
    case 'change_sources':
      return `Changes are found ${saySources(event.tables)}`
    case 'wal_opened':
      return `Reads the WAL through the slot ${event.slot}, by ${event.plugin}${event.publication === undefined ? '' : ` of the publication ${event.publication}`}`
    case 'wal_slot':
      return `${event.slot} is ${event.lag_bytes} bytes behind`
    case 'wal_closed':
      return `${event.slot} is gone`
    case 'symbols':
      return `${event.total} symbols are enabled${named('new', event.added)}${named('gone', event.removed)}`
    case 'recovered':
      return `${event.what} works again${stableSaid(event)}`
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
      return `${event.keys} lost keys are back from ${event.file}, as of ${event.taken_at}${overSaid(event)}`
    case 'stopping':
      return `${event.signal}: stopping`
  }
}

function overSaid({ passed_over: over = [] }: Extract<LogEvent, { event: 'keys_recovered' }>): string {
  return over.length > 0 ? `; newer, but not to be had: ${over.join('; ')}` : ''
}

function changedSaid({ change, ...event }: Extract<LogEvent, { event: 'postgres_changed' }>): string {
  if (change === 'promoted')
    return `PostgreSQL was promoted: timeline ${event.timeline} after ${event.previous_timeline}`
  const what = {
    system: `is another server than before (system identifier ${event.system} after ${event.previous_system})`,
    database: 'holds another database of this name than before',
    timeline: `was promoted or restored (timeline ${event.timeline} after ${event.previous_timeline}): what was committed last may be gone`,
    rewound: `has gone back by ${event.behind_bytes} bytes of WAL: what was committed last is gone`,
  }[change]
  return `PostgreSQL ${what}; Redis is made equal to what it holds now, also where that is older`
}

/** The event holds the first few names only, so that their number says nothing. */
function named(what: string, names: readonly string[]): string {
  if (names.length === 0) return ''
  return `; ${what}: ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`
}

/** Rows come and go; a table that was emptied is another thing. */
function isMuch({ keys_unwanted: gone, keys_left: left }: Extract<LogEvent, { event: 'unwanted' }>): boolean {
  return left === 0 || (gone >= 10 && gone >= left / 9)
}

type Healed = Extract<LogEvent, { event: 'healed' }>

/** True if all that was lost is back, and everything could be seen. */
export function isWhole({ keys_unwanted, unseen }: Pick<Healed, 'keys_unwanted' | 'unseen'>): boolean {
  return keys_unwanted === 0 && unseen.length === 0
}

/** What came back, and what did not since PostgreSQL does not hold it any more: that is not whole as it was. */
function healedSaid(event: Healed): string {
  const { keys_lost, keys_back, keys_unwanted, unwanted, unwanted_keys, unseen, losses, time_to_heal_ms } = event
  const often = losses > 1 ? `, in which it lost data ${losses} times` : ''
  if (isWhole(event)) return `Redis is whole again after ${time_to_heal_ms} ms${often}`
  const came = `${keys_back} of ${keys_lost} lost keys came back after ${time_to_heal_ms} ms${often}`
  const blind = unseen.length === 0 ? '' : `; ${unseen.join(', ')} could not be looked at`
  if (keys_unwanted === 0) return came + blind
  const [first] = unwanted_keys
  const datasets = Object.entries(unwanted).map(([dataset, keys]) => `${keys} of ${dataset}`)
  return `${came}; PostgreSQL no longer wants ${keys_unwanted} (${datasets.join(', ')}), ${first} for one${blind}`
}

function oftenSaid({ times, within_ms = 0 }: { times?: number; within_ms?: number }): string {
  return times === undefined ? '' : ` (${times} times in ${seconds(within_ms)})`
}

function stableSaid(event: { times?: number; within_ms?: number; stable_for_ms?: number }): string {
  const { stable_for_ms: stable, times = 1, within_ms = 0 } = event
  return stable === undefined
    ? ''
    : `, for ${seconds(stable)} now; it went away ${times} times in ${seconds(within_ms)}`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`
}

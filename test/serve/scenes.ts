import { blankBoard } from '../../src/report/board.js'
import type { LogEvent } from '../../src/report/events.js'
import { note } from '../../src/report/note.js'

type EventOf<Name extends LogEvent['event']> = Extract<LogEvent, { event: Name }>

/** An event of each name as the daemon could emit it, to be changed where it matters. */
export const EVENTS: { readonly [Name in LogEvent['event']]?: EventOf<Name> } = {
  starting: {
    event: 'starting',
    version: '1.2.3',
    redis: '127.0.0.1:6379/0',
    postgres: 'db:5432/market',
    layout: 'sortedset',
    datasets: ['candles.m1', 'indicators'],
  },
  wal_opened: { event: 'wal_opened', slot: 'rekindle_1_a', plugin: 'test_decoding', publication: undefined },
  wal_slot: { event: 'wal_slot', slot: 'rekindle_1_a', lag_bytes: 120, held_bytes: 4_096, age_ms: 1_000 },
  wal_closed: { event: 'wal_closed', slot: 'rekindle_1_a', read_for_ms: 2_000 },
  redis_up: { event: 'redis_up', run_id: 'a1', previous_run_id: undefined, version: '8.0.6', down_for_ms: 0 },
  redis_down: { event: 'redis_down', code: 'redis_unreachable', reason: 'gone', hint: 'start it', down_for_ms: 0 },
  watching: { event: 'watching', run_id: 'a1', symbols: 3, keys: 54 },
  data_loss: {
    event: 'data_loss',
    incident: 1,
    cause: 'flush',
    causes: ['flush'],
    reopened: false,
    run_id: 'a1',
    previous_run_id: 'a1',
    keys_lost: 54,
    keys_incomplete: { hole: 2 },
    symbols_lost: 3,
    symbols: ['ADA', 'BTC', 'ETH'],
    last_seen_whole_at: '2026-11-20T08:00:00.000Z',
    time_to_detect_ms: 4,
    classes: [],
    evidence: { flushall_calls: 1, client: { addr: '10.0.0.7:5123', name: 'cron', user: 'default', cmd: 'flushall' } },
  },
  healed: {
    event: 'healed',
    incident: 1,
    supersedes: [],
    cause: 'flush',
    causes: ['flush'],
    losses: 1,
    keys_lost: 54,
    keys_back: 54,
    keys_expired: 0,
    keys_unwanted: 0,
    unseen: [],
    unwanted: {},
    unwanted_keys: [],
    time_to_detect_ms: 4,
    time_to_heal_ms: 312,
    keys: 54,
    samples: 1_350,
    fields: 24,
    symbols: 3,
    left_out: 0,
    superseded: 1,
  },
  loss_joined: {
    event: 'loss_joined',
    incident: 1,
    cause: 'flush',
    keys_lost: 18,
    keys_incomplete: {},
    symbols_lost: 3,
    symbols_lacking: 1,
    time_to_detect_ms: 3,
    classes: [],
  },
  data_loss_continues: {
    event: 'data_loss_continues',
    incident: 1,
    cause: 'flush',
    causes: ['flush', 'restart'],
    losses: 112,
    for_ms: 5_000,
    keys_lost: 54,
    keys_back: 30,
    symbols_lost: 3,
    symbols: ['ADA', 'BTC', 'ETH'],
    datasets: ['candles.m1'],
    classes: [],
  },
  sync: { event: 'sync', symbol: 'BTC', dataset: 'candles.m1', samples: 5, fields: 0, latency_ms: 3 },
  persistence_risk: {
    event: 'persistence_risk',
    finding: 'aof_off',
    severity: 'risk',
    reason: 'the append-only file is off',
    hint: 'CONFIG SET appendonly yes',
  },
  backup_failed: { event: 'backup_failed', stage: 'take', code: 'no_space', reason: 'disk full', hint: 'make room' },
  surveyed: { event: 'surveyed', symbols: 'all', lacks: 3, took_ms: 12 },
}

/** The example of this name, with some fields of it changed. */
export function event<Name extends LogEvent['event']>(name: Name, change: Partial<EventOf<Name>> = {}): EventOf<Name> {
  const example = EVENTS[name]
  if (!example) throw new Error(`no example of ${name}`)
  return { ...example, ...change } as EventOf<Name>
}

/** Each symbol as the daemon tells of it. */
export function symbols(name: 'symbol_ready' | 'symbol_lost', names: readonly string[]): LogEvent[] {
  return names.map((symbol) => ({ event: name, symbol }))
}

/** What comes before everything is whole: three symbols, 54 keys. */
export const WHOLE: readonly LogEvent[] = [
  event('starting'),
  event('redis_up'),
  ...symbols('symbol_ready', ['ADA', 'BTC', 'ETH']),
  event('watching'),
]

/** The board that these events make, at `at`. */
export function boardOf(events: readonly LogEvent[], at = Date.now()) {
  const board = blankBoard('1.2.3', at)
  for (const each of events) note(board, each, at)
  return board
}

/** How things stand: gauges that are read from the board when a scraper asks. What is not known has no sample. */

import { Gauge, type Registry } from 'prom-client'
import type { ChangeSource } from '../decide/change-sources.js'
import type { Board } from './board.js'
import { datasetKind, isName } from './metrics-labels.js'
import { readinessOf } from './readiness.js'

/** How many codes of findings are told apart. */
const FINDINGS = 100

export function addState(registry: Registry, board: Board): void {
  for (const [name, [help, read]] of Object.entries(SINGLES)) {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        const value = read(board)
        if (value === undefined) this.remove()
        else this.set(Number(value))
      },
    })
  }
  addSources(registry, board)
  new Gauge({
    name: 'rekindle_degraded',
    help: '1 for each part that works with less; candles, indicators and rows stand for all datasets of the kind.',
    labelNames: ['what'],
    registers: [registry],
    collect() {
      this.reset()
      for (const what of board.degraded.keys()) this.set({ what: partOf(what) }, 1)
    },
  })
  new Gauge({
    name: 'rekindle_persistence_finding',
    help: '1 for each finding about persistence that is open, by its code.',
    labelNames: ['code', 'severity'],
    registers: [registry],
    collect() {
      this.reset()
      for (const [code, { severity }] of [...board.risks].slice(0, FINDINGS)) {
        this.set({ code: isName(code) ? code : 'other', severity }, 1)
      }
    },
  })
}

/** By kind of dataset, the one whose changes may wait the longest. */
function addSources(registry: Registry, board: Board): void {
  new Gauge({
    name: 'rekindle_changes_found_within_seconds',
    help: 'Within what time changes in PostgreSQL are found, and by what; of all tables of a kind, the longest.',
    labelNames: ['dataset', 'found_by'],
    registers: [registry],
    collect() {
      this.reset()
      const longest = new Map<string, ChangeSource>()
      for (const source of board.sources ?? []) {
        const kind = source.dataset === 'symbols' ? 'symbols' : datasetKind(source.dataset)
        if (source.within_ms > (longest.get(kind)?.within_ms ?? 0)) longest.set(kind, source)
      }
      for (const [dataset, { found_by, within_ms }] of longest) this.set({ dataset, found_by }, within_ms / 1_000)
    },
  })
}

type Reading = (board: Board) => number | boolean | undefined

const SINGLES: Readonly<Record<string, [help: string, read: Reading]>> = {
  rekindle_ready: ['1 while everything is whole: what /readyz answers.', (board) => readinessOf(board).ready],
  rekindle_symbols: [
    'Symbols that Redis must hold.',
    ({ total, symbols }) => total ?? (symbols.size > 0 ? symbols.size : undefined),
  ],
  rekindle_symbols_not_ready: [
    'Symbols that are known and not whole; no sample until they have been looked at.',
    ({ lost, settled }) => (settled || lost.size > 0 ? lost.size : undefined),
  ],
  rekindle_incidents_open: ['1 while a loss is not healed.', ({ open }) => open !== undefined],
  rekindle_redis_up: ['1 while Redis can be used.', ({ redis }) => upOf(redis.state)],
  rekindle_postgres_up: ['1 while PostgreSQL can be used.', ({ postgres }) => upOf(postgres.state)],
  rekindle_listener_up: [
    '0 once nothing could be heard from PostgreSQL for 30 s; changes are polled for meanwhile.',
    ({ begun, degraded }) => (begun ? !degraded.has('listener') : undefined),
  ],
  rekindle_wal_up: [
    '1 while changes are read from the WAL, 0 while they no longer are; no sample where they never were.',
    ({ wal }) => (wal === null ? undefined : wal !== undefined),
  ],
  rekindle_wal_lag_bytes: ['How much of the WAL we have not confirmed to have read.', ({ wal }) => wal?.lag],
  rekindle_wal_held_bytes: ['How much of the WAL PostgreSQL keeps for our slot.', ({ wal }) => wal?.held],
  rekindle_wal_opened_timestamp_seconds: ['Since when our slot is there.', ({ wal }) => seconds(wal?.since)],
  rekindle_last_sync_timestamp_seconds: [
    'When a change in PostgreSQL last reached Redis. Old is not wrong: there may have been none.',
    ({ lastSyncAt }) => seconds(lastSyncAt),
  ],
  rekindle_backups: ['Backups in the folder.', ({ backups }) => backups.count],
  rekindle_backup_newest_timestamp_seconds: [
    'When the newest good backup was taken.',
    ({ backups }) => seconds(backups.newestAt),
  ],
  rekindle_backup_newest_bytes: ['Size of the newest good backup.', ({ backups }) => backups.newestBytes],
  rekindle_backup_last_proof_timestamp_seconds: [
    'When a backup was last booted to prove it.',
    ({ backups }) => seconds(backups.provedAt),
  ],
  rekindle_backup_last_proof_ok: ['1 if the last proof succeeded.', ({ backups }) => backups.proofOk],
  rekindle_backup_last_proof_duration_seconds: [
    'How long the last proof took.',
    ({ backups }) => seconds(backups.proofMs),
  ],
  rekindle_config_reload_ok: [
    '0 while the configuration that was last read again is wrong, and the old one goes on.',
    ({ reloadFailed }) => reloadFailed === undefined,
  ],
}

function upOf(state: 'unknown' | 'up' | 'down'): boolean | undefined {
  return state === 'unknown' ? undefined : state === 'up'
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000
}

/** The parts that are told apart: what `degraded` may name beside datasets. */
export const PARTS: readonly string[] = [
  'healing',
  'settling',
  'scrub',
  'poll',
  'info',
  'events',
  'tracking',
  'notifications',
  'symbols',
  'listener',
  'wal',
  'triggers',
  'backups',
  'ratchet',
  'rewrites',
  'second_daemon',
  'inventory',
  'risks',
  'systemd',
  'watchdog',
  'http',
  'webhook',
]

function partOf(what: string): string {
  return PARTS.includes(what) ? what : datasetKind(what)
}

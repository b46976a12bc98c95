import type { Board } from './board.js'
import type { LogEvent } from './events.js'
import { addHealed, addJoined, addLoss, addRecovery, addSymbolHealed, closeAll } from './incidents.js'
import { addLatency } from './latencies.js'
import { noteBackups } from './note-backups.js'
import { noteDoubt, noteSymbol, noteSymbols, noteWhole } from './note-symbols.js'
import { cut, keepLast, setWithin } from './ring.js'
import { levelOf, sentence } from './sentences.js'

/** How many lines of the log are kept, and how many things at once may be degraded or at risk. */
const JOURNAL = 60
const CONDITIONS = 200

/** Takes an event that happened at `at` (epoch ms) into the board. Does nothing else: the same events make the same board. */
export function note(board: Board, event: LogEvent, at: number): void {
  board.version++
  if (event.event !== 'starting' && !isOurOwn(event)) {
    board.begun = true
    board.lastEventAt = at
  }
  noteServers(board, event, at)
  noteLosses(board, event, at)
  noteConditions(board, event, at)
  noteChanges(board, event, at)
  noteBackups(board.backups, event, at)
  const level = levelOf(event)
  if (level !== 'debug') {
    keepLast(board.journal, { at, level, event: event.event, text: cut(sentence(event)) }, JOURNAL)
  }
}

/** What the serving side says of itself is no sign that the daemon lives. */
function isOurOwn(event: LogEvent): boolean {
  return (event.event === 'degraded' || event.event === 'recovered') && /^(http|webhook)$/.test(event.what)
}

function noteServers(board: Board, event: LogEvent, at: number): void {
  switch (event.event) {
    case 'starting':
      board.guards = { redis: event.redis, postgres: event.postgres, datasets: event.datasets.slice(0, 100) }
      return
    case 'redis_up':
      // Said once more, since it has been so for a while.
      if (event.stable_for_ms !== undefined) return
      board.redis = { state: 'up', at, trouble: undefined, runId: event.run_id, version: event.version }
      board.settled = false
      // Perhaps by another list of symbols: how many there are is said when all are whole.
      board.total = undefined
      noteDoubt(board, at)
      // The list of symbols was read before.
      if (board.postgres.state === 'unknown') board.postgres = { state: 'up', at, trouble: undefined }
      return
    case 'postgres_up':
      board.postgres = { state: 'up', at, trouble: undefined }
      return
    case 'redis_down':
    case 'postgres_down': {
      const { code, reason, hint } = event
      const down = { state: 'down' as const, at: at - event.down_for_ms, trouble: { code, reason, hint } }
      if (event.event === 'postgres_down') board.postgres = down
      else board.redis = { ...board.redis, ...down }
      if (event.event !== 'redis_down') return
      if (board.settled || board.lost.size < board.symbols.size) noteDoubt(board, at)
      board.settled = false
      return
    }
    case 'watching':
      board.settled = true
      board.open = event.incident
      closeAll(
        board.incidents.filter(({ id }) => id !== event.incident),
        at,
      )
      board.keys = event.keys
      noteWhole(board, event.symbols, at)
      return
    case 'stopping':
      board.stopping = true
  }
}

function noteLosses(board: Board, event: LogEvent, at: number): void {
  switch (event.event) {
    case 'data_loss':
      if (!addLoss(board.incidents, event, at)) board.losses++
      board.open = event.incident
      board.back = false
      return
    case 'loss_joined':
      board.back = false
      addJoined(board.incidents, event)
      return
    case 'all_back':
      board.back = true
      return
    case 'symbol_healed':
      addSymbolHealed(board.incidents, event.incident)
      return
    case 'healed':
      if (board.open === event.incident || event.supersedes.includes(board.open ?? Number.NaN)) board.open = undefined
      addHealed(board.incidents, event, at)
      return
    case 'keys_recovered':
      addRecovery(board.incidents, event.incident, {
        at,
        keys: event.keys,
        file: cut(event.file),
        takenAt: event.taken_at,
      })
      return
    case 'recover_failed':
      addRecovery(board.incidents, event.incident, { at, failure: cut(event.reason), hint: cut(event.hint) })
  }
}

function noteConditions(board: Board, event: LogEvent, at: number): void {
  switch (event.event) {
    case 'degraded': {
      const { what, code } = event
      const words = { reason: cut(event.reason), hint: cut(event.hint) }
      setWithin(board.degraded, what, { since: at - event.since_ms, code, ...words }, CONDITIONS)
      return
    }
    case 'recovered':
      board.degraded.delete(event.what)
      return
    case 'persistence_risk': {
      const since = board.risks.get(event.finding)?.since ?? at
      const words = { reason: cut(event.reason), hint: cut(event.hint) }
      setWithin(board.risks, event.finding, { since, severity: event.severity, ...words }, CONDITIONS)
      return
    }
    case 'persistence_ok':
      board.risks.delete(event.finding)
      return
    case 'reload_failed':
      board.reloadFailed = { at, reason: cut(event.reason) }
      return
    case 'reloaded':
      board.reloadFailed = undefined
  }
}

function noteChanges(board: Board, event: LogEvent, at: number): void {
  switch (event.event) {
    case 'symbols':
      noteSymbols(board, event, at)
      return
    case 'symbol_ready':
    case 'symbol_lost':
      noteSymbol(board, event.symbol, event.event === 'symbol_ready', at)
      return
    case 'counted':
      if (event.exact && event.whole) board.keys = keysOfPostgres(event)
      return
    case 'sync': {
      const symbol = board.symbols.get(event.symbol)
      if (symbol) symbol.syncedAt = at
      board.syncs++
      board.lastSyncAt = at
      addLatency(board.latencies, at, event.latency_ms)
      return
    }
    case 'wal_opened':
      board.wal = { slot: event.slot, plugin: event.plugin, since: at, lag: undefined, held: undefined }
      return
    case 'wal_slot':
      if (board.wal?.slot === event.slot) Object.assign(board.wal, { lag: event.lag_bytes, held: event.held_bytes })
      return
    case 'wal_closed':
      if (board.wal?.slot === event.slot) board.wal = undefined
      return
    case 'drift':
      board.drift = {
        keys: board.drift.keys + event.keys_drifted,
        last: { at, dataset: cut(event.dataset, 100), keys: event.keys_drifted },
      }
      return
    case 'change_sources':
      board.sources = event.tables.slice(0, CONDITIONS)
      return
    case 'gap':
      board.gaps = {
        count: board.gaps.count + 1,
        last: { at, reason: cut(event.reason), deafForMs: event.deaf_for_ms },
      }
  }
}

/** How many keys PostgreSQL stands for: those that the daemon calls its own when all is whole. */
function keysOfPostgres({ classes }: Extract<LogEvent, { event: 'counted' }>): number {
  return classes.reduce((sum, { recovery, keys }) => sum + (recovery === 'postgres' ? keys : 0), 0)
}

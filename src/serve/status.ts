/** The board as JSON, for programs: the answer of /status.json. */

import type { Board, ServerState } from '../report/board.js'
import type { Incident } from '../report/incidents.js'
import { quantile } from '../report/latencies.js'
import { readinessOf } from '../report/readiness.js'

/** Everything the status page shows; times are ISO 8601, absent where they are not known. */
export function statusOf(board: Board): object {
  const { backups } = board
  return {
    ...readinessOf(board),
    version: board.rekindle,
    since: iso(board.since),
    ...board.guards,
    redis: {
      name: board.guards?.redis,
      ...server(board.redis),
      run_id: board.redis.runId,
      version: board.redis.version,
    },
    postgres: { name: board.guards?.postgres, ...server(board.postgres) },
    symbols_total: board.total,
    symbols_not_ready: board.lost.size,
    keys: board.keys,
    losses: board.losses,
    incidents: board.incidents.map(incident),
    degraded: degradedParts(board),
    persistence: [...board.risks].map(([finding, { since, ...words }]) => ({ finding, since: iso(since), ...words })),
    backups: {
      count: backups.count,
      newest_taken_at: iso(backups.newestAt),
      newest_bytes: backups.newestBytes,
      last_proved_at: iso(backups.provedAt),
      last_proof_ok: backups.proofOk,
      last_proof_took_ms: backups.proofMs,
      failure: backups.failure && { ...backups.failure, at: iso(backups.failure.at) },
      kept_aside: backups.keptAside && { ...backups.keptAside, at: iso(backups.keptAside.at) },
    },
    sync: {
      count: board.syncs,
      last_at: iso(board.lastSyncAt),
      latency_ms_p50: quantile(board.latencies, 0.5),
      latency_ms_p99: quantile(board.latencies, 0.99),
    },
    drift: { keys: board.drift.keys, last: dated(board.drift.last) },
    change_sources: board.sources,
    gaps: { count: board.gaps.count, last: dated(board.gaps.last) },
    reload_failed: dated(board.reloadFailed),
    symbols: [...board.symbols].map(([symbol, { ready, since, syncedAt }]) => ({
      symbol,
      ready,
      since: iso(since),
      synced_at: iso(syncedAt),
    })),
  }
}

/** What works with less. */
export function degradedParts({ degraded }: Board): object[] {
  return [...degraded].map(([what, { since, ...words }]) => ({ what, since: iso(since), ...words }))
}

function server({ state, at, trouble }: ServerState): object {
  return { state, since: iso(at), ...(trouble && { trouble }) }
}

function incident({ at, wholeAt, healed, recovered, ...rest }: Incident): object {
  return {
    id: rest.id,
    cause: rest.cause,
    at: iso(at),
    keys_lost: rest.keysLost,
    keys_incomplete: rest.keysIncomplete,
    symbols_lost: rest.symbolsLost,
    symbols_back: rest.symbolsBack,
    symbols: rest.symbols,
    last_seen_whole_at: wholeAt,
    time_to_detect_ms: rest.detectMs,
    classes: rest.classes,
    evidence: rest.evidence,
    healed: healed && {
      at: iso(healed.at),
      time_to_heal_ms: healed.healMs,
      keys: healed.keys,
      samples: healed.samples,
      fields: healed.fields,
    },
    recovered: dated(recovered),
  }
}

function dated<Item extends { readonly at: number }>(item: Item | undefined): object | undefined {
  return item && { ...item, at: iso(item.at) }
}

function iso(at: number | undefined): string | undefined {
  return at !== undefined && Math.abs(at) < 8e15 ? new Date(at).toISOString() : undefined
}

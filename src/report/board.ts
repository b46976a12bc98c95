/** What Rekindle knows about itself at this moment: all that metrics, health and the status page show. */

import type { ChangeSource } from '../decide/change-sources.js'
import type { Risk } from '../model.js'
import type { LogEvent } from './events.js'
import type { Incident } from './incidents.js'
import type { Span } from './latencies.js'

/** How many names of symbols are kept, and how long one may be: others count, but are not shown one by one. */
export const SYMBOLS = 50_000
export const LONGEST_NAME = 512

/** Times are epoch ms. Plain data of bounded size, whatever comes; `note` changes it in place. */
export interface Board {
  /** Grows with every event: what was made from the board holds as long as it does not. */
  version: number
  readonly since: number
  readonly rekindle: string
  guards: { redis: string; postgres: string; datasets: readonly string[] } | undefined
  /** True once the daemon has said anything about its servers. */
  begun: boolean
  stopping: boolean
  lastEventAt: number
  redis: ServerState & { runId: string | undefined; version: string | undefined }
  postgres: ServerState
  /** True from the moment everything was whole in this life of Redis. */
  settled: boolean
  /** How many symbols there are, as far as it is known. */
  total: number | undefined
  /** How many keys they have, when that was last said. */
  keys: number | undefined
  readonly symbols: Map<string, SymbolState>
  /** The symbols of these that are not whole. */
  readonly lost: Set<string>
  readonly incidents: Incident[]
  /** The incident that is not over. */
  open: number | undefined
  /** True while all that it lost is back, and it is only open as more may be lost. */
  back: boolean
  /** How many incidents there were. */
  losses: number
  /** What works with less, by its name. */
  readonly degraded: Map<string, Degraded>
  readonly latencies: Span[]
  lastSyncAt: number | undefined
  syncs: number
  drift: { keys: number; last: { at: number; dataset: string; keys: number } | undefined }
  /** How changes in PostgreSQL are found, table by table; undefined until that is known. */
  sources: readonly ChangeSource[] | undefined
  gaps: { count: number; last: { at: number; reason: string; deafForMs: number } | undefined }
  /** The slot through which the WAL is read; undefined while it is not, null if it never was. */
  wal: WalState | null | undefined
  readonly risks: Map<string, OpenRisk>
  backups: Backups
  /** The configuration that could not be taken in, until one could. */
  reloadFailed: { at: number; reason: string } | undefined
  readonly journal: Entry[]
}

export interface ServerState {
  state: 'unknown' | 'up' | 'down'
  /** Since when; of `unknown`, since Rekindle started. */
  at: number
  trouble: { code: string; reason: string; hint: string } | undefined
}

export interface WalState {
  readonly slot: string
  readonly plugin: string
  readonly since: number
  /** In bytes; undefined until it was asked. */
  lag: number | undefined
  held: number | undefined
}

export interface SymbolState {
  ready: boolean
  /** When it became so. */
  since: number
  /** When a change in PostgreSQL last reached it. */
  syncedAt: number | undefined
}

export interface Degraded {
  readonly since: number
  readonly code: string
  readonly reason: string
  readonly hint: string
}

export interface OpenRisk {
  readonly since: number
  readonly severity: Risk['severity']
  readonly reason: string
  readonly hint: string
}

export interface Backups {
  count: number | undefined
  newestAt: number | undefined
  newestBytes: number | undefined
  provedAt: number | undefined
  proofOk: boolean | undefined
  proofMs: number | undefined
  /** The last failure, until the same succeeds. */
  failure: { at: number; stage: string; code: string; reason: string; hint: string } | undefined
  keptAside: { at: number; what: 'rdb' | 'aof'; path: string } | undefined
}

/** A line of the log at level info or above. */
export interface Entry {
  readonly at: number
  readonly level: string
  readonly event: LogEvent['event']
  readonly text: string
}

/** A board of a Rekindle of this version that knows nothing yet. */
export function blankBoard(rekindle: string, at: number): Board {
  const unknown: ServerState = { state: 'unknown', at, trouble: undefined }
  return {
    version: 0,
    since: at,
    rekindle,
    guards: undefined,
    begun: false,
    stopping: false,
    lastEventAt: at,
    redis: { ...unknown, runId: undefined, version: undefined },
    postgres: unknown,
    settled: false,
    total: undefined,
    keys: undefined,
    symbols: new Map(),
    lost: new Set(),
    incidents: [],
    open: undefined,
    back: false,
    losses: 0,
    degraded: new Map(),
    latencies: [],
    lastSyncAt: undefined,
    syncs: 0,
    drift: { keys: 0, last: undefined },
    sources: undefined,
    gaps: { count: 0, last: undefined },
    wal: null,
    risks: new Map(),
    backups: {
      count: undefined,
      newestAt: undefined,
      newestBytes: undefined,
      provedAt: undefined,
      proofOk: undefined,
      proofMs: undefined,
      failure: undefined,
      keptAside: undefined,
    },
    reloadFailed: undefined,
    journal: [],
  }
}

/** What the findings of the doctor are drawn from: plain data. What could not be read is undefined, and no finding comes of it. */

import type { KeyClass } from '../model.js'

/** The keys that would not come back by themselves. */
export interface KeysAtStake {
  /** Those that only a backup brings back, and those of no class: unknown is not safe. Of the classes present. */
  readonly backup: number
  readonly unclassified: number
  /** Whether some of either have a time to live, so that `volatile-*` may evict them. */
  readonly expiring: boolean
  /** Patterns that the configuration says only a backup brings back, but of which there is no key at the moment: one may come. */
  readonly absent?: readonly string[]
}

/** What INFO and CONFIG GET tell, reduced to what findings need. Sizes in bytes, times in epoch ms. */
export interface ServerState {
  readonly runId: string | undefined
  readonly role: 'master' | 'replica' | undefined
  readonly replicas: number | undefined
  /** In our database, and how many of them have a time to live. */
  readonly keys: number | undefined
  readonly expires: number | undefined
  /** In all databases: replicas take all of them. */
  readonly allKeys: number | undefined
  readonly loading: boolean
  readonly aof: boolean | undefined
  readonly appendfsync: string | undefined
  /** `no-appendfsync-on-rewrite`. */
  readonly pausesFsync: boolean | undefined
  readonly aofWriteStatus: string | undefined
  readonly aofRewriteStatus: string | undefined
  readonly aofSize: number | undefined
  readonly aofBaseSize: number | undefined
  readonly rewriting: boolean
  readonly rewritePercentage: number | undefined
  readonly rewriteMinSize: number | undefined
  /** As CONFIG GET save says it: `3600 1 300 100`, empty for none. */
  readonly savePoints: string | undefined
  readonly rdbStatus: string | undefined
  readonly stopsWrites: boolean | undefined
  readonly maxMemory: number | undefined
  /** What counts against maxmemory. */
  readonly usedMemory: number | undefined
  readonly rss: number | undefined
  readonly totalMemory: number | undefined
  readonly policy: string | undefined
  readonly evictedKeys: number | undefined
  /** Path of redis.conf; empty where the server runs without one. */
  readonly configFile: string | undefined
  readonly aclFile: string | undefined
  readonly dir: string | undefined
  readonly bind: string | undefined
  readonly protectedMode: boolean | undefined
}

/** What the machine tells, where the server runs on ours. */
export interface HostFacts {
  /** vm.overcommit_memory. */
  readonly overcommit: number | undefined
  /** What may still be used, within the control group's limit. */
  readonly available: number | undefined
  /** The control group's limit. */
  readonly limit: number | undefined
  /** Where the data directory is mounted from. */
  readonly mount: { readonly point: string; readonly type: string } | undefined
  /** Whether the backups lie on the same file system as the data. */
  readonly sharesDisk: boolean | undefined
}

/** A replica that answered. */
export interface ReplicaFacts {
  /** `ip:port`. */
  readonly name: string
  readonly persists: boolean | undefined
  /** In all databases. */
  readonly keys: number | undefined
}

export interface UserFacts {
  readonly name: string
  readonly flushes: boolean
  readonly writes: boolean
  /** Commands and categories that tell or change data. */
  readonly powers: readonly string[]
}

export interface AccessFacts {
  /** Users that are switched on, and what they may do; none where nobody may ask. */
  readonly users: readonly UserFacts[]
  /** Whether anybody may come in without a password. */
  readonly open: boolean | undefined
}

/** Backups of this server, and what the configuration wants of them. Times in epoch ms. */
export interface BackupFacts {
  readonly dir: string
  readonly scheduled: boolean
  /** When, by the schedule, the newest should have been there. */
  readonly due: number | undefined
  /** How old the last proof may be; undefined: no drills are wanted. */
  readonly alertAfter: number | undefined
  /** The newest that has not failed its proof. */
  readonly newest: number | undefined
  /** The oldest there is. */
  readonly oldest: number | undefined
  /** When a backup was last proved. */
  readonly proved: number | undefined
  /** The newest proof of all, if it failed: what was wrong. */
  readonly failed: { readonly file: string; readonly why: string } | undefined
}

/** A class that only a backup brings back, of which no key is left, though a backup holds some. */
export interface GoneClass {
  readonly match: string
  readonly impact: string | undefined
  /** How many keys the backup holds that had no time to live, and when it was taken, in epoch ms. */
  readonly keys: number
  readonly takenAt: number
}

/** Libraries of functions that Redis holds. */
export interface FunctionFacts {
  readonly libraries: readonly string[]
  /** Those that the newest good backup does not hold; undefined where it does not tell. */
  readonly missing: readonly string[] | undefined
  /** When that was taken, in epoch ms; undefined: there is none. */
  readonly takenAt: number | undefined
}

/** A class that never counts, since one before it matches all that it matches. */
export interface Shadowed {
  readonly earlier: KeyClass
  readonly later: KeyClass
}

/** What is absent was not looked at. */
export interface RiskFacts {
  readonly at: number
  readonly server: ServerState
  readonly stake: KeysAtStake
  readonly host?: HostFacts | undefined
  readonly replicas?: readonly ReplicaFacts[]
  readonly access?: AccessFacts | undefined
  readonly backups?: BackupFacts | undefined
  readonly gone?: readonly GoneClass[]
  readonly shadowed?: readonly Shadowed[]
  readonly functions?: FunctionFacts | undefined
  /** Keys that were evicted since the last look. */
  readonly evictedSince?: number | undefined
}

/** Whether there are keys that would not come back by themselves, or the user says that there will be. */
export function isAtStake({ backup, unclassified, absent = [] }: KeysAtStake): boolean {
  return backup + unclassified + absent.length > 0
}

/** Whether the server writes its data to disk at all; undefined where that cannot be told. */
export function persists({ aof, savePoints }: Pick<ServerState, 'aof' | 'savePoints'>): boolean | undefined {
  if (aof || savePoints) return true
  return aof === undefined || savePoints === undefined ? undefined : false
}

/** How many keys each database holds, and how many of them have a time to live, of INFO as {@link parseInfo} gives it. */
export function readKeyspace(
  info: ReadonlyMap<string, string>,
): { readonly database: number; readonly keys: number; readonly expires: number }[] {
  return [...info].flatMap(([name, value]) => {
    const database = /^db(\d+)$/.exec(name)?.[1]
    const [, keys, expires] = /^keys=(\d+),expires=(\d+)/.exec(value) ?? []
    return database === undefined || keys === undefined
      ? []
      : [{ database: Number(database), keys: Number(keys), expires: Number(expires) }]
  })
}

/** Databases other than ours that hold keys, by number. */
export function otherDatabases(info: ReadonlyMap<string, string>, ours: number): { database: number; keys: number }[] {
  return readKeyspace(info).flatMap(({ database, keys }) => (database === ours ? [] : [{ database, keys }]))
}

/** Reads INFO, as {@link parseInfo} gives it, and settings of CONFIG GET by name. `database` is the number of ours. */
export function readState(
  info: ReadonlyMap<string, string>,
  settings: ReadonlyMap<string, string>,
  database = 0,
): ServerState {
  const number = (text: string | undefined): number | undefined => {
    const value = Number(text || Number.NaN)
    return Number.isFinite(value) ? value : undefined
  }
  const yes = (text: string | undefined): boolean | undefined =>
    text === undefined ? undefined : /^(yes|1)$/.test(text)
  const told = (name: string): number | undefined => number(info.get(name))
  const used = told('used_memory')
  const role = info.get('role')
  const keyspace = readKeyspace(info)
  const ours = keyspace.find((each) => each.database === database)
  const isTold = info.size > 0
  return {
    runId: info.get('run_id'),
    role: role === 'master' ? 'master' : role === 'slave' || role === 'replica' ? 'replica' : undefined,
    replicas: told('connected_slaves'),
    keys: isTold ? (ours?.keys ?? 0) : undefined,
    expires: isTold ? (ours?.expires ?? 0) : undefined,
    allKeys: isTold ? keyspace.reduce((sum, { keys }) => sum + keys, 0) : undefined,
    loading: info.get('loading') === '1',
    aof: yes(info.get('aof_enabled') ?? settings.get('appendonly')),
    appendfsync: settings.get('appendfsync'),
    pausesFsync: yes(settings.get('no-appendfsync-on-rewrite')),
    aofWriteStatus: info.get('aof_last_write_status'),
    aofRewriteStatus: info.get('aof_last_bgrewrite_status'),
    aofSize: told('aof_current_size'),
    aofBaseSize: told('aof_base_size'),
    rewriting: info.get('aof_rewrite_in_progress') === '1' || info.get('aof_rewrite_scheduled') === '1',
    rewritePercentage: number(settings.get('auto-aof-rewrite-percentage')),
    rewriteMinSize: number(settings.get('auto-aof-rewrite-min-size')),
    savePoints: settings.get('save'),
    rdbStatus: info.get('rdb_last_bgsave_status'),
    stopsWrites: yes(settings.get('stop-writes-on-bgsave-error')),
    maxMemory: told('maxmemory'),
    usedMemory: used === undefined ? undefined : used - (told('mem_not_counted_for_evict') ?? 0),
    rss: told('used_memory_rss'),
    totalMemory: told('total_system_memory'),
    policy: info.get('maxmemory_policy') ?? settings.get('maxmemory-policy'),
    evictedKeys: told('evicted_keys'),
    configFile: info.get('config_file'),
    aclFile: settings.get('aclfile'),
    dir: settings.get('dir'),
    bind: settings.get('bind'),
    protectedMode: yes(settings.get('protected-mode')),
  }
}

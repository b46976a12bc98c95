import type { Cause, Lack, ServerFacts, Suspicion } from '../model.js'

/** All that is known about a confirmed loss. */
export interface Case {
  readonly suspicion: Pick<Suspicion, 'signals' | 'keyEvents'>
  /** What INFO said when everything was last seen whole; undefined at the first look. */
  readonly before: ServerFacts | undefined
  /** What INFO says now. */
  readonly now: ServerFacts
  readonly lacks: readonly Pick<Lack, 'kind'>[]
  /** Keys that are gone as a share of those known, 0 to 1. */
  readonly share: number
  /** True if the epoch, which dies with the data, is still there: another database was flushed. */
  readonly epochStands: boolean
}

/** uptime_in_seconds is cut to whole seconds. */
const UPTIME_SLACK = 2_000

/** Names why data was lost, from what the server tells about itself before and after. */
export function causeOf(facts: Case): Cause {
  const { before, now, lacks } = facts
  if (lacks.length > 0 && lacks.every(({ kind }) => kind === 'wrong_type')) return 'corruption'
  if (!before) return 'unknown'
  if (before.runId !== undefined && now.runId !== undefined && before.runId !== now.runId) {
    return newProcess(before, now, facts.share)
  }
  return sameProcess(facts, before, now)
}

/** Another process answers: the same server restarted, or another server. */
function newProcess(before: ServerFacts, now: ServerFacts, share: number): Cause {
  const startedAt = now.uptimeSeconds === undefined ? now.at : now.at - now.uptimeSeconds * 1000
  // It ran already while we still talked to the other one, or it keeps its files elsewhere.
  const isOther =
    startedAt < before.at - UPTIME_SLACK ||
    differ(before.configFile, now.configFile) ||
    differ(before.directory, now.directory)
  const ids = [now.replicationId, now.previousReplicationId]
  if (isOther && before.replicationId !== undefined && ids.includes(before.replicationId)) return 'failover'
  // An append-only file that was on cannot come back empty: this is not the directory it was in.
  const lostItsFile = before.aofEnabled === true && now.aofEnabled === true && share === 1
  return isOther || lostItsFile ? 'replacement' : 'restart'
}

function sameProcess({ suspicion, share, epochStands }: Case, before: ServerFacts, now: ServerFacts): Cause {
  const { signals, keyEvents } = suspicion
  const calls = callsSince(before, now)
  const flushed = signals.has('flush')
  const wholesale = !epochStands && (share >= 0.5 || flushed)
  if (wholesale && calls.flushall + calls.flushdb > 0) return 'flush'
  if (wholesale && calls.swapdb > 0) return 'swapdb'
  if (before.role !== now.role || wasReplica(before, now)) return 'failover'
  // Redis 8 counts a FLUSHALL only when its memory is freed, which may be later.
  if (flushed && wholesale && share >= 0.5) return 'flush'
  if (keyEvents['evicted'] || (now.evictedKeys ?? 0) > (before.evictedKeys ?? 0)) return 'eviction'
  if (Object.keys(keyEvents).length > 0) return 'deletion'
  if (flushed && !now.calls) return 'flush'
  return calls.del + calls.unlink > 0 ? 'deletion' : 'unknown'
}

/** True if the process has followed another in between: promoted again, it keeps the id of that one beside its own. */
function wasReplica(before: ServerFacts, now: ServerFacts): boolean {
  // A primary takes a new id, too, when its first replica comes; then there is none beside it.
  return differ(before.replicationId, now.replicationId) && !/^0+$/.test(now.previousReplicationId ?? '')
}

/** Calls of the commands that lose data, between two readings of the same process; zeros where Redis does not tell. */
export function callsSince(before: ServerFacts | undefined, now: ServerFacts): NonNullable<ServerFacts['calls']> {
  const since = (command: keyof NonNullable<ServerFacts['calls']>): number =>
    Math.max(0, (now.calls?.[command] ?? 0) - (before?.runId === now.runId ? (before?.calls?.[command] ?? 0) : 0))
  return {
    flushall: since('flushall'),
    flushdb: since('flushdb'),
    swapdb: since('swapdb'),
    del: since('del'),
    unlink: since('unlink'),
  }
}

function differ(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && a !== b
}

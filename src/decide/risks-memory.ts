/** Findings about memory: what may be evicted, what fills up, and what a fork needs. */

import type { Risk } from '../model.js'
import { isAtStake, persists, type RiskFacts } from './risks-facts.js'
import { sayCount, saySize, sayStake, setting } from './risks-words.js'

/** Shares at which a finding comes; once it stands, it goes only below the second one. */
const NEAR = { comes: 0.9, goes: 0.85 }
const CROWDED = { comes: 0.75, goes: 0.7 }

/** Findings about memory; `standing` holds the codes of findings that stand already. */
export function* memoryRisks(facts: RiskFacts, standing: ReadonlySet<string>): Generator<Risk> {
  yield* evictionRisks(facts)
  yield* spaceRisks(facts, standing)
  yield* forkRisks(facts)
}

function* evictionRisks({ server, stake, evictedSince }: RiskFacts): Generator<Risk> {
  const { policy, maxMemory } = server
  // What was counted is older than what INFO says now.
  const expiring = stake.expiring && server.expires !== 0
  if (policy === undefined || !isAtStake(stake)) return
  const all = policy.startsWith('allkeys-')
  const some = policy.startsWith('volatile-') && expiring
  if (!all && !some) return
  const mend = `${setting(server, 'maxmemory-policy', expiring ? 'noeviction' : 'volatile-lru')}, or move the cache to a server of its own`
  yield {
    code: 'eviction_drops_keys',
    severity: maxMemory === 0 ? 'note' : 'risk',
    message: `maxmemory-policy ${policy} may evict ${all ? '' : 'those with a time to live among '}${sayStake(stake)}.`,
    mend,
  }
  if (evictedSince !== undefined && evictedSince > 0) {
    yield {
      code: 'evicting',
      severity: 'risk',
      message: `Redis evicts keys: ${sayCount(evictedSince, 'key')} since the last look, which may be those at stake.`,
      mend,
    }
  }
}

function* spaceRisks({ server, stake, host }: RiskFacts, standing: ReadonlySet<string>): Generator<Risk> {
  const { maxMemory, usedMemory, rss, policy } = server
  const isOver = (share: number, code: string, { comes, goes }: typeof NEAR): boolean =>
    share >= (standing.has(code) ? goes : comes)
  if (maxMemory && usedMemory !== undefined) {
    // A cache that evicts is full by design.
    const isCache = policy !== undefined && policy !== 'noeviction' && !isAtStake(stake)
    if (isCache || !isOver(usedMemory / maxMemory, 'maxmemory_near', NEAR)) return
    const then = policy?.startsWith('allkeys-') ? 'evicts keys' : 'refuses writes'
    yield {
      code: 'maxmemory_near',
      severity: 'risk',
      message: `${saySize(usedMemory)} of the ${saySize(maxMemory)} of maxmemory are used: when it is full, Redis ${then}.`,
      mend: `free memory; or, if the machine has room, ${setting(server, 'maxmemory', String(Math.ceil(maxMemory * 1.25)))}`,
    }
  }
  const ceiling = Math.min(host?.limit ?? Number.POSITIVE_INFINITY, server.totalMemory || Number.POSITIVE_INFINITY)
  if (maxMemory !== 0 || rss === undefined || !Number.isFinite(ceiling)) return
  if (!isOver(rss / ceiling, 'maxmemory_none', CROWDED)) return
  yield {
    code: 'maxmemory_none',
    severity: 'risk',
    message: `No maxmemory is set and Redis takes ${saySize(rss)} of ${saySize(ceiling)}: the kernel may end it.`,
    mend: `free memory or add some; then ${setting(server, 'maxmemory', String(Math.floor(ceiling * CROWDED.goes)))}`,
  }
}

/** Snapshots, rewrites, first syncs of replicas and backups fork; a pure cache that does none of these needs no room for it. */
function* forkRisks({ server, stake, host }: RiskFacts): Generator<Risk> {
  const forks = persists(server) !== false || isAtStake(stake) || (server.replicas ?? 0) > 0
  if (!host || !forks) return
  const { overcommit, available, limit } = host
  const { rss } = server
  const mend = 'sysctl -w vm.overcommit_memory=1, and the same line in /etc/sysctl.d/redis.conf'
  const isShort = (share: number): boolean => rss !== undefined && available !== undefined && available < rss * share
  if (overcommit !== undefined && overcommit !== 1 && isShort(1)) {
    yield {
      code: 'fork_may_fail',
      severity: 'risk',
      message: `${saySize(available ?? 0)} of memory are free and Redis takes ${saySize(rss ?? 0)}: with vm.overcommit_memory ${overcommit} it may not fork, so no snapshot, rewrite or backup.`,
      mend,
    }
    return
  }
  if (isShort(0.25)) {
    yield {
      code: 'fork_memory_short',
      severity: 'risk',
      message: `Only ${saySize(available ?? 0)} of memory are left${limit === undefined ? '' : ` of the ${saySize(limit)} of its control group`}: what is written during a snapshot is copied, and the kernel may end Redis.`,
      mend: 'give it more memory, or lower maxmemory',
    }
  }
  if (overcommit !== undefined && overcommit !== 1) {
    yield {
      code: 'overcommit_off',
      severity: 'note',
      message: `vm.overcommit_memory is ${overcommit}: when memory gets short, snapshots fail.`,
      mend,
    }
  }
}

/** Findings about replicas, and about a data directory that ends with its container. */

import type { Risk } from '../model.js'
import { isAtStake, persists, type RiskFacts } from './risks-facts.js'
import { sayNames, setting } from './risks-words.js'

/** File systems that are gone with their container or machine. */
const FLEETING = /^(overlay|aufs|tmpfs|ramfs|fuse\.fuse-overlayfs)$/

export function* replicaRisks({ server, stake, replicas = [] }: RiskFacts): Generator<Risk> {
  if (server.role === 'replica') {
    yield {
      code: 'is_replica',
      severity: 'note',
      message: 'This server is a replica: what is said here of persistence and users holds for it alone.',
      mend: 'run rekindle doctor with redis.url at the primary',
    }
    return
  }
  const matters = isAtStake(stake)
  if (server.replicas === 0 && matters) {
    yield {
      code: 'no_replica',
      severity: 'note',
      message: 'There is no replica: while this machine is away, so are the keys.',
      mend: 'REPLICAOF <this host> <port> on a second server',
    }
  }
  if (!server.replicas) return
  const keeps = persists(server)
  if (keeps === false) {
    yield {
      code: 'master_could_wipe',
      severity: matters ? 'risk' : 'note',
      message: 'It has replicas and writes nothing to disk: after a restart it is empty, and its replicas copy that.',
      mend: `${setting(server, 'appendonly', 'yes')}; until then, let nothing restart it by itself`,
    }
  }
  const full = replicas.filter(({ keys = 0 }) => keys > 0)
  if (server.allKeys === 0 && full.length > 0) {
    yield {
      code: 'empty_master',
      severity: 'risk',
      message: `It is empty, and its replicas still hold keys that they are about to drop: ${sayNames(full.map(({ name }) => name))}.`,
      mend: 'REPLICAOF NO ONE on one of these, now',
    }
  }
  const fleeting = replicas.filter((replica) => replica.persists === false)
  if (fleeting.length > 0 && matters) {
    yield {
      code: 'replica_volatile',
      severity: keeps === false ? 'risk' : 'note',
      message: `${fleeting.length === 1 ? 'A replica writes' : 'Replicas write'} nothing to disk: ${sayNames(fleeting.map(({ name }) => name))}.`,
      mend: 'CONFIG SET appendonly yes there, then CONFIG REWRITE',
    }
  }
}

export function* directoryRisks({ server, stake, host }: RiskFacts): Generator<Risk> {
  const mount = host?.mount
  if (!mount || !FLEETING.test(mount.type) || !isAtStake(stake)) return
  const dir = server.dir ?? 'its data directory'
  yield {
    code: 'dir_not_lasting',
    severity: 'risk',
    message: `${dir} is on ${mount.type} (mounted at ${mount.point}): what Redis saves there is gone with ${/tmpfs|ramfs/.test(mount.type) ? 'the next boot' : 'its container'}.`,
    mend: `mount a volume at ${dir}, as with docker run -v redis-data:${server.dir ?? '/data'}`,
  }
}

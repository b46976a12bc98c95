/** Findings about what the server writes to its disk. */

import type { Risk } from '../model.js'
import { isAtStake, type RiskFacts, type ServerState } from './risks-facts.js'
import { saySize, saySpan, sayStake, setting } from './risks-words.js'

const LOOK = "look at the server's log and at the disk of its dir"

/** What stands between the keys at stake and a crash, and what keeps Redis from writing at all. */
export function* persistenceRisks({ server, stake }: RiskFacts): Generator<Risk> {
  if (isAtStake(stake)) {
    yield* aofOff(server, sayStake(stake))
    yield* aofSync(server)
    if (server.savePoints && server.stopsWrites === false) {
      yield {
        code: 'stop_writes_off',
        severity: 'note',
        message: 'A snapshot that fails goes unnoticed: stop-writes-on-bgsave-error is off.',
        mend: setting(server, 'stop-writes-on-bgsave-error', 'yes'),
      }
    }
  }
  yield* snapshotFailed(server, isAtStake(stake))
  if (server.aof) {
    yield* aofFailed(server)
    yield* aofRewrite(server)
  }
}

function* aofOff(server: ServerState, whose: string): Generator<Risk> {
  const { aof, savePoints } = server
  if (aof !== false) return
  const loses =
    savePoints === undefined
      ? 'a crash loses what changed since the last snapshot of'
      : savePoints
        ? `a crash may lose up to ${saySpan(longestGap(savePoints))} of changes to`
        : 'a crash loses'
  yield {
    code: 'aof_off',
    severity: 'risk',
    message: `The append-only file is off: ${loses} ${whose}.`,
    mend: appendOnly(server),
  }
  if (savePoints === '') {
    yield {
      code: 'no_save_points',
      severity: 'risk',
      message: 'There are no save points either: nothing is ever written to disk by itself.',
      mend: setting(server, 'save', '3600 1 300 100 60 10000'),
    }
  }
}

/** The order matters: with `appendonly yes` and no append-only file a restart ignores dump.rdb. */
function appendOnly({ configFile }: ServerState): string {
  if (configFile === undefined) return 'set appendonly yes where your provider lets you'
  const last = configFile === '' ? '--appendonly yes where redis-server is started' : 'CONFIG REWRITE'
  return `CONFIG SET appendonly yes, and then ${last}; a restart without the first comes up EMPTY`
}

/** How long a single change may wait for its snapshot, in ms, by save points such as `3600 1 300 100`. */
function longestGap(savePoints: string): number {
  const seconds = savePoints.split(' ').flatMap((text, i) => (i % 2 === 0 ? [Number(text)] : []))
  return Math.max(...seconds) * 1_000
}

function* aofSync(server: ServerState): Generator<Risk> {
  if (!server.aof) return
  if (server.appendfsync === 'no') {
    yield {
      code: 'aof_fsync_no',
      severity: 'risk',
      message: 'appendfsync is no: if the machine fails, about the last 30 s of changes are lost.',
      mend: setting(server, 'appendfsync', 'everysec'),
    }
  } else if (server.pausesFsync) {
    yield {
      code: 'aof_fsync_paused',
      severity: 'note',
      message: 'no-appendfsync-on-rewrite is on: while a snapshot or rewrite runs, changes are not synced.',
      mend: setting(server, 'no-appendfsync-on-rewrite', 'no'),
    }
  }
}

function* snapshotFailed(server: ServerState, matters: boolean): Generator<Risk> {
  const { rdbStatus, savePoints, stopsWrites } = server
  if (rdbStatus === undefined || rdbStatus === 'ok') return
  if (!matters && (stopsWrites === false || savePoints === '')) return
  const refuses = stopsWrites && savePoints
  yield {
    code: 'rdb_failed',
    severity: 'risk',
    message: `The last snapshot (BGSAVE) failed${refuses ? ', and until one succeeds Redis refuses every write' : ''}.`,
    mend: matters ? `${LOOK}; then BGSAVE` : `${LOOK}; or, for a pure cache, ${setting(server, 'save', '')}`,
  }
}

function* aofFailed({ aofWriteStatus, aofRewriteStatus }: ServerState): Generator<Risk> {
  if (aofWriteStatus !== undefined && aofWriteStatus !== 'ok') {
    yield {
      code: 'aof_write_failed',
      severity: 'risk',
      message: 'The last write to the append-only file failed: Redis refuses every write until one succeeds.',
      mend: LOOK,
    }
  }
  if (aofRewriteStatus !== undefined && aofRewriteStatus !== 'ok') {
    yield {
      code: 'aof_rewrite_failed',
      severity: 'risk',
      message: 'The last rewrite of the append-only file failed: it goes on growing.',
      mend: `${LOOK}; then BGREWRITEAOF`,
    }
  }
}

/** Redis rewrites within a tenth of a second of the threshold: a file that stays beyond it is not being rewritten. */
function* aofRewrite(server: ServerState): Generator<Risk> {
  const { aofSize, aofBaseSize, rewritePercentage, rewriteMinSize, rewriting } = server
  if (rewritePercentage === 0) {
    yield {
      code: 'aof_rewrite_off',
      severity: 'risk',
      message:
        'The append-only file is never rewritten (auto-aof-rewrite-percentage 0): it grows until the disk is full.',
      mend: setting(server, 'auto-aof-rewrite-percentage', '100'),
    }
  }
  if (aofSize === undefined || aofBaseSize === undefined || rewriting) return
  if (aofSize <= (rewriteMinSize ?? 64 * 1024 ** 2)) return
  const growth = Math.floor((aofSize * 100) / Math.max(1, aofBaseSize)) - 100
  if (growth < (rewritePercentage || 100)) return
  yield {
    code: 'aof_grown',
    severity: 'risk',
    message: `The append-only file has grown to ${saySize(aofSize)} from ${saySize(aofBaseSize)} and is not rewritten: a restart takes long.`,
    mend: `BGREWRITEAOF; if it fails, ${LOOK}`,
  }
}

import { backUp, type Round } from '../backup/round.js'
import type { Backup } from '../backup/shelf.js'
import { sayBytes } from '../backup/space.js'
import type { Taken, TakeOptions } from '../backup/take.js'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { Trouble } from '../errors.js'
import { connectWire } from '../redis/connect.js'
import { ask } from '../redis/wire.js'
import type { Answer } from './answer.js'
import type { BackupOptions } from './backup-call.js'
import { tellBackup } from './backup-list.js'
import { insistOnRedis } from './insist.js'
import { sayDuration } from './patience.js'
import { count, type Progress } from './progress.js'
import { type Session, troubleOf, withSession } from './session.js'

/** How long Redis may be away or silent, in ms. */
const SILENCE = 60_000
/** More of a backup is never said to have come before all has, where nobody knows how much that is. */
const MOST = 0.99

/** Takes a backup now, with all that belongs to it. Rejects with a Trouble if none could be taken. */
export function backUpNow(config: Config, { timeout = SILENCE }: BackupOptions): Promise<Answer> {
  return withSession(config, timeout, async (session) => {
    const { progress, patience, server } = session
    const taken: Taken[] = []
    try {
      await awaitRedis(session)
      const round = await backUp({
        config,
        signal: patience.signal,
        silence: timeout,
        onProgress: showProgress(progress),
        onCheck: () => progress.say('Checking …'),
        onTaken: (each) => taken.push(each),
      })
      return tellRound(round)
    } catch (error) {
      const trouble = troubleOf(error, server)
      if (trouble.code === 'aborted') return tellStopped(taken, trouble)
      throw trouble
    }
  })
}

/** Draws how much has come, and how fast since the first byte came. */
export function showProgress(progress: Progress): NonNullable<TakeOptions['onProgress']> {
  let begunAt: number | undefined
  return (bytes, total, estimate) => {
    if (bytes > 0) begunAt ??= steadyTime()
    if (!progress.isDue) return
    const rate = `${sayBytes(Math.round((bytes / Math.max(1, steadyTime() - (begunAt ?? 0))) * 1000))}/s`
    if (bytes === 0) progress.say('Waiting for Redis to begin …')
    else if (total) progress.show('Backing up', bytes / total, [`${sayBytes(bytes)} of ${sayBytes(total)}`, rate])
    else if (estimate > 0) {
      const share = Math.min(MOST, bytes / estimate)
      const about = `${sayBytes(bytes)} of ~${sayBytes(Math.max(bytes, estimate))}`
      progress.show('Backing up', share, [`~${Math.floor(share * 100)} %`, about, rate])
    } else progress.say(`Backing up ${sayBytes(bytes)} · ${rate}`)
  }
}

/** Waits, within the time allowed, until Redis can be reached and has its data; from then on only its silence counts. */
async function awaitRedis({ config, patience, server }: Session): Promise<void> {
  await insistOnRedis(patience, config.redis.url, async () => {
    try {
      const wire = await connectWire(config.redis.url, 'rekindle-backup')
      await ask(wire, 'PING').finally(() => wire.close())
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOPERM')) return
      throw troubleOf(error, server)
    }
  })
  patience.close()
}

/** What there is when it was stopped: what has been taken is as good as any. */
function tellStopped(taken: readonly Taken[], { code, message }: Trouble): Answer {
  const hint =
    taken.length === 0
      ? 'no backup was taken, and earlier ones are as they were: run it again'
      : 'what was taken is whole and in its place; what follows it (backup.aof, backup.after, backup.keep) was not finished'
  return tellRound({ taken, removed: [], troubles: [new Trouble(code, message, hint, true)] })
}

function tellRound({ taken, removed, troubles }: Round): Answer {
  const warnings = taken.flatMap((each) => each.warnings)
  return {
    lines: [
      ...taken.map(({ backup }) => sayTaken(backup)),
      ...warnings.map((warning) => `Warning: ${warning}.`),
      ...(removed.length > 0 ? [`Removed ${count(removed.length, 'backup')} that backup.keep no longer keeps.`] : []),
    ],
    data: {
      backups: taken.map(({ backup }) => tellBackup(backup)),
      warnings,
      removed: removed.map(({ path }) => path),
    },
    troubles,
  }
}

function sayTaken({ path, manifest: { kind, keys, bytes, took_ms, checked } }: Backup): string {
  const what = kind === 'aof' ? 'the append-only file' : keys ? count(keys.total, 'key') : 'Redis'
  const state = checked === 'ok' ? 'checked' : 'unchecked'
  return `Backed up ${what} (${sayBytes(bytes)}, ${state}) in ${sayDuration(took_ms)}: ${path}`
}

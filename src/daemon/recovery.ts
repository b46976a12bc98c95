import { setTimeout as delay } from 'node:timers/promises'
import { concatMap, EMPTY, filter, ignoreElements, map, type Observable } from 'rxjs'
import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { isWipedOut } from '../decide/class-losses.js'
import { classifier } from '../decide/classes.js'
import { Trouble } from '../errors.js'
import { abortable } from '../flow/abortable.js'
import type { Cause } from '../model.js'
import { chooseBackup } from '../recover/choose-backup.js'
import { chooseKeys } from '../recover/choose-keys.js'
import { recoverKeys } from '../recover/recover.js'
import { undoFlush } from '../recover/undo.js'
import type { Emit, LogEvent } from '../report/events.js'

/** What may take a whole class of keys; a single key may have been deleted on purpose. */
const WHOLESALE: ReadonlySet<Cause> = new Set(['flush', 'swapdb', 'restart', 'replacement', 'failover', 'unknown'])
/** How long to wait before another attempt after trouble that passes, in ms, doubling; and how many there are. */
const RETRY_FIRST = 1_000
const RETRY_LAST = 60_000
const ATTEMPTS = 20

export interface RecoveryContext {
  readonly config: Config
  readonly emit: Emit
  /** Everything that is emitted. */
  readonly events: Observable<LogEvent>
}

interface Loss {
  readonly incident: number
  readonly cause: Cause
  /** Patterns of the classes that are wiped out. */
  readonly match: readonly string[]
}

interface Found {
  readonly file: string
  readonly takenAt: number
  readonly copied: number
  readonly kept: number
}

/** Brings classes of keys back that were wiped out and that only a backup holds, once for each incident. Never emits, never errors. */
export function watchRecovery({ config, emit, events }: RecoveryContext): Observable<never> {
  if (!config.recover.auto) return EMPTY
  return events.pipe(
    map(lossOf),
    filter((loss) => loss !== undefined),
    // One after the other, each to its end: a newer loss does not name again what was gone before it.
    concatMap((loss) => abortable((signal) => recoverLoss(loss, config, emit, signal))),
    ignoreElements(),
  )
}

function lossOf(event: LogEvent): Loss | undefined {
  if (event.event !== 'data_loss' || !WHOLESALE.has(event.cause)) return undefined
  const match = event.classes.flatMap(({ match, recovery, keys_before: keys, keys_gone: gone }) =>
    match !== null && recovery === 'backup' && isWipedOut({ keys, gone }) ? [match] : [],
  )
  return match.length > 0 ? { incident: event.incident, cause: event.cause, match } : undefined
}

async function recoverLoss(loss: Loss, config: Config, emit: Emit, signal: AbortSignal): Promise<void> {
  const { incident } = loss
  const startedAt = Date.now()
  let said: string | undefined
  for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; attempt++) {
    try {
      const { file, takenAt, copied, kept } = await bringBack(loss, config, signal)
      const taken_at = new Date(takenAt).toISOString()
      emit({ event: 'keys_recovered', incident, file, taken_at, keys: copied, kept, took_ms: Date.now() - startedAt })
      return
    } catch (error) {
      if (signal.aborted) return
      const trouble = troubleOf(error)
      const { code, message: reason, hint } = trouble
      if (reason !== said) emit({ event: 'recover_failed', incident, code, reason, hint })
      said = reason
      if (!trouble.passing) return
      const wait = Math.min(RETRY_LAST, RETRY_FIRST * 2 ** attempt)
      await delay(wait, undefined, { signal }).catch(() => undefined)
    }
  }
}

/**
 * From the moment before the flush, if Redis' own files still hold it; else from the newest good backup, or from a snapshot that is
 * newer. Keys that are there stay.
 */
async function bringBack({ cause, match }: Loss, config: Config, signal: AbortSignal): Promise<Found> {
  const { url } = config.redis
  const [backup, missing] = await chooseBackup(config.backup.dir, undefined).then(
    (chosen) => [chosen, undefined] as const,
    (error: unknown) => [undefined, error] as const,
  )
  const undone = cause === 'flush' ? await undo(match, config, backup?.takenAt, signal) : undefined
  if (undone) return undone
  if (!backup) throw missing
  const { select } = chooseKeys(config, match)
  const { copied, kept } = await recoverKeys(backup, { url, select, replace: false, dryRun: false, signal })
  return { file: backup.path, takenAt: backup.takenAt, copied, kept }
}

/** Undefined where that is not to be had: the data directory is not at hand, or nothing in it is from before the flush. */
async function undo(
  match: readonly string[],
  config: Config,
  notBefore: number | undefined,
  signal: AbortSignal,
): Promise<Found | undefined> {
  try {
    const { moment, copied } = await undoFlush({
      url: config.redis.url,
      classify: classifier(classesOf(config)),
      match,
      replace: false,
      dryRun: false,
      flush: 1,
      ...(notBefore !== undefined && { notBefore }),
      signal,
    })
    if (copied.copied === 0) return undefined
    const { source, flushedAt = Date.now() } = moment
    return source.kind === 'rdb'
      ? { file: source.path, takenAt: source.takenAt, ...copied }
      : { file: source.name, takenAt: flushedAt, ...copied }
  } catch {
    // Whatever is wrong with it is wrong with the backup, too, or does not matter.
    signal.throwIfAborted()
    return undefined
  }
}

function troubleOf(error: unknown): Trouble {
  if (error instanceof Trouble) return error
  return new Trouble('unexpected', error instanceof Error ? error.message : String(error), 'please report this', false)
}

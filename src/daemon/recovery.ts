import { concatMap, EMPTY, filter, finalize, ignoreElements, map, type Observable, tap } from 'rxjs'
import { ofServer, readShelf, worthTrying } from '../backup/shelf.js'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { isWipedOut } from '../decide/class-losses.js'
import { classifier } from '../decide/classes.js'
import { Trouble, troubleOf } from '../errors.js'
import { abortable } from '../flow/abortable.js'
import type { Cause } from '../model.js'
import { pause } from '../pause.js'
import { chooseBackup } from '../recover/choose-backup.js'
import { chooseKeys } from '../recover/choose-keys.js'
import { type BroughtFunctions, functionTrouble, NO_FUNCTIONS } from '../recover/functions.js'
import { recoverKeys } from '../recover/recover.js'
import { undoFlush } from '../recover/undo.js'
import type { Emit, LogEvent } from '../report/events.js'
import { type BeginWork, unwatched } from './work.js'

/** What may take a whole class of keys; a single key may have been deleted, and a database swapped, on purpose. */
const WHOLESALE: ReadonlySet<Cause> = new Set(['flush', 'restart', 'replacement', 'failover', 'unknown'])
/** How long to wait before another attempt after trouble that passes, in ms, doubling; and how many there are. */
const RETRY_FIRST = 1_000
const RETRY_LAST = 60_000
const ATTEMPTS = 20
/** How long to wait where another loss came meanwhile, in ms: in a storm that goes on for as long as it does. */
const OUTRUN = 100

export interface RecoveryContext {
  readonly config: Config
  readonly emit: Emit
  /** Everything that is emitted. */
  readonly events: Observable<LogEvent>
  /** Told of every recovery, from the loss on until nothing more is tried. */
  readonly beginWork?: BeginWork
}

/** What a loss has taken and is to be brought back. */
interface Loss {
  readonly incident: number
  /** Patterns of the classes that are gone. */
  readonly match: readonly string[]
  /** Redis' own files may hold the moment before it. */
  readonly wasFlushed: boolean
}

interface Found {
  readonly file: string
  readonly takenAt: number
  readonly copied: number
  readonly kept: number
  /** Why nothing newer was taken. */
  readonly passedOver: readonly Trouble[]
  readonly functions: BroughtFunctions
}

/** How long before a restart a flush may have been for the restart to be its end, in ms. */
const FLUSHED = 60_000

/** Brings classes of keys back that were wiped out and that only a backup holds, once for each incident. Never emits, never errors. */
export function watchRecovery(context: RecoveryContext): Observable<never> {
  if (!context.config.recover.auto) return EMPTY
  // What came while another loss was being made good may have taken that, too.
  const { beginWork = unwatched } = context
  let losses = 0
  let frozenAt = Number.NEGATIVE_INFINITY
  return context.events.pipe(
    tap((event) => {
      // An append-only file is linked aside at a flush only, and may tell of it before a restart hides the cause.
      if (event.event === 'kept_aside' && event.what === 'aof') frozenAt = steadyTime()
      if (mayTakeAll(event)) losses++
    }),
    map((event) => lossOf(event, steadyTime() - frozenAt < FLUSHED)),
    filter((loss) => loss !== undefined),
    map((loss) => ({ loss, end: beginWork() })),
    // One after the other, each to its end: a newer loss does not name again what was gone before it.
    concatMap(({ loss, end }) =>
      abortable((signal) => recoverLoss(loss, context, () => losses, signal)).pipe(finalize(end)),
    ),
    ignoreElements(),
  )
}

/** True if what was brought back until now may be gone again. A flush need not be told as a loss: all may be gone already. */
function mayTakeAll(event: LogEvent): boolean {
  if (event.event === 'suspicion') return event.signals.includes('flush')
  return (event.event === 'data_loss' || event.event === 'loss_joined') && WHOLESALE.has(event.cause)
}

function lossOf(event: LogEvent, wasFrozen: boolean): Loss | undefined {
  if ((event.event !== 'data_loss' && event.event !== 'loss_joined') || !WHOLESALE.has(event.cause)) return undefined
  const { cause, incident, classes } = event
  const match = classes.flatMap(({ match, recovery, keys_before: keys, keys_gone: gone }) => {
    // A flush takes all; what stands again already its writers have made since.
    const isGone = cause === 'flush' ? gone !== undefined && gone > 0 : isWipedOut({ keys, gone })
    return match !== null && recovery === 'backup' && isGone ? [match] : []
  })
  return match.length > 0 ? { incident, match, wasFlushed: cause === 'flush' || wasFrozen } : undefined
}

const CUT_OFF = {
  code: 'aborted',
  reason: 'the recovery was cut off: Rekindle was stopped, or its configuration was read again',
  hint: 'bring the keys back by hand: rekindle recover',
} as const

async function recoverLoss(
  loss: Loss,
  { config, emit }: RecoveryContext,
  countLosses: () => number,
  signal: AbortSignal,
): Promise<void> {
  const { incident } = loss
  const startedAt = steadyTime()
  let said: string | undefined
  for (let attempt = 0; attempt < ATTEMPTS && !signal.aborted; ) {
    try {
      const losses = countLosses()
      const { file, takenAt, copied, kept, functions, passedOver } = await bringBack(loss, config, signal)
      if (losses !== countLosses()) {
        await pause(OUTRUN, signal)
        continue
      }
      const taken_at = new Date(takenAt).toISOString()
      emit({
        event: 'keys_recovered',
        incident,
        file,
        taken_at,
        keys: copied,
        kept,
        functions: [...functions.loaded],
        ...(passedOver.length > 0 && { passed_over: passedOver.map(({ message }) => message) }),
        took_ms: steadyTime() - startedAt,
      })
      const refused = functionTrouble(functions)
      if (refused) emit({ event: 'recover_failed', incident, ...wordsOf(refused) })
      return
    } catch (error) {
      if (signal.aborted) break
      const trouble = troubleOf(error)
      const words = wordsOf(trouble)
      if (words.reason !== said) emit({ event: 'recover_failed', incident, ...words })
      said = words.reason
      if (!trouble.passing) return
      const wait = Math.min(RETRY_LAST, RETRY_FIRST * 2 ** attempt++)
      await pause(wait, signal)
    }
  }
  // Nothing takes it up again: the next daemon has not seen the loss.
  if (signal.aborted) emit({ event: 'recover_failed', incident, ...CUT_OFF })
}

function wordsOf({ code, message: reason, hint }: Trouble): { code: string; reason: string; hint: string } {
  return { code, reason, hint }
}

/**
 * From the moment before the flush, if Redis' own files still hold it; else from the best good backup, or from a snapshot that is
 * newer. Keys that are there stay.
 */
async function bringBack({ match, wasFlushed }: Loss, config: Config, signal: AbortSignal): Promise<Found> {
  const { url } = config.redis
  const backups = worthTrying(ofServer(await readShelf(config.backup.dir), url), match)
  const [best] = backups
  const passedOver: Trouble[] = []
  const undone = wasFlushed && (await undo(match, config, best && Date.parse(best.manifest.taken_at), signal))
  if (undone instanceof Trouble) passedOver.push(undone)
  else if (undone) return undone
  let failure: Trouble | undefined
  for (const backup of backups) {
    try {
      const { select } = chooseKeys(config, match)
      const chosen = await chooseBackup(config.backup.dir, backup.path)
      const { copied, kept, functions } = await recoverKeys(chosen, {
        url,
        select,
        functions: 'if_none',
        replace: false,
        dryRun: false,
        signal,
      })
      const found = { copied, kept, functions, passedOver }
      if (copied + kept > 0) return { file: chosen.path, takenAt: chosen.takenAt, ...found }
    } catch (error) {
      // What is wrong with one file may not be wrong with the next; all else is.
      if (!(error instanceof Trouble && error.code === 'bad_backup')) throw error
      failure ??= error
      passedOver.push(error)
    }
  }
  throw failure ?? nothingThere(config.backup.dir)
}

function nothingThere(dir: string): Trouble {
  const hint = 'take one when the keys are back: rekindle backup; rekindle undo may still find what Redis kept'
  return new Trouble('no_backup', `${dir}: there is no good backup of this Redis`, hint, false)
}

/** Undefined where nothing is from before the flush; what stands in the way otherwise, as that the data directory is not at hand. */
async function undo(
  match: readonly string[],
  config: Config,
  notBefore: number | undefined,
  signal: AbortSignal,
): Promise<Found | Trouble | undefined> {
  try {
    const { moment, copied, troubles } = await undoFlush({
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
    const found = { ...copied, functions: NO_FUNCTIONS, passedOver: troubles }
    return source.kind === 'rdb'
      ? { file: source.path, takenAt: source.takenAt, ...found }
      : { file: source.name, takenAt: flushedAt, ...found }
  } catch (error) {
    signal.throwIfAborted()
    const trouble = troubleOf(error)
    return trouble.code === 'nothing_to_undo' ? undefined : trouble
  }
}

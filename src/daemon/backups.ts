import { Cron } from 'croner'
import { concatMap, defer, EMPTY, ignoreElements, map, merge, Observable, repeat, timer } from 'rxjs'
import { backUp } from '../backup/round.js'
import { type Backup, ofServer, readShelf, worthTrying } from '../backup/shelf.js'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { isBackupMissed, isDrillDue } from '../decide/backup-plan.js'
import type { BackupFacts } from '../decide/risks-facts.js'
import { readBackups } from '../doctor/backups.js'
import { Trouble, troubleOf } from '../errors.js'
import { abortable } from '../flow/abortable.js'
import { pause } from '../pause.js'
import { drill } from '../recover/drill.js'
import type { Truth } from '../recover/postgres-share.js'
import type { Conditions } from '../report/conditions.js'
import type { Emit, LogEvent } from '../report/events.js'
import { type BeginWork, unwatched } from './work.js'

/** How often the folder of the backups is looked at, and whether a drill has become due, in ms. */
const LOOK = 10_000
/** How long to wait before a backup that failed for a passing reason is tried again, in ms, doubling; and how often. */
const RETRY_FIRST = 30_000
const RETRIES = 6

/** How long to wait before a drill that could not be done is tried again, in ms. */
const TRY_AGAIN = 3_600_000
/** Of each kind the newest is proved. */
const KINDS = ['rdb', 'aof'] as const

type Stage = Extract<LogEvent, { event: 'backup_failed' }>['stage']

export interface BackupsContext {
  readonly config: Config
  /** What a drill compares with. */
  readonly truth: Truth
  readonly conditions: Pick<Conditions, 'failed' | 'worked'>
  readonly emit: Emit
  /** Told of every backup and drill. */
  readonly beginWork?: BeginWork
}

/** Takes backups by the schedule and proves them, and knows which there are. */
export class Backups {
  /** What findings about backups are drawn from; undefined before the first look, and while the folder cannot be read. */
  facts: BackupFacts | undefined
  /** The newest that has not failed its proof. */
  newest: Backup | undefined

  /** The one that lost keys would come from. */
  preferred: Backup | undefined
  /** False while the folder cannot be read: then the others are as they were when it could. */
  isReadable = true
  /** When a drill of each kind was last tried, by the steady clock: one that could not be done leaves no proof. */
  private readonly tried = new Map<string, number>()

  constructor(private readonly context: BackupsContext) {}

  /** Looks at the folder every `period` ms; with a schedule, takes backups and proves them. Never emits, never errors. */
  watch(period = LOOK): Observable<never> {
    const { schedule, drill: drills } = this.context.config.backup
    const looks = defer(() => this.look()).pipe(repeat({ delay: () => timer(period) }))
    const jobs =
      schedule === undefined
        ? EMPTY
        : merge(this.dues(schedule, period), drills ? this.drillTimes(drills.every, period) : EMPTY)
    // One after the other: each may need much memory or disk.
    const work = jobs.pipe(concatMap((job) => abortable(job)))
    return merge(looks, work).pipe(ignoreElements())
  }

  /** A backup each time one is due, and at once where the last one was missed. */
  private dues(schedule: string, period: number): Observable<(signal: AbortSignal) => Promise<void>> {
    const times = new Observable<void>((out) => {
      const cron = new Cron(schedule, () => out.next())
      return () => cron.stop()
    })
    const onTime = times.pipe(map(() => (signal: AbortSignal) => this.backUp(signal)))
    const late = async (signal: AbortSignal): Promise<void> => {
      const [newest] = await this.shelf()
      const lastDue = new Cron(schedule, { paused: true }).previousRuns(1)[0]?.getTime()
      if (isBackupMissed(newest && Date.parse(newest.manifest.taken_at), lastDue)) await this.backUp(signal)
    }
    return merge(timer(period).pipe(map(() => late)), onTime)
  }

  private drillTimes(every: number, period: number): Observable<(signal: AbortSignal) => Promise<void>> {
    return timer(period, period).pipe(
      concatMap(() => KINDS),
      map((kind) => async (signal) => {
        const backups = (await this.shelf()).filter(({ manifest }) => manifest.kind === kind)
        const tried = this.tried.get(kind)
        const provedAt = backups.map(({ manifest: { proof } }) => (proof ? Date.parse(proof.at) : undefined))
        const now = steadyTime()
        const isSoon = tried !== undefined && now - tried < Math.min(every, TRY_AGAIN)
        if (isSoon || !isDrillDue(provedAt, every, Date.now())) return
        this.tried.set(kind, now)
        await this.prove(backups[0], signal)
      }),
    )
  }

  /** Takes a backup, tries again while the reason passes, has it copied away and removes what need not be kept. */
  async backUp(signal: AbortSignal): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const trouble = await this.attempt('take', signal, () => this.takeOne(signal))
      if (!trouble?.passing || attempt === RETRIES) break
      await pause(RETRY_FIRST * 2 ** attempt, signal)
      if (signal.aborted) return
    }
    await this.look()
  }

  private async takeOne(signal: AbortSignal): Promise<void> {
    const { config, emit } = this.context
    const { taken, removed, troubles } = await backUp({ config, signal })
    for (const trouble of troubles) this.fail(trouble.code === 'command_failed' ? 'after' : 'take', trouble)
    for (const [i, { backup, warnings }] of taken.entries()) {
      const { bytes, keys, took_ms, checked } = backup.manifest
      const gone = i === 0 ? removed.map(({ path }) => path) : []
      emit({
        event: 'backup',
        file: backup.path,
        bytes,
        keys: keys?.total,
        took_ms,
        checked,
        removed: gone,
        warnings: [...warnings],
      })
    }
  }

  /** Boots a backup and says what came of it. */
  async prove(backup: Backup | undefined, signal: AbortSignal): Promise<void> {
    if (!backup) return
    await this.attempt('drill', signal, async () => {
      const { proof } = await drill(backup, { truth: this.context.truth, signal })
      const { keys, took_ms, ok, differences } = proof
      if (!ok) throw notProved(backup, differences)
      this.context.emit({ event: 'drill', file: backup.path, keys, took_ms, taken_at: backup.manifest.taken_at })
    })
    await this.look()
  }

  /** Looks at what there is. */
  private async look(): Promise<void> {
    const { config, conditions, emit } = this.context
    const { facts, newest, all: backups, trouble } = await readBackups(config, Date.now())
    this.facts = facts
    this.isReadable = trouble === undefined
    if (trouble) return conditions.failed('backups', trouble)
    conditions.worked('backups')
    this.newest = newest
    const wanted = config.keys.flatMap(({ match, recovery }) => (recovery === 'backup' ? [match] : []))
    this.preferred = worthTrying(backups, wanted)[0]
    const proof = backups.find(({ manifest }) => manifest.proof)?.manifest.proof
    emit({
      event: 'backups_seen',
      count: backups.length,
      newest_taken_at: newest?.manifest.taken_at,
      newest_bytes: newest?.manifest.bytes,
      last_proved_at: proof?.at,
      last_proof_ok: proof?.ok,
      last_proof_took_ms: proof?.took_ms,
    })
  }

  /** The backups of this Redis, newest first; none where the folder cannot be read. */
  private async shelf(): Promise<Backup[]> {
    const { backup, redis } = this.context.config
    // Each look tells of that.
    return ofServer(await readShelf(backup.dir).catch(() => []), redis.url)
  }

  /** Does one stage; trouble is told and returned. A backup that is cut off is missed, a drill is done another time. */
  private async attempt(stage: Stage, signal: AbortSignal, act: () => Promise<void>): Promise<Trouble | undefined> {
    const end = (this.context.beginWork ?? unwatched)()
    try {
      await act()
      return undefined
    } catch (error) {
      if (!signal.aborted) return this.fail(stage, troubleOf(error))
      return stage === 'take' ? this.fail(stage, cutOff()) : undefined
    } finally {
      end()
    }
  }

  private fail(stage: Stage, trouble: Trouble): Trouble {
    const { code, message, hint } = trouble
    this.context.emit({ event: 'backup_failed', stage, code, reason: message, hint })
    return trouble
  }
}

function cutOff(): Trouble {
  const what = 'the backup was cut off: Rekindle was stopped, or its configuration was read again'
  return new Trouble('aborted', what, 'take one now (rekindle backup), or leave it to the schedule', false)
}

function notProved({ path }: Backup, differences: readonly string[]): Trouble {
  const hint = 'take a new backup now (rekindle backup), and look at the disk that this one is on'
  return new Trouble('bad_backup', `${path} has failed its drill: ${differences.join('; ')}`, hint, false)
}

import { InvalidArgumentError, Option } from 'commander'
import { unlessRefused, withServer } from '../backup/server-story.js'
import { type Backup, newestGood, readShelf } from '../backup/shelf.js'
import { steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { classifier } from '../decide/classes.js'
import { Trouble } from '../errors.js'
import { sayLibraries } from '../recover/functions.js'
import type { RestoredRules } from '../recover/series-rules.js'
import { FROM_BACKUP, type Undone, undoFlush } from '../recover/undo.js'
import { ask } from '../redis/wire.js'
import type { Answer } from './answer.js'
import { type Add, timeoutOption } from './command.js'
import { insistOnRedis } from './insist.js'
import { sayKey } from './key-names.js'
import { sayDuration } from './patience.js'
import { count, number } from './progress.js'
import { sayAge, sayRoom } from './recover.js'
import { sayDatabases } from './recover-left.js'
import { type Session, withSession } from './session.js'

export interface UndoCall {
  readonly match: readonly string[]
  readonly replace?: boolean
  readonly dryRun?: boolean
  readonly flush?: number
  /** How long nothing may get done, in ms. */
  readonly timeout: number
}

/** Names that are printed for a person. */
const SHOWN = 50

/** Brings back what a flush took and nothing else brings back. Rejects with a Trouble where that cannot be. */
export function undo(config: Config, call: UndoCall): Promise<Answer> {
  return withSession(config, call.timeout, async (session) => {
    const startedAt = steadyTime()
    const { url } = config.redis
    await insistOnRedis(session.patience, url, () => withServer(url, (wire) => ask(wire, 'PING').catch(unlessRefused)))
    const undone = await bringBack(session, call)
    return answer(undone, call, steadyTime() - startedAt)
  })
}

export function addUndo(add: Add): void {
  add<UndoCall>(
    'undo',
    'bring back what a FLUSHALL has just taken',
    'Rebuilds the moment before the last FLUSHALL or FLUSHDB, from the append-only file of Redis or the newest snapshot, ' +
      'and brings back the keys that nothing else can: those of the class backup and those of no class. Keys that ' +
      'are there again stay as they are. Run it where the data directory of Redis is, as a user who may read it.',
    undo,
  )
    .addOption(
      new Option('-m, --match <pattern>', 'only these keys, as in KEYS; may be repeated, and name keys of any class')
        .default([], 'all that nothing else brings back')
        .argParser((value: string, before: string[]) => [...before, value]),
    )
    .option('--dry-run', 'list the keys that would be brought back')
    .option('--replace', 'write over keys that are there again')
    .addOption(new Option('--flush <number>', 'which flush: 1 is the last, 2 the one before').argParser(readNumber))
    .addOption(timeoutOption('how long to wait while nothing gets done'))
}

async function bringBack({ config, patience, progress }: Session, call: UndoCall): Promise<Undone> {
  const { match, replace = false, dryRun = false, flush } = call
  try {
    return await undoFlush({
      url: config.redis.url,
      classify: classifier(classesOf(config)),
      match,
      replace,
      dryRun,
      flush,
      guess: flush !== undefined,
      signal: patience.signal,
      onProgress: (act, share) => {
        patience.progressed()
        if (share === undefined) progress.say(`${act} the append-only file`)
        else progress.show(act, share, [`${Math.round(100 * share)} %`])
      },
    })
  } catch (error) {
    throw error instanceof Trouble && error.code === 'nothing_to_undo' ? await withNewestBackup(error, config) : error
  }
}

/** Says which backup there is instead. */
async function withNewestBackup({ code, message, hint, passing }: Trouble, { backup }: Config): Promise<Trouble> {
  const told = await readShelf(backup.dir).then(
    (shelf) => sayNewest(newestGood(shelf), backup.dir),
    (error: Trouble) => `, if there is one: ${error.message} (${error.hint})`,
  )
  return new Trouble(
    code,
    message,
    hint.replace(FROM_BACKUP, `rekindle recover brings keys back from a backup${told}`),
    passing,
  )
}

function sayNewest(newest: Backup | undefined, dir: string): string {
  return newest ? `; the newest is of ${newest.manifest.taken_at}: ${newest.path}` : `, but there is none in ${dir}`
}

function answer(undone: Undone, call: UndoCall, took: number): Answer {
  const { moment, flush, flushes, copied, rules, leftToPostgres, leftToThemselves, troubles } = undone
  const { others, libraries } = undone
  const { source, flushedAt } = moment
  return {
    lines: [...sayMoment(undone), ...sayKeys(undone, call, took), ...sayMore(undone, call)],
    data: {
      dry_run: call.dryRun ?? false,
      source: source.kind === 'aof' ? 'append_only_file' : 'snapshot',
      flushed_at: flushedAt === undefined ? null : sayTime(flushedAt),
      taken_at: source.kind === 'rdb' ? sayTime(source.takenAt) : null,
      flush,
      flushes,
      is_guess: source.kind === 'rdb' && !source.isSure,
      copied: copied.copied,
      kept: copied.kept,
      expired: copied.expired,
      failed: copied.failed,
      gone: copied.gone.length,
      room_known: copied.isRoomKnown,
      rules: rules.restored,
      rules_failed: rules.failed,
      left_to_heal: leftToPostgres,
      left_to_themselves: leftToThemselves,
      left_databases: others,
      functions_missing: libraries,
      ...(call.dryRun && { names: copied.names.map(sayKey), names_complete: copied.names.length === copied.copied }),
      passed_over: troubles.map(({ code, message }) => ({ code, error: message })),
      took_ms: took,
    },
    troubles: failed(undone),
  }
}

/** Which moment it was, and what is lost for good. */
function sayMoment({ moment: { source, flushedAt }, flush }: Undone): string[] {
  const which = flush === 1 ? 'the last flush' : `flush ${flush} (1 is the last)`
  const when = flushedAt === undefined ? '' : ` (${sayTime(flushedAt)})`
  if (source.kind === 'aof') return [`The append-only file holds all that was written before ${which}${when}.`]
  const taken = sayTime(source.takenAt)
  if (!source.isSure)
    return [`The newest snapshot is of ${taken}. That this database was flushed since then is a guess: nothing tells.`]
  if (flushedAt === undefined)
    return [`The newest snapshot is of ${taken}: what was written between that and the flush is lost.`]
  const age = sayAge(flushedAt - source.takenAt)
  return [`The newest snapshot before ${which}${when} is of ${taken}: what was written in the ${age} between is lost.`]
}

function sayKeys({ copied, leftToPostgres, leftToThemselves }: Undone, call: UndoCall, took: number): string[] {
  const { names, kept, expired } = copied
  const done = call.dryRun
    ? `Would bring back ${count(copied.copied, 'key')}`
    : `Brought back ${count(copied.copied, 'key')} in ${sayDuration(took)}`
  const others = [
    ...(kept > 0 ? [`${number(kept)} there again and kept`] : []),
    ...(expired > 0 ? [`${number(expired)} expired meanwhile`] : []),
    ...(leftToPostgres > 0 ? [`${number(leftToPostgres)} left to PostgreSQL`] : []),
    ...(leftToThemselves > 0 ? [`${number(leftToThemselves)} left to those who write them`] : []),
  ]
  const listed = call.dryRun ? names.slice(0, SHOWN).map((name) => `  ${sayKey(name)}`) : []
  const more = call.dryRun && copied.copied > SHOWN ? [`  … and ${number(copied.copied - SHOWN)} more`] : []
  return [`${[done, ...others].join('; ')}${listed.length > 0 ? ':' : '.'}`, ...listed, ...more]
}

function sayMore(
  { copied, rules, flush, flushes, others, libraries, troubles }: Undone,
  { replace, dryRun }: UndoCall,
): string[] {
  const earlier = flushes - flush
  const traces = earlier === 1 ? 'one earlier flush' : `${number(earlier)} earlier flushes`
  return [
    ...(copied.kept > 0 && !replace ? ['What was kept is as Redis has it; --replace writes over it.'] : []),
    ...sayRoom(copied),
    ...sayRules(rules, dryRun ?? false),
    ...(others.length > 0
      ? [`Other databases held more then: ${sayDatabases(others)}; each is brought back with redis.url at it.`]
      : []),
    ...(libraries.length > 0
      ? [`Redis lacks ${sayLibraries(libraries)} of then, which no flush takes: rekindle recover may have them.`]
      : []),
    ...troubles.map(({ message }) => `Passed over: ${message}.`),
    ...(earlier > 0 ? [`There are traces of ${traces}: --flush ${flush + 1} undoes the one before.`] : []),
  ]
}

/** RESTORE leaves the compaction rules of time series out. */
function sayRules({ restored, failed, failure }: RestoredRules, dryRun: boolean): string[] {
  const made = `${dryRun ? 'Would make' : 'Made'} ${count(restored, 'compaction rule')} of time series anew`
  const example = failure && `${sayKey(failure.source)} to ${sayKey(failure.target)} for one: ${failure.message}`
  return [
    ...(restored > 0 ? [`${made}: the bucket that is open counts only what comes from now on.`] : []),
    ...(failed > 0 ? [`${count(failed, 'compaction rule')} could not be made anew, ${example}.`] : []),
  ]
}

function failed({ copied: { failed, failure, gone } }: Undone): Trouble[] {
  if (failure) {
    const what = `${count(failed, 'key')} could not be brought back, ${sayKey(failure.key)} for one: ${failure.message}`
    return [new Trouble('redis_no_module', what, 'load the module of these keys into the live Redis', false)]
  }
  if (!gone[0]) return []
  const what = `${count(gone.length, 'key')} that were brought back are gone again, ${sayKey(gone[0])} for one`
  return [new Trouble('not_whole', what, 'somebody deletes them, or Redis evicts them: look at maxmemory', true)]
}

function sayTime(at: number): string {
  return new Date(at).toISOString()
}

function readNumber(value: string): number {
  if (!/^[1-9]\d{0,5}$/.test(value))
    throw new InvalidArgumentError('it should be 1 for the last flush, 2 for the one before')
  return Number(value)
}

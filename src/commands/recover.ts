import { Option } from 'commander'
import { steadyTime } from '../clock.js'
import { configError } from '../config/problem.js'
import type { Config } from '../config/schema.js'
import { Trouble } from '../errors.js'
import { type Chosen, chooseBackups } from '../recover/choose-backup.js'
import { type Choice, chooseKeys, classesWanted } from '../recover/choose-keys.js'
import { type Copied, NOTHING_COPIED } from '../recover/copy-keys.js'
import { recoverKeys } from '../recover/recover.js'
import { NO_RULES, type RestoredRules } from '../recover/series-rules.js'
import type { Answer } from './answer.js'
import type { Add } from './command.js'
import { sayKey } from './key-names.js'
import { nameNext } from './next-backup.js'
import { sayDuration } from './patience.js'
import { count, number } from './progress.js'
import { recoverInto } from './recover-into.js'
import { Left } from './recover-left.js'
import { type Session, withSession } from './session.js'

export interface RecoverOptions {
  readonly match: readonly string[]
  readonly backup?: string
  readonly replace?: boolean
  readonly dryRun?: boolean
  readonly into?: string
}

/** It takes as long as it takes; nobody is waited for. In ms. */
const NO_LIMIT = 2 ** 31 - 1
/** Names that are printed for a person. */
const SHOWN = 50
const TEACH =
  "should name the keys, such as --match 'sub:user:*': no class of keys in the configuration has recovery: backup"

export function addRecover(add: Add): void {
  add<RecoverOptions>(
    'recover',
    'bring keys back from a backup',
    'Brings keys from the newest good backup into the running Redis, with what is left of their time to live. Keys that ' +
      'Redis has are kept, and keys that PostgreSQL gives back are left to restore. With --into it prepares the data ' +
      'directory of a stopped server instead, so that it starts with the backup.',
    (config, options) => recover(config, options),
  )
    .addOption(
      new Option('-m, --match <pattern>', 'these keys; may be repeated')
        .default([], 'the classes with recovery: backup')
        .argParser(collect),
    )
    .option('-b, --backup <file>', 'this backup, or any dump.rdb; else the newest good one')
    .option('--replace', 'write over keys that Redis has')
    .option('--dry-run', 'write nothing, and list the keys')
    .option('--into <folder>', 'prepare the data directory of a stopped Redis')
}

function collect(value: string, before: readonly string[]): string[] {
  if (value === '') throw configError('--match', "'' matches no key; it should be a pattern, such as 'sub:user:*'")
  return [...before, value]
}

/** Brings keys back into the live Redis, or everything into a data directory. Rejects with a ConfigError or Trouble. */
export async function recover(config: Config, options: RecoverOptions): Promise<Answer> {
  const { match, backup, replace, dryRun, into } = options
  if (into !== undefined) {
    if (match.length > 0 || replace || dryRun)
      throw configError('--into', 'goes with --backup only: it brings everything')
    return recoverInto(config, into, backup)
  }
  if (match.length === 0 && !config.keys.some(({ recovery }) => recovery === 'backup'))
    throw configError('--match', TEACH)
  return withSession(config, NO_LIMIT, async (session) => new Recovery(session, options).run())
}

class Recovery {
  private readonly choice: Choice
  private readonly startedAt = steadyTime()
  private soFar: Copied = NOTHING_COPIED
  private rules = NO_RULES
  private leftToHeal = 0
  private readonly left: Left

  constructor(
    private readonly session: Session,
    private readonly options: RecoverOptions,
  ) {
    this.choice = chooseKeys(session.config, options.match)
    this.left = new Left(options.match.length > 0)
  }

  async run(): Promise<Answer> {
    const { config } = this.session
    const { backup, match } = this.options
    const [chosen, ...others] = await chooseBackups(config, classesWanted(config, match), backup)
    try {
      await this.bringBack(chosen)
      return this.report(chosen, this.troubles(chosen, others))
    } catch (error) {
      const trouble = nameNext(error, others)
      if (!(trouble instanceof Trouble)) throw trouble
      return this.report(chosen, [trouble])
    }
  }

  private async bringBack(chosen: Chosen): Promise<void> {
    const { config, patience, progress } = this.session
    const { dryRun = false, replace = false } = this.options
    const { match } = this.options
    const { rules, functions, contents, ...copied } = await recoverKeys(chosen, {
      url: config.redis.url,
      select: this.choice.select,
      onKey: (key) => {
        if (this.choice.isLeftToHeal(key)) this.leftToHeal++
        else if (!this.choice.select(key)) this.left.add(this.choice.recoveryOf(key))
      },
      // Whoever names keys wants these alone.
      ...((match.length === 0 || match.includes('*')) && { functions: 'all' }),
      replace,
      dryRun,
      signal: patience.signal,
      onChecking: (share) => progress.show('Checking', share, [chosen.path]),
      onLoading: (share) => progress.show('Booting', share, [chosen.path]),
      onCopying: (soFar, share) => {
        this.soFar = soFar
        progress.show(dryRun ? 'Looking' : 'Bringing back', share, [count(soFar.copied, 'key')])
      },
    })
    this.soFar = copied
    this.rules = rules
    this.left.take(contents, functions)
  }

  private troubles(chosen: Chosen, others: readonly Chosen[]): Trouble[] {
    const { copied, kept, failed, failure, gone } = this.soFar
    if (failure) {
      const what = `${count(failed, 'key')} could not be written, such as ${sayKey(failure.key)}: ${failure.message}`
      return [new Trouble('redis_no_module', what, 'load the module that they need into the live Redis', false)]
    }
    if (gone[0]) {
      const what = `${count(gone.length, 'key')} that were written are gone again, such as ${sayKey(gone[0])}`
      return [new Trouble('not_whole', what, 'somebody deletes them, or Redis evicts them: look at maxmemory', true)]
    }
    const { troubles } = this.left
    if (troubles.length > 0 || this.left.hasFunctions || copied + kept + this.leftToHeal > 0) return troubles
    return [this.nothingCame(others.filter(({ takenAt }) => takenAt < chosen.takenAt))]
  }

  /** Success it is not to bring back nothing: the backup may be of after the loss. */
  private nothingCame([older]: readonly Chosen[]): Trouble {
    const { match } = this.options
    const named = match.length > 0 ? `that matches ${match.join(' or ')}` : 'of a class with recovery: backup'
    const lives = this.soFar.expired > 0 ? ' and still has time to live' : ''
    const hint = older
      ? `an older one may: --backup ${older.path}`
      : 'there is no older good backup; try another pattern, or rekindle undo'
    return new Trouble('no_backup', `the backup holds no key ${named}${lives}`, hint, false)
  }

  private report(chosen: Chosen, troubles: readonly Trouble[]): Answer {
    const { dryRun = false } = this.options
    const { copied, kept, expired, failed, names, gone, isRoomKnown } = this.soFar
    const { left, leftToHeal } = this
    const age = this.startedAt - chosen.takenAt
    const taken = new Date(chosen.takenAt).toISOString()
    const act = dryRun ? 'Would bring back' : 'Brought back'
    return {
      lines: [
        ...chosen.warnings.map((warning) => `Warning: ${warning}.`),
        ...(troubles.length > 0 && copied + kept === 0
          ? []
          : [`${act} ${count(copied, 'key')} from ${chosen.path}, which was taken ${sayAge(age)} ago (${taken}).`]),
        ...(dryRun ? listNames(names, copied) : []),
        ...(kept > 0 ? [sayKept(kept)] : []),
        ...sayRoom(this.soFar),
        ...sayRules(this.rules, dryRun),
        ...(leftToHeal > 0
          ? [`Left ${count(leftToHeal, 'key')} to rekindle restore, which has them from PostgreSQL.`]
          : []),
        ...(expired > 0 ? [`The time of ${count(expired, 'key')} has come meanwhile.`] : []),
        ...left.lines(dryRun),
      ],
      data: {
        backup: chosen.path,
        taken_at: taken,
        age_ms: age,
        warnings: chosen.warnings,
        dry_run: dryRun,
        copied,
        kept,
        expired,
        failed,
        gone: gone.length,
        room_known: isRoomKnown,
        rules_restored: this.rules.restored,
        rules_failed: this.rules.failed,
        left_to_heal: leftToHeal,
        ...left.data,
        ...(dryRun && { names: names.map(sayKey), names_complete: names.length === copied }),
        took_ms: steadyTime() - this.startedAt,
      },
      troubles,
    }
  }
}

/** What became of the compaction rules of time series, where there were any. */
function sayRules({ restored, failed, failure }: RestoredRules, dryRun: boolean): string[] {
  const act = dryRun ? 'Would make' : 'Made'
  return [
    ...(restored > 0 ? [`${act} ${count(restored, 'compaction rule')} of time series anew.`] : []),
    ...(failure
      ? [
          `Warning: ${count(failed, 'compaction rule')} could not be made, such as ${sayKey(failure.source)} to ` +
            `${sayKey(failure.target)}: ${failure.message}. Make them by TS.CREATERULE.`,
        ]
      : []),
  ]
}

/** A warning where nobody could see whether other keys were evicted for those that were written. */
export function sayRoom({ isRoomKnown }: Copied): string[] {
  const what = 'Redis does not tell whether it evicts other keys to make room for these'
  return isRoomKnown ? [] : [`Warning: ${what}: look at its maxmemory, or allow +info to the user.`]
}

function sayKept(kept: number): string {
  const them = kept === 1 ? 'it' : 'them'
  return `Kept ${count(kept, 'key')} as Redis has ${them}; --replace writes over ${them}.`
}

function listNames(names: readonly Buffer[], total: number): string[] {
  const shown = names.slice(0, SHOWN).map((name) => `  ${sayKey(name)}`)
  return total > shown.length ? [...shown, `  and ${number(total - shown.length)} more`] : shown
}

/** `40 s`, `5 min`, `3 h`, `12 days`. */
export function sayAge(ms: number): string {
  const hours = ms / 3_600_000
  if (hours < 2) return sayDuration(Math.max(0, ms))
  return hours < 48 ? `${Math.round(hours)} h` : `${Math.round(hours / 24)} days`
}

import type { Trouble } from '../errors.js'
import type { Recovery } from '../model.js'
import type { Contents } from '../recover/contents.js'
import { type BroughtFunctions, functionTrouble, NO_FUNCTIONS, sayLibraries } from '../recover/functions.js'
import { count } from './progress.js'

/** What a backup holds that is not brought back, and what became of its functions. */
export class Left {
  /** Keys that were not chosen, by what would bring them back; '' for those of no class. */
  private readonly keys = new Map<Recovery | '', number>()
  private functions: BroughtFunctions = NO_FUNCTIONS
  private contents: Contents = { others: [], libraries: [], expired: undefined }

  constructor(
    /** True if keys were chosen by patterns. */
    private readonly isNamed: boolean,
  ) {}

  /** Takes note of a key that was not chosen. */
  add(recovery: Recovery | undefined): void {
    const its = recovery ?? ''
    this.keys.set(its, (this.keys.get(its) ?? 0) + 1)
  }

  /** Takes note of what there is beside the keys of our database, and of what was done with the functions. */
  take(contents: Contents, functions: BroughtFunctions): void {
    this.contents = contents
    this.functions = functions
  }

  /** True if functions were brought back, or stood already. */
  get hasFunctions(): boolean {
    return this.functions.loaded.length + this.functions.kept.length > 0
  }

  /** What the live Redis refused. */
  get troubles(): Trouble[] {
    const trouble = functionTrouble(this.functions)
    return trouble ? [trouble] : []
  }

  lines(dryRun: boolean): string[] {
    const { loaded, kept } = this.functions
    return [
      ...(loaded.length > 0 ? [`${dryRun ? 'Would load' : 'Loaded'} ${sayLibraries(loaded)}.`] : []),
      ...(kept.length > 0 ? [`Kept ${sayLibraries(kept)} as Redis has it; --replace loads that of the backup.`] : []),
      ...this.leftLines(),
    ]
  }

  private leftLines(): string[] {
    const { others, expired = 0 } = this.contents
    const keys = this.leftKeys()
    return [
      ...(keys.length > 0 ? [`The backup holds more, which was not asked for: ${keys.join(', ')}.`] : []),
      ...(others.length > 0
        ? [`It holds other databases, too: ${sayDatabases(others)}; each is brought back with redis.url at it.`]
        : []),
      ...(this.leftLibraries.length > 0
        ? [`It holds ${sayLibraries(this.leftLibraries)}, too, which --match '*' or none brings back.`]
        : []),
      ...(expired > 0 ? [`By the clock of this machine the time of ${count(expired, 'key')} had come before.`] : []),
    ]
  }

  private leftKeys(): string[] {
    const say = (its: Recovery | '', what: string): string[] => {
      const keys = this.keys.get(its) ?? 0
      return keys > 0 ? [`${count(keys, 'key')} ${what}`] : []
    }
    if (this.isNamed) {
      const all = [...this.keys.values()].reduce((sum, keys) => sum + keys, 0)
      return all > 0 ? [`${count(all, 'key')} of other names`] : []
    }
    return [
      ...say('', 'of no class (--match brings them)'),
      ...say('itself', 'that their writers bring back'),
      ...say('postgres', 'that PostgreSQL gives back'),
    ]
  }

  private get leftLibraries(): string[] {
    const { loaded, kept, failed } = this.functions
    const seen = new Set([...loaded, ...kept, ...failed.map(({ name }) => name)])
    return this.contents.libraries.flatMap(({ name }) => (seen.has(name) ? [] : [name]))
  }

  /** The same for a machine. */
  get data(): object {
    const { loaded, kept, failed } = this.functions
    return {
      left_keys: {
        of_no_class: this.keys.get('') ?? 0,
        backup: this.keys.get('backup') ?? 0,
        itself: this.keys.get('itself') ?? 0,
        postgres: this.keys.get('postgres') ?? 0,
      },
      left_databases: this.contents.others,
      functions: { loaded, kept, failed, left: this.leftLibraries },
      expired_before: this.contents.expired ?? null,
    }
  }
}

/** `db1 (2 keys), db3 (1 key)`. */
export function sayDatabases(databases: Contents['others']): string {
  return databases.map(({ database, keys }) => `db${database} (${count(keys, 'key')})`).join(', ')
}

import { defer, ignoreElements, type Observable, repeat, Subject, timer } from 'rxjs'
import { steadyTime } from '../clock.js'
import { configKeys, namedColumn } from '../config/key-of.js'
import type { Config } from '../config/schema.js'
import type { Change } from '../decide/announcement.js'
import { SYMBOLS_POLL } from '../decide/change-sources.js'
import { coarse, nextWait } from '../decide/poll-pace.js'
import type { Updates } from '../detect/updates.js'
import { Trouble } from '../errors.js'
import type { Conditions } from '../report/conditions.js'

/** Between whole looks that are no rarer than so many polls, none is glanced at. */
const NEAR = 2

/** What has been quicker for so long is told, in ms. */
const LASTING = 60_000

export interface PollsContext {
  readonly config: Config
  readonly updates: readonly Updates[]
  readonly conditions: Conditions
  /** Told when a dataset is polled at another pace, can no longer be polled, or can be again. */
  readonly onPace: () => void
}

/** Asks the datasets' fingerprints, now and then or in a loop, and keeps account of how well that goes. */
export class Polls {
  /** How long each really takes between two polls, in ms, where that is longer than asked for. */
  private readonly paces = new Map<string, number>()
  /** Since when it takes much less. */
  private readonly quickSince = new Map<string, number>()
  private readonly failing = new Set<string>()
  private readonly asking = new Map<Updates, Promise<boolean>>()
  /** What the polls have found. */
  readonly changes = new Subject<Change & { readonly at: number }>()

  constructor(private readonly context: PollsContext) {}

  /** How often the dataset is polled, in ms; undefined if that fails, or nothing does it. */
  paceOf(dataset: string): number | undefined {
    const { poll } = this.context.config.watch
    if (dataset === 'symbols') return Math.max(poll, SYMBOLS_POLL)
    if (this.failing.has(dataset) || !this.context.updates.some((each) => each.dataset === dataset)) return undefined
    return this.paces.get(dataset) ?? poll
  }

  /**
   * Looks at what has changed since the last time, and has `changes` tell unless `isSilent`: whoever asks may be gone when the answer
   * comes, but what was seen changed must be told. False where PostgreSQL could not be asked; the dataset's condition tells of that.
   */
  async ask(updates: Updates, isSilent = false): Promise<boolean> {
    const before = this.asking.get(updates) ?? Promise.resolve(true)
    // One at a time: each compares with what the one before saw.
    const asked = before.then(() => this.look(updates, isSilent))
    this.asking.set(updates, asked)
    return asked
  }

  /** Asks each of these again and again, but only for a small part of the time. Emits nothing. */
  loops(updates: readonly Updates[]): Observable<never>[] {
    const { poll } = this.context.config.watch
    return updates.map((each) => {
      let wait = poll
      return defer(async () => {
        // Where the whole look is as quick as it should be, no glance is needed.
        if (each.isGlance && (this.paceOf(each.dataset) ?? Number.POSITIVE_INFINITY) <= NEAR * poll) return
        const at = performance.now()
        await this.ask(each)
        const took = performance.now() - at
        wait = nextWait(wait, took, { poll, loops: updates.length })
        // Within what time changes are found is said of what misses none.
        if (!each.isGlance) this.notePace(each.dataset, wait + took)
      }).pipe(repeat({ delay: () => timer(wait) }), ignoreElements())
    })
  }

  private async look(updates: Updates, isSilent: boolean): Promise<boolean> {
    const { conditions, config, onPace } = this.context
    const { dataset } = updates
    const at = steadyTime()
    try {
      const change = await updates.next()
      if (!updates.isGlance) conditions.worked(`${dataset} polling`)
      if (!updates.isGlance && this.failing.delete(dataset)) onPace()
      if (change && !isSilent) this.changes.next({ ...change, at })
      return true
    } catch (error) {
      // What hinders it hinders the whole look as well, which tells of it.
      if (updates.isGlance) return false
      // A server that is away is told of by its own condition, and a list of symbols that cannot be read by that of the symbols.
      if (error instanceof Trouble && !/^postgres_(unreachable|refused)$|^no_symbols$/.test(error.code)) {
        conditions.failed(`${dataset} polling`, pollTrouble(dataset, error, config))
        if (!this.failing.has(dataset)) {
          this.failing.add(dataset)
          onPace()
        }
      }
      return false
    }
  }

  /** Longer at once, shorter only where it has been much so for long, that nobody is told of every jitter. */
  private notePace(dataset: string, pace: number): void {
    const { poll } = this.context.config.watch
    const told = this.paces.get(dataset) ?? poll
    const now = pace <= 1.5 * poll ? poll : coarse(pace)
    const at = steadyTime()
    const since = this.quickSince.get(dataset) ?? at
    if (now > told / 4) this.quickSince.delete(dataset)
    else this.quickSince.set(dataset, since)
    if (now <= told && (now > told / 4 || at - since < LASTING)) return
    this.quickSince.delete(dataset)
    this.paces.set(dataset, now)
    this.context.onPace()
  }
}

function pollTrouble(dataset: string, { code, message, hint, passing }: Trouble, config: Config): Trouble {
  const column = namedColumn(message)
  const keys = column === undefined ? [] : configKeys(config, dataset, column)
  const scrub = `${Math.round(config.watch.scrub / 1000)} s`
  return new Trouble(
    code,
    `changes of ${dataset} cannot be polled, only the scrub finds them, every ${scrub}: ${message}`,
    keys.length > 0 ? `check ${keys.map((key) => `${key}: ${column}`).join(', ')} in the configuration` : hint,
    passing,
  )
}

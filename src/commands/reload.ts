import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/schema.js'
import type { BeginWork } from '../daemon/work.js'
import type { Emit, LogEvent } from '../report/events.js'

/** How long an open incident may hold a new configuration up, and how long a backup, drill or recovery, in ms. */
const PATIENCE = { incident: 30_000, work: 600_000 }
/** Sections that guarding knows nothing of. */
const OUTSIDE = ['log', 'http', 'alerts']

/** The sections that differ. */
export function changedSections(before: Config, after: Config): (keyof Config)[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]) as Set<keyof Config>
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name])).sort()
}

/** True if the daemon must begin anew to follow these. */
export function concernsGuarding(changed: readonly (keyof Config)[]): boolean {
  return changed.some((section) => !OUTSIDE.includes(section))
}

/** Knows from the events, and from what is told to `begin`, whether something is under way that a new configuration should wait for. */
export class Underway {
  private readonly open = new Set<number>()
  private readonly away = new Set<string>()
  private readonly work = new Set<object>()
  private readonly waiting = new Set<() => void>()

  /** Work that should not be cut off has begun; call what it gives when that is over. */
  readonly begin: BeginWork = () => {
    const one = {}
    this.work.add(one)
    return () => {
      this.work.delete(one)
      this.wake()
    }
  }

  readonly take = (event: LogEvent): void => {
    if (event.event === 'data_loss') this.open.add(event.incident)
    if (event.event === 'healed') for (const id of [...event.supersedes, event.incident]) this.open.delete(id)
    if (event.event === 'redis_down' || event.event === 'postgres_down') this.away.add(event.event)
    if (event.event === 'redis_up') this.away.delete('redis_down')
    if (event.event === 'postgres_up') this.away.delete('postgres_down')
    this.wake()
  }

  /** A heal that waits for a server gets nowhere: another configuration may be just what it needs. */
  private get isHealing(): boolean {
    return this.open.size > 0 && this.away.size === 0
  }

  /** Forgets the incidents: whatever was open ended with the daemon that opened it. Its work tells of its end itself. */
  reset(): void {
    this.open.clear()
    this.away.clear()
  }

  /**
   * Resolves when no backup, drill or recovery is under way, and no incident is open or a server that healing needs is away; each
   * is waited for so many ms only.
   */
  async quiet(patience = PATIENCE): Promise<void> {
    const lastAt = performance.now() + patience.work
    const left = (): number => lastAt - performance.now()
    // While one was waited for, the other may have begun.
    let isHealed = false
    do {
      await this.until(() => this.work.size === 0, left())
      isHealed = await this.until(() => !this.isHealing, patience.incident)
    } while ((isHealed && this.isHealing) || (this.work.size > 0 && left() > 0))
  }

  /** True as soon as it is so, false after `patience` ms. */
  private async until(isSo: () => boolean, patience: number): Promise<boolean> {
    if (isSo() || patience <= 0) return isSo()
    return new Promise((resolve) => {
      const look = (): void => {
        if (isSo()) end(true)
      }
      const end = (result: boolean): void => {
        clearTimeout(timer)
        this.waiting.delete(look)
        resolve(result)
      }
      const timer = setTimeout(() => end(false), patience)
      this.waiting.add(look)
    })
  }

  private wake(): void {
    for (const look of [...this.waiting]) look()
  }
}

export interface ReloadOptions {
  readonly config: Config
  /** Reads the configuration; throws a ConfigError. */
  readonly load: () => Config
  readonly emit: Emit
  readonly underway: Underway
  /** Follows the sections that have changed; those that concern guarding only once nothing is under way. */
  readonly follow: (config: Config, changed: readonly (keyof Config)[]) => void
}

/** Reads the configuration again when asked, and follows it; one that is broken changes nothing. */
export class Reloader {
  private current: Config
  private latest = 0

  constructor(private readonly options: ReloadOptions) {
    this.current = options.config
  }

  /** Resolves when the new configuration is followed, or a newer one has come, or it is refused. Never rejects. */
  async reload(): Promise<void> {
    const { load, emit, underway, follow } = this.options
    let next: Config
    try {
      next = load()
    } catch (error) {
      // Whatever it is, it must not end a daemon that works.
      emit({ event: 'reload_failed', reason: error instanceof Error ? error.message : String(error) })
      return
    }
    // Only one that can be followed takes the place of one that waits.
    const turn = ++this.latest
    const changed = changedSections(this.current, next)
    const outside = changed.filter((section) => !concernsGuarding([section]))
    if (outside.length > 0) {
      this.current = { ...this.current, ...pick(next, outside) }
      follow(this.current, outside)
    }
    const inside = changed.filter((section) => !outside.includes(section))
    if (inside.length > 0) {
      await underway.quiet()
      if (turn !== this.latest) return
      follow(next, inside)
      underway.reset()
    }
    this.current = next
    emit({ event: 'reloaded', changed })
  }
}

function pick(config: Config, sections: readonly (keyof Config)[]): Partial<Config> {
  return Object.fromEntries(sections.map((section) => [section, config[section]]))
}

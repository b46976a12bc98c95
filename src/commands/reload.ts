import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/schema.js'
import type { Emit, LogEvent } from '../report/events.js'

/** How long an open incident may hold a new configuration up, in ms. */
const PATIENCE = 30_000
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

/** Knows from the events whether something is under way that a new configuration should wait for. */
export class Underway {
  private readonly open = new Set<number>()
  private readonly away = new Set<string>()
  private readonly waiting = new Set<() => void>()

  readonly take = (event: LogEvent): void => {
    if (event.event === 'data_loss') this.open.add(event.incident)
    if (event.event === 'healed') for (const id of [...event.supersedes, event.incident]) this.open.delete(id)
    if (event.event === 'redis_down' || event.event === 'postgres_down') this.away.add(event.event)
    if (event.event === 'redis_up') this.away.delete('redis_down')
    if (event.event === 'postgres_up') this.away.delete('postgres_down')
    if (this.isQuiet) for (const go of [...this.waiting]) go()
  }

  /** A heal that waits for a server gets nowhere: another configuration may be just what it needs. */
  private get isQuiet(): boolean {
    return this.open.size === 0 || this.away.size > 0
  }

  /** Forgets everything: whatever was open ended with the daemon that opened it. */
  reset(): void {
    this.open.clear()
    this.away.clear()
  }

  /** Resolves when no incident is open, or a server that healing needs is away, or after `patience` ms. */
  async quiet(patience = PATIENCE): Promise<void> {
    if (this.isQuiet) return
    await new Promise<void>((resolve) => {
      const go = (): void => {
        clearTimeout(timer)
        this.waiting.delete(go)
        resolve()
      }
      const timer = setTimeout(go, patience)
      this.waiting.add(go)
    })
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
    const turn = ++this.latest
    let next: Config
    try {
      next = load()
    } catch (error) {
      // Whatever it is, it must not end a daemon that works.
      emit({ event: 'reload_failed', reason: error instanceof Error ? error.message : String(error) })
      return
    }
    const changed = changedSections(this.current, next)
    const outside = changed.filter((section) => !concernsGuarding([section]))
    if (outside.length > 0) follow({ ...this.current, ...pick(next, outside) }, outside)
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

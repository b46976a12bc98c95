import type { Backup } from '../backup/shelf.js'
import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { type ClassShare, comesBack, goneOf } from '../decide/class-losses.js'
import { classifier } from '../decide/classes.js'
import type { KeysAtStake } from '../decide/risks-facts.js'
import { type ClassCount, type Inventory as Counted, countClasses, stakeOf } from '../doctor/inventory.js'
import { missingKeys } from '../redis/presence.js'
import type { Wire } from '../redis/wire.js'
import type { ClassLoss, Emit } from '../report/events.js'

/** A count that began this shortly before a loss was noticed, in ms, may have missed what was gone already. */
const SETTLED = 3_000
/** How many keys may be counted, and for how long, in ms, while an alert waits for it. */
const QUICKLY = { keys: 5_000, ms: 100 }

/** Knows how many keys of each class there were, so that an alert can say how many of these are gone. Kept in memory. */
export class Inventory {
  /** Those made while everything was whole, newest first. */
  private counts: Counted[] = []
  private latest: Counted | undefined
  private readonly classify

  constructor(
    private readonly config: Config,
    /** The newest good backup, for what the alert says; and for what was there, as long as nothing was counted. */
    private readonly newest: () => Backup | undefined,
    private readonly emit: Emit,
  ) {
    this.classify = classifier(classesOf(config))
  }

  /** Counts the keys of each class, with bounded work. What is counted while something is missing is no measure of what there was. */
  async count(wire: Wire, isWhole: () => boolean, signal: AbortSignal): Promise<void> {
    const wasWhole = isWhole()
    const counted = await countClasses(wire, this.classify, { signal })
    const whole = wasWhole && isWhole()
    this.latest = counted
    if (whole) this.counts = [counted, ...this.counts].slice(0, 2)
    const classes = counted.classes.map(({ class: its, keys }) => ({
      match: its?.match ?? null,
      recovery: its?.recovery ?? null,
      keys,
    }))
    this.emit({ event: 'counted', keys: counted.total - counted.own, exact: counted.exact, classes, whole })
  }

  /** True if there is no measure yet of what there is when all is well. */
  get isBlank(): boolean {
    return this.counts.length === 0
  }

  /** The keys that would not come back by themselves, as they were last counted. */
  get stake(): KeysAtStake {
    return stakeOf(this.latest?.classes ?? [])
  }

  /** What is gone of each class that had keys; and from then on they are no longer counted. */
  async losses(wire: Wire): Promise<ClassLoss[]> {
    const now = Date.now()
    const counted = this.counts.find(({ at }) => now - at >= SETTLED) ?? this.counts.at(-1)
    const shares = counted ? await this.sharesOf(counted, wire, now) : await this.sharesSinceBackup(wire)
    return shares.filter(({ keys }) => keys > 0).map((share) => this.tell(share))
  }

  private async sharesOf({ at, classes, ...rest }: Counted, wire: Wire, now: number): Promise<ClassShare[]> {
    const asked = classes.map(({ sample }) =>
      sample.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > now),
    )
    const missing = new Set(
      await missingKeys(
        wire,
        asked.flat().map(({ name }) => name),
      ),
    )
    const left: ClassCount[] = []
    const shares = classes.map((its, i): ClassShare => {
      const names = (asked[i] ?? []).map(({ name }) => name)
      const gone = goneOf(its, names.length, names.filter((name) => missing.has(name)).length)
      left.push({ ...its, keys: its.keys - (gone ?? 0), sample: its.sample.filter(({ name }) => !missing.has(name)) })
      const { match, recovery, impact } = its.class ?? { match: null, recovery: null }
      return { match, recovery, impact, keys: its.keys, at, gone }
    })
    this.counts = [{ ...rest, at, classes: left }]
    return shares
  }

  /** Where nothing was counted yet: the daemon was started after the loss. The newest backup tells what there was. */
  private async sharesSinceBackup(wire: Wire): Promise<ClassShare[]> {
    const { keys, taken_at } = this.newest()?.manifest ?? {}
    if (!keys || taken_at === undefined) return []
    const counted = await countClasses(wire, this.classify, { limits: QUICKLY, samples: 1 })
    return keys.classes.map(({ match, recovery, keys: before }) => {
      const its = this.config.keys.find((each) => each.match === match)
      const here = counted.classes.find((each) => (each.class?.match ?? null) === match)?.keys ?? 0
      const gone = counted.exact ? Math.max(0, before - here) : undefined
      return { match, recovery, impact: its?.impact, keys: before, at: Date.parse(taken_at), gone }
    })
  }

  private tell(share: ClassShare): ClassLoss {
    const { match, recovery, impact, keys, at, gone } = share
    const backup = this.newest()
    const newest = backup && { path: backup.path, takenAt: backup.manifest.taken_at }
    return {
      match,
      recovery,
      impact,
      keys_before: keys,
      keys_gone: gone,
      counted_at: new Date(at).toISOString(),
      comes_back: comesBack(share, newest, this.config.recover.auto),
    }
  }
}

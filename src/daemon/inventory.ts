import { dateOf, steadyTime } from '../clock.js'
import type { Config } from '../config/schema.js'
import { classesOf } from '../datasets/classes.js'
import { type ClassShare, comesBack, goneOf } from '../decide/class-losses.js'
import { classifier } from '../decide/classes.js'
import type { KeysAtStake } from '../decide/risks-facts.js'
import { type ClassCount, type Inventory as Counted, countClasses, stakeOf } from '../doctor/inventory.js'
import { Trouble } from '../errors.js'
import type { KeyClass } from '../model.js'
import { missingKeys } from '../redis/presence.js'
import type { Wire } from '../redis/wire.js'
import type { ClassLoss, Emit } from '../report/events.js'
import type { Backups } from './backups.js'

/** A count that began this shortly before a loss was noticed, in ms, may have missed what was gone already. */
const SETTLED = 3_000
/** How many keys may be counted, and for how long, in ms, while an alert waits for it. */
const QUICKLY = { keys: 5_000, ms: 100 }
/** How many keys of a class are asked for, to tell how many of all are gone. */
const SAMPLES = 100

/** One class, as it was counted at `at`, in epoch ms. */
type DatedCount = ClassCount & { readonly at: number }

/** Knows how many keys of each class there were, so that an alert can say how many of these are gone. Kept in memory. */
export class Inventory {
  /** Those made while everything was whole, newest first. */
  private counts: Counted[] = []
  private latest: Counted | undefined
  /** What there was before the last loss. */
  private beforeLoss: Counted | undefined
  private readonly classes: readonly KeyClass[]
  private readonly classify

  constructor(
    private readonly config: Config,
    /** Where lost keys would come from: for what the alert says, and for what was there as long as nothing was counted. */
    private readonly backups: Pick<Backups, 'preferred' | 'isReadable'>,
    private readonly emit: Emit,
  ) {
    this.classes = classesOf(config)
    this.classify = classifier(this.classes)
  }

  /**
   * Counts the keys of each class, with bounded work. What is counted while something is missing is no measure of what there was. Rejects
   * where it cannot be counted, or could not be asked for at a loss.
   */
  async count(wire: Wire, isWhole: () => boolean, signal: AbortSignal): Promise<void> {
    const wasWhole = isWhole()
    const counted = await countClasses(wire, this.classify, {
      signal,
      samples: (its) => (this.isOfDataset(its) ? 0 : SAMPLES),
    })
    const whole = wasWhole && isWhole()
    this.latest = counted
    if (whole) this.counts = [counted, ...this.counts].slice(0, 2)
    const classes = counted.classes.map(({ class: its, keys }) => ({
      match: its?.match ?? null,
      recovery: its?.recovery ?? null,
      keys,
    }))
    this.emit({ event: 'counted', keys: counted.total - counted.own, exact: counted.exact, classes, whole })
    for (const { class: its, sample } of counted.classes) {
      // At a loss it would be too late to learn of it.
      if (
        its &&
        !(await missingOf(
          wire,
          sample.slice(0, 1).map(({ name }) => name),
        ))
      )
        throw unasked(its)
    }
  }

  /** True if there is no measure yet of what there is when all is well. */
  get isBlank(): boolean {
    return this.counts.length === 0
  }

  /** The keys that would not come back by themselves, as they were last counted. */
  get stake(): KeysAtStake {
    return stakeOf(this.latest, this.config.keys)
  }

  /** Takes note that what the last loss took was brought back: it can be lost again before it is counted again. */
  recovered(): void {
    if (this.beforeLoss) this.counts = [{ ...this.beforeLoss, at: steadyTime() }, ...this.counts].slice(0, 2)
  }

  /**
   * What is gone of each class that had keys; and from then on they are no longer counted. `missing` are keys that PostgreSQL gives
   * back, of which it is known one by one that they are gone.
   */
  async losses(wire: Wire, missing: readonly string[]): Promise<ClassLoss[]> {
    const now = steadyTime()
    const gone = new Map<KeyClass | undefined, number>()
    for (const key of missing) {
      const its = this.classify(key)
      gone.set(its, (gone.get(its) ?? 0) + 1)
    }
    const shares = this.isBlank
      ? await this.sharesSinceBackup(wire, gone)
      : await this.sharesSinceCount(wire, gone, now)
    return shares.filter(({ keys, gone }) => keys > 0 && gone !== 0).map((share) => this.tell(share))
  }

  private async sharesSinceCount(
    wire: Wire,
    known: ReadonlyMap<KeyClass | undefined, number>,
    now: number,
  ): Promise<ClassShare[]> {
    const counts = this.best(now)
    const asked = counts.map(({ sample }) =>
      sample.flatMap(({ name, expiresAt }) => (expiresAt === undefined || expiresAt > now ? [name] : [])),
    )
    const missing = await Promise.all(asked.map((names) => missingOf(wire, names)))
    const left: ClassCount[] = []
    const shares = counts.map(({ at, ...its }, i): ClassShare => {
      const missed = missing[i]
      const gone = this.isOfDataset(its.class)
        ? (known.get(its.class) ?? 0)
        : goneOf(its, missed ? (asked[i]?.length ?? 0) : 0, missed?.size ?? 0)
      left.push({
        ...its,
        keys: Math.max(0, its.keys - (gone ?? 0)),
        sample: its.sample.filter(({ name }) => !missed?.has(name)),
      })
      return { ...nameOf(its.class), keys: its.keys, at: dateOf(at).getTime(), gone }
    })
    const [newest] = this.counts
    if (newest) {
      this.beforeLoss = { ...newest, classes: counts }
      this.counts = [{ ...newest, classes: left }]
    }
    return shares
  }

  /** Class by class, the larger of the counts that may have come too late and the newest that has not. */
  private best(now: number): DatedCount[] {
    const settled = this.counts.findIndex(({ at }) => now - at >= SETTLED)
    const candidates = settled < 0 ? this.counts : this.counts.slice(0, settled + 1)
    const found = new Map<KeyClass | undefined, DatedCount>()
    for (const { at, classes } of candidates) {
      for (const its of classes) {
        const other = found.get(its.class)
        if (!other || this.worth(its) > this.worth(other)) found.set(its.class, { ...its, at })
      }
    }
    return [...found.values()]
  }

  /** How much a count can tell: keys that went while they were counted are missing from the sample. */
  private worth({ class: its, keys, sample }: ClassCount): number {
    return this.isOfDataset(its) ? keys : keys * Math.min(1, sample.length / Math.min(keys, SAMPLES))
  }

  /** Where nothing was counted yet: the daemon was started after the loss. The backup tells what there was. */
  private async sharesSinceBackup(wire: Wire, known: ReadonlyMap<KeyClass | undefined, number>): Promise<ClassShare[]> {
    const { keys, taken_at } = this.backups.preferred?.manifest ?? {}
    if (!keys || taken_at === undefined) return []
    const counted = await countClasses(wire, this.classify, { limits: QUICKLY, samples: () => 0 })
    return keys.classes.map(({ match, recovery, keys: before }) => {
      const its = this.classes.find((each) => each.match === match)
      const here = counted.classes.find((each) => each.class?.match === its?.match)?.keys ?? 0
      const left = counted.exact ? Math.max(0, before - here) : undefined
      const gone = this.isOfDataset(its) ? Math.min(before, known.get(its) ?? left ?? 0) : left
      return { match, recovery, impact: its?.impact, keys: before, at: Date.parse(taken_at), gone }
    })
  }

  /** Of the keys of our datasets it is known one by one which are gone; nobody needs to be asked. */
  private isOfDataset(its: KeyClass | undefined): boolean {
    return its !== undefined && !this.config.keys.includes(its)
  }

  private tell({ match, recovery, impact, keys, at, gone }: ClassShare): ClassLoss {
    const { preferred: backup, isReadable } = this.backups
    const newest = backup && { path: backup.path, takenAt: backup.manifest.taken_at }
    return {
      match,
      recovery,
      impact,
      keys_before: keys,
      keys_gone: gone,
      counted_at: new Date(at).toISOString(),
      comes_back: comesBack(
        { match, recovery },
        newest,
        this.config.recover.auto,
        !this.config.keys.some((each) => each.match === match),
        isReadable,
      ),
    }
  }
}

/** Of keys of one class, those that are gone; undefined where Redis does not let us ask for them. */
async function missingOf(wire: Wire, names: readonly string[]): Promise<ReadonlySet<string> | undefined> {
  try {
    return new Set(await missingKeys(wire, names))
  } catch (error) {
    // Each count tells of it.
    if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined
    throw error
  }
}

function unasked({ match }: KeyClass): Trouble {
  const what = `Redis does not let us ask for keys of ${match}: alerts do not say how many of them are gone, and nothing is brought back by itself`
  return new Trouble('redis_refused', what, `allow these keys to the user with ACL SETUSER: ~${match}`, false)
}

function nameOf(its: KeyClass | undefined): Pick<ClassShare, 'match' | 'recovery' | 'impact'> {
  return { match: its?.match ?? null, recovery: its?.recovery ?? null, impact: its?.impact }
}

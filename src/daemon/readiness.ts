import { steadyTime } from '../clock.js'
import type { Lanes } from '../decide/lanes.js'
import type { Holdings } from '../holdings.js'
import type { ServerFacts } from '../model.js'
import { type Life, readFacts } from '../redis/life.js'
import { keepMarks, markComplete, markReady, newEpoch, readEpoch } from '../redis/marks.js'
import type { Emit } from '../report/events.js'

/** The marks in Redis by which workers know what is whole, and since when all of them stand. */
export class Readiness {
  private epoch = ''
  /** Since when the epoch stands for everything being whole; undefined while something is not. */
  private since: number | undefined

  /** Lanes that are marked, as far as was told. */
  private readonly ready = new Set<string>()

  constructor(
    private readonly holdings: Holdings,
    private readonly emit: Emit,
  ) {}

  /** True while the epoch stands for everything being whole. */
  get isComplete(): boolean {
    return this.since !== undefined
  }

  /** True if everything was known to be whole, and marked so, at `time` and ever since. */
  isCompleteSince(time: number): boolean {
    return this.since !== undefined && this.since <= time
  }

  /** Notes that something is no longer known to be whole. */
  shake(): void {
    this.since = undefined
  }

  /** Takes down the marks of another process, those of no lane if it is known which there are, and what stands in their place. */
  async takeDown({ probe, facts }: Life, lanes: Lanes): Promise<void> {
    await keepMarks(probe, facts.runId, lanes.size > 0 ? new Set(lanes.keys()) : undefined)
  }

  /** Begins a life with its epoch. */
  async begin(life: Life, lanes: Lanes): Promise<void> {
    this.lose(this.ready)
    await this.takeDown(life, lanes)
    this.epoch = (await readEpoch(life.probe)) ?? newEpoch(life.facts.runId)
  }

  /** Marks lanes that have become whole; returns those that were lost again meanwhile. */
  async mark(lanes: readonly string[], { probe }: Life): Promise<string[]> {
    const unmarked = await markReady(
      probe,
      this.epoch,
      new Map(lanes.map((lane) => [lane, this.holdings.keysOf(lane)])),
    )
    for (const lane of lanes) {
      if (unmarked.includes(lane) || this.ready.has(lane)) continue
      this.ready.add(lane)
      this.emit({ event: 'symbol_ready', symbol: lane })
    }
    return unmarked
  }

  /** Tells of lanes that are new, and not whole yet, and of those that are wanted no more. */
  renew(added: readonly string[], removed: readonly string[]): void {
    this.lose(removed)
    for (const lane of added) this.emit({ event: 'symbol_lost', symbol: lane })
  }

  /** Tells of lanes whose marks do not stand any more. */
  lose(lanes: Iterable<string>): void {
    for (const lane of lanes) if (this.ready.delete(lane)) this.emit({ event: 'symbol_lost', symbol: lane })
  }

  /** Writes the epoch if `count` lanes are marked, and reads what the server says then; undefined if a mark has gone meanwhile. */
  async complete(count: number, { probe }: Life): Promise<ServerFacts | undefined> {
    if (!(await markComplete(probe, this.epoch, count))) return undefined
    this.since = steadyTime()
    return readFacts(probe)
  }
}

import { Observable, type OperatorFunction } from 'rxjs'

export interface LanesOptions<T, O> {
  /** Tasks of one lane never run at the same time. */
  lane(task: T): string
  /** Tasks of one group may run in one batch; a lane holds at most one waiting task a group. */
  group(task: T): string
  /** Groups with a lower rank go first. */
  rank(task: T): number
  /** Joins a newer task into the one that waits in the same lane and group. */
  merge(waiting: T, newer: T): T
  /** Does the work; must stop soon after `signal` aborts, and reports failure in its result rather than by rejecting. */
  run(batch: readonly T[], signal: AbortSignal): Promise<O>
  batchSize: number
  concurrency: number
}

/**
 * Runs tasks in single file per lane, in batches across lanes, and emits what each batch came to.
 *
 * `groupBy` with a duration would start a group's successor while its predecessor still drains; here a lane is busy until
 * its batch has really ended. Unsubscribing aborts what runs and forgets what waits.
 *
 * @example tasks$.pipe(lanes({ lane: t => t.symbol, group: t => t.dataset, ... }))
 */
export function lanes<T, O>(options: LanesOptions<T, O>): OperatorFunction<T, O> {
  return (source) =>
    new Observable<O>((out) => {
      const waiting = new Waiting<T>(options)
      const busy = new Set<string>()
      const abort = new AbortController()
      let running = 0
      let closed = false
      let pumping = false

      const start = (batch: T[]): void => {
        running++
        for (const task of batch) busy.add(options.lane(task))
        options.run(batch, abort.signal).then(
          (outcome) => {
            running--
            for (const task of batch) busy.delete(options.lane(task))
            if (abort.signal.aborted) return
            out.next(outcome)
            pump()
          },
          (error: unknown) => out.error(error),
        )
      }
      const pump = (): void => {
        pumping = false
        while (running < options.concurrency && !abort.signal.aborted) {
          const batch = waiting.take(busy)
          if (batch.length === 0) break
          start(batch)
        }
        if (closed && running === 0 && waiting.isEmpty()) out.complete()
      }
      // A burst arrives task by task: wait for its end, so that it makes full batches.
      const pumpSoon = (): void => {
        if (pumping) return
        pumping = true
        queueMicrotask(pump)
      }

      const subscription = source.subscribe({
        next: (task) => {
          waiting.put(task)
          pumpSoon()
        },
        error: (error: unknown) => out.error(error),
        complete: () => {
          closed = true
          pumpSoon()
        },
      })
      return () => {
        subscription.unsubscribe()
        abort.abort()
      }
    })
}

/** Tasks that wait, by group in order of rank, and by lane in order of arrival. */
class Waiting<T> {
  private readonly groups = new Map<string, { rank: number; tasks: Map<string, T> }>()

  constructor(private readonly options: LanesOptions<T, unknown>) {}

  put(task: T): void {
    const name = this.options.group(task)
    let group = this.groups.get(name)
    if (!group) {
      group = { rank: this.options.rank(task), tasks: new Map() }
      this.groups.set(name, group)
    }
    const lane = this.options.lane(task)
    const older = group.tasks.get(lane)
    group.tasks.set(lane, older === undefined ? task : this.options.merge(older, task))
  }

  /** Removes and returns the next batch: tasks of one group whose lanes are free. Empty if every lane is busy. */
  take(busy: ReadonlySet<string>): T[] {
    for (const [name, { tasks }] of [...this.groups].sort(([, a], [, b]) => a.rank - b.rank)) {
      const batch: T[] = []
      for (const [lane, task] of tasks) {
        if (busy.has(lane)) continue
        batch.push(task)
        tasks.delete(lane)
        if (batch.length === this.options.batchSize) break
      }
      if (tasks.size === 0) this.groups.delete(name)
      if (batch.length > 0) return batch
    }
    return []
  }

  isEmpty(): boolean {
    return this.groups.size === 0
  }
}

import { setImmediate as idle } from 'node:timers/promises'
import type { Observable, Subscription } from 'rxjs'

/** One piece of work that was started and waits for the test to end it. */
export interface Job<Request, Outcome> {
  readonly request: Request
  readonly signal: AbortSignal
  finish(outcome: Outcome): Promise<void>
  fail(error: Error): Promise<void>
}

/** Work whose end the test decides: `run` is what an operator is given, `jobs` is what it has started. */
export class Desk<Request, Outcome> {
  readonly jobs: Job<Request, Outcome>[] = []

  readonly run = (request: Request, signal: AbortSignal): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const finish = (outcome: Outcome): Promise<void> => {
        resolve(outcome)
        return settled()
      }
      const fail = (error: Error): Promise<void> => {
        reject(error)
        return settled()
      }
      this.jobs.push({ request, signal, finish, fail })
    })

  get requests(): Request[] {
    return this.jobs.map(({ request }) => request)
  }

  /** The nth job that was started, from 0. */
  job(nth: number): Job<Request, Outcome> {
    const job = this.jobs[nth]
    if (!job) throw new Error(`only ${this.jobs.length} jobs were started`)
    return job
  }
}

/** Resolves when every promise that can go on has gone on. */
export function settled(): Promise<void> {
  return idle()
}

/** What an Observable has told so far: values, then `|` for its end, or its error. */
export function record<T>(source: Observable<T>): { told: unknown[]; subscription: Subscription } {
  const told: unknown[] = []
  const subscription = source.subscribe({
    next: (value) => told.push(value),
    error: (error: unknown) => told.push(error),
    complete: () => told.push('|'),
  })
  return { told, subscription }
}

import { Observable, type OperatorFunction } from 'rxjs'

/**
 * Runs one request at a time; requests that come meanwhile are merged into the one that runs next.
 *
 * `exhaustMap` would drop the request that mattered, `concatMap` would run every one of them, and `switchMap` would never
 * finish under a steady stream. Unsubscribing aborts the run.
 *
 * @example suspicions$.pipe(latest(mergeSuspicions, survey))
 */
export function latest<T, O>(
  merge: (waiting: T, newer: T) => T,
  run: (request: T, signal: AbortSignal) => Promise<O>,
): OperatorFunction<T, O> {
  return (source) =>
    new Observable<O>((out) => {
      const abort = new AbortController()
      let waiting: { request: T } | undefined
      let running = false
      let closed = false

      const next = (): void => {
        if (running || abort.signal.aborted) return
        if (!waiting) {
          if (closed) out.complete()
          return
        }
        const { request } = waiting
        waiting = undefined
        running = true
        run(request, abort.signal).then(
          (outcome) => {
            running = false
            if (abort.signal.aborted) return
            out.next(outcome)
            next()
          },
          (error: unknown) => out.error(error),
        )
      }

      const subscription = source.subscribe({
        next: (request) => {
          waiting = { request: waiting ? merge(waiting.request, request) : request }
          next()
        },
        error: (error: unknown) => out.error(error),
        complete: () => {
          closed = true
          next()
        },
      })
      return () => {
        subscription.unsubscribe()
        abort.abort()
      }
    })
}

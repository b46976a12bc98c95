import { Observable } from 'rxjs'

/**
 * Turns an async function into an Observable whose unsubscription aborts it.
 *
 * `from(promise)` inside `switchMap` is forgotten but goes on running; this one is told to stop.
 *
 * @example lives$.pipe(switchMap(life => abortable(signal => survey(life, signal))))
 */
export function abortable<T>(run: (signal: AbortSignal) => Promise<T>): Observable<T> {
  return new Observable<T>((out) => {
    const abort = new AbortController()
    run(abort.signal).then(
      (value) => {
        out.next(value)
        out.complete()
      },
      (error: unknown) => out.error(error),
    )
    return () => abort.abort()
  })
}

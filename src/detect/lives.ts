import { Observable, retry, timer } from 'rxjs'
import { steadyTime } from '../clock.js'
import type { Trouble } from '../errors.js'
import { type Life, openLife } from '../redis/life.js'
import { redisTrouble } from '../redis/trouble.js'

/** Between attempts to reach a Redis that is away: a five-hundredth of the outage so far, within these bounds, in ms. */
const SHORTEST = 20
const LONGEST = 1_000

/** How long to wait before the next attempt after `downFor` ms of outage: an outage of up to 25 s is noticed to be over within 50 ms. */
export function reconnectDelay(downFor: number): number {
  return Math.min(LONGEST, Math.max(SHORTEST, downFor / 500))
}

export interface LivesOptions {
  readonly url: string
  readonly server: string
  /** Told of every failed attempt and of the end of every life. */
  readonly onDown: (trouble: Trouble) => void
  /** Told while Redis answers but loads its data or is a replica. */
  readonly onWaiting: (trouble: Trouble) => void
}

/**
 * Emits a Life whenever Redis can be used, and the next one after that has ended; never completes or errors.
 * A consumer `switchMap`s, so that the work of one life cannot reach into the next. Unsubscribing closes the connections.
 */
export function watchLives({ url, server, onDown, onWaiting }: LivesOptions): Observable<Life> {
  let downSince: number | undefined
  const oneLife = new Observable<Life>((out) => {
    const abort = new AbortController()
    openLife({ url, server, onWaiting, signal: abort.signal }).then(
      ({ life, ended, close }) => {
        if (abort.signal.aborted) return close()
        downSince = undefined
        ended.catch((trouble: unknown) => out.error(trouble))
        out.next(life)
      },
      (error: unknown) => out.error(error),
    )
    return () => abort.abort()
  })
  return oneLife.pipe(
    retry({
      delay: (error: unknown) => {
        downSince ??= steadyTime()
        onDown(redisTrouble(error, server))
        return timer(reconnectDelay(steadyTime() - downSince))
      },
    }),
  )
}

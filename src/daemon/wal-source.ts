import { catchError, defer, EMPTY, exhaustMap, finalize, ignoreElements, merge, type Observable, timer } from 'rxjs'
import { steadyTime } from '../clock.js'
import { serverName } from '../config/redact.js'
import type { Config } from '../config/schema.js'
import type { Heard } from '../detect/changes.js'
import { watchWal } from '../detect/wal.js'
import type { Decoding } from '../detect/wal-decoding.js'
import type { Database } from '../postgres/database.js'
import { readSlot, walHindrance } from '../postgres/wal-access.js'
import type { Emit } from '../report/events.js'
import type { WalSource } from './change-source.js'

export interface WalSourceContext {
  readonly config: Config
  readonly db: Database
  readonly emit: Emit
}

/** How often it is asked how the slot stands, in ms. */
const SLOT_EVERY = 10_000

/** The WAL of the server that `postgres.listen_url`, or else `postgres.url`, leads to. */
export function walSource({ config, db, emit }: WalSourceContext): WalSource {
  const { url, listen_url = url } = config.postgres
  const server = serverName(listen_url)
  return {
    hindrance: () => walHindrance((sql, values) => db.query(sql, values), listen_url, server),
    open: () => {
      let slot: string | undefined
      let since = 0
      const onSlot = (name: string, { plugin, publication }: Decoding): void => {
        slot = name
        since = steadyTime()
        emit({ event: 'wal_opened', slot, plugin: plugin.name, publication })
      }
      const states = timer(1_000, SLOT_EVERY).pipe(
        exhaustMap(() => (slot === undefined ? EMPTY : tellSlot(db, slot, since, emit))),
      )
      const heard = watchWal({ config, url: listen_url, server, db, onSlot })
      return merge(heard, states).pipe(
        finalize(() => {
          if (slot !== undefined) emit({ event: 'wal_closed', slot, read_for_ms: steadyTime() - since })
        }),
      ) satisfies Observable<Heard>
    },
  }
}

function tellSlot(db: Database, slot: string, since: number, emit: Emit): Observable<never> {
  return defer(async () => {
    const state = await readSlot(db, slot)
    if (state)
      emit({ event: 'wal_slot', slot, lag_bytes: state.lag, held_bytes: state.held, age_ms: steadyTime() - since })
  }).pipe(
    ignoreElements(),
    // A server that is away is told of by its own condition; it is asked again.
    catchError(() => EMPTY),
  )
}

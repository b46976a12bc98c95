import { EMPTY, exhaustMap, ignoreElements, merge, type Observable, retry, Subject, tap, timer } from 'rxjs'
import { identityChange, type PostgresIdentity } from '../decide/identity.js'
import type { Database } from '../postgres/database.js'
import { askIdentity } from '../postgres/identity.js'
import type { Emit } from '../report/events.js'

/** How often it is asked how far it has come, in ms: what was committed since then and is gone cannot be told from what never was. */
const ASK = 10_000

/** Says so when another PostgreSQL answers than before, or one that has gone back in time, before anything is read from it. */
export class KnownPostgres {
  private last: PostgresIdentity | undefined
  private readonly others = new Subject<void>()

  constructor(private readonly emit: Emit) {}

  /** Emits whenever everything that was read before may be otherwise now. Never ends. */
  watch(db: Database): Observable<void> {
    const asked = timer(ASK, ASK).pipe(
      // Who may not ask has not been told who answers either.
      exhaustMap(() => (this.last ? askIdentity(db) : EMPTY)),
      tap((identity) => identity && this.met(identity)),
      ignoreElements(),
    )
    // The database's own condition tells that it is away.
    return merge(this.others, asked.pipe(retry({ delay: ASK })))
  }

  /** Takes in who has answered on a new connection. */
  met(now: PostgresIdentity): void {
    const before = this.last
    this.last = now
    const change = before && identityChange(before, now)
    if (!before || !change) return
    this.emit({
      event: 'postgres_changed',
      change,
      system: now.system,
      previous_system: before.system,
      timeline: now.timeline,
      previous_timeline: before.timeline,
      behind_bytes: change === 'rewound' ? Number(before.position - now.position) : 0,
    })
    this.others.next()
  }
}

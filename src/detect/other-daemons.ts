import { defer, map, type Observable, pairwise, repeat } from 'rxjs'
import { steadyTime } from '../clock.js'
import { Trouble } from '../errors.js'
import { type Client, listClients } from '../redis/clients.js'
import type { Life } from '../redis/life.js'

/** Another Rekindle that guards the same Redis. */
export interface OtherDaemon {
  /** Where it runs, as Redis sees it. */
  readonly host: string
}

interface Look {
  readonly at: number
  readonly clients: readonly Client[]
}

/** How often it is looked, in ms: two looks make a finding. */
const PERIOD = 15_000

/**
 * Emits, after every second look, the other daemons that were there at both and have worked in between. They do each other no harm, but
 * do everything twice. Errors where CLIENT LIST is forbidden.
 */
export function watchOtherDaemons(life: Pick<Life, 'probe' | 'earsId'>, period = PERIOD): Observable<OtherDaemon[]> {
  return defer(async (): Promise<Look> => ({ at: steadyTime(), clients: await listClients(life.probe) })).pipe(
    repeat({ delay: period }),
    pairwise(),
    map(([before, now]) => othersAt(before, now, life.earsId)),
  )
}

/** What to say of another daemon; `server` is `host:port/db`. */
export function secondDaemon({ host }: OtherDaemon, server: string): Trouble {
  return new Trouble(
    'second_daemon',
    `Redis ${server}: another Rekindle guards it as well, on ${host}`,
    'stop one of them: they do no harm to each other, but do and say everything twice',
    false,
  )
}

/** `earsId` is the client id of our own subscriber. */
export function othersAt(before: Look, now: Look, earsId: number | undefined): OtherDaemon[] {
  const seconds = Math.ceil((now.at - before.at) / 1_000)
  const known = new Set(before.clients.map(({ id }) => id))
  // Only the daemon subscribes; `restore` and `verify` open the same connections.
  const ears = now.clients.filter(
    ({ id, name, sub }) => name === 'rekindle-ears' && Number(sub) > 0 && id !== String(earsId) && known.has(id),
  )
  // A machine that went down leaves connections that stay for minutes, but it asks nothing any more.
  const busy = now.clients.filter(({ name, idle }) => name === 'rekindle' && Number(idle) <= seconds)
  const ours = now.clients.find(({ id }) => id === String(earsId))
  return ears.flatMap(({ addr }) => {
    const host = hostOf(addr)
    const its = busy.filter((client) => hostOf(client['addr']) === host).length
    // On our own host one of them is ours.
    return its > (hostOf(ours?.['addr']) === host ? 1 : 0) ? [{ host }] : []
  })
}

function hostOf(address = ''): string {
  return address.slice(0, address.lastIndexOf(':'))
}

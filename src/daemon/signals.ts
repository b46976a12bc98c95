import { auditTime, buffer, EMPTY, filter, map, merge, mergeMap, type Observable, retry, share, timer } from 'rxjs'
import { steadyTime } from '../clock.js'
import { suspect } from '../decide/suspicion.js'
import { watchFlushes } from '../detect/flushes.js'
import { type KeyEvent, watchKeyEvents } from '../detect/key-events.js'
import { type Pulse, watchPulse } from '../detect/pulse.js'
import { Trouble } from '../errors.js'
import type { ServerFacts, Suspicion } from '../model.js'
import type { Life } from '../redis/life.js'
import { sentinelKeys } from '../redis/presence.js'
import { endsLife, redisTrouble } from '../redis/trouble.js'
import type { Guard } from './guard.js'
import type { LifeContext } from './life-context.js'
import { refusedSignal, signalKinds } from './signal-kinds.js'
import { watchSignalHealth } from './signal-watch.js'

/** Key events that come this close together, in ms, are one suspicion. */
const GATHER = 5

/** Turns on what the server can announce; where it may not, says once what that costs. */
export async function enableSignals(
  life: Life,
  context: Pick<LifeContext, 'server' | 'config' | 'conditions' | 'datasets' | 'live'>,
): Promise<void> {
  const { server, conditions } = context
  for (const kind of signalKinds(life, context)) {
    try {
      await kind.enable()
      conditions.worked(kind.name)
    } catch (error) {
      const trouble = refusedSignal(kind, error, server)
      if (trouble.code === 'redis_unreachable') throw trouble
      conditions.failed(kind.name, trouble)
    }
  }
  tellInfo(life.facts, { server, conditions })
}

/** Says so where INFO is not allowed, or no longer, and where it is again. */
function tellInfo({ runId }: ServerFacts, { server, conditions }: Pick<LifeContext, 'server' | 'conditions'>): void {
  if (runId !== undefined) conditions.worked('info')
  else if (!conditions.isDown('info')) {
    const reason = `INFO is not allowed on Redis ${server}: a restart is known by its missing data only, and alerts hold no evidence`
    conditions.failed('info', new Trouble('redis_refused', reason, 'allow +info to the user', false))
  }
}

type WatchContext = Pick<LifeContext, 'guard' | 'datasets' | 'live' | 'server' | 'config' | 'conditions'>

/** Every observation of this life that can mean a loss. Errors if Redis stops answering. */
export function watchSignals(life: Life, context: WatchContext): Observable<Suspicion> {
  const { guard, datasets, server, config, conditions } = context
  const { poll } = config.watch
  const flushes = watchFlushes(life).pipe(map((at) => suspect('flush', 'all', at, at)))
  const ours = watchKeyEvents(life).pipe(
    filter((event) => isNews(event, guard, datasets)),
    share(),
  )
  const keys = ours.pipe(
    buffer(ours.pipe(auditTime(GATHER))),
    map((events) => suspicionOfEvents(events, guard)),
  )
  const sentinels = (): string[] => sentinelKeys(guard.holdings).filter((key) => guard.isExpected(key))
  const polls = watchPulse(life, sentinels, poll).pipe(
    mergeMap((pulse) => {
      conditions.worked('poll')
      tellInfo(pulse.facts, { server, conditions })
      const suspicion = suspicionOfPulse(pulse, guard, server)
      return suspicion ? [suspicion] : EMPTY
    }),
    retry({
      delay: (error: unknown) => {
        const trouble = redisTrouble(error, server)
        // A script that runs too long blocks everything; it passes, and the data is still there.
        if (endsLife(trouble)) throw trouble
        conditions.failed('poll', trouble)
        return timer(poll)
      },
    }),
  )
  return merge(flushes, keys, polls, watchSignalHealth(life, context))
}

/** False for keys of others, those that expired when they should, and events that any write to a key of this kind sends. */
function isNews({ event, key }: KeyEvent, { holdings }: Guard, datasets: WatchContext['datasets']): boolean {
  if (!holdings.mustStand(key)) return false
  const name = holdings.ownerOf(key)?.dataset
  return !datasets.find((dataset) => dataset.name === name)?.ordinaryEvents?.includes(event)
}

function suspicionOfEvents(events: readonly KeyEvent[], guard: Guard): Suspicion {
  const counts: Record<string, number> = {}
  const symbols = new Set<string>()
  for (const { event, key } of events) {
    counts[event] = (counts[event] ?? 0) + 1
    const symbol = guard.holdings.ownerOf(key)?.symbol
    if (symbol !== undefined) symbols.add(symbol)
  }
  const at = events[0]?.at ?? steadyTime()
  return suspect('key_event', symbols, at, at, counts)
}

function suspicionOfPulse(
  { facts, epoch, ready, missing, from, at }: Pulse,
  guard: Guard,
  server: string,
): Suspicion | undefined {
  guard.clock.read(facts.time, facts.at)
  if (facts.role === 'replica') throw redisTrouble(new Error('READONLY it has become a replica'), server)
  const since = guard.losses.lastWholeAt ?? from
  // Only what was whole when the poll began, and still is as far as we know, can be missed at its end.
  const isWhole = guard.isWholeSince(from)
  if (isWhole && (epoch === null || ready < guard.symbols.length)) return suspect('poll', 'all', since, at)
  const gone = missing.filter((key) => guard.isExpected(key))
  if (gone.length > 0) {
    return suspect('poll', new Set(gone.flatMap((key) => guard.holdings.ownerOf(key)?.symbol ?? [])), since, at)
  }
  if (isWhole) guard.losses.sawWhole(facts)
  return undefined
}

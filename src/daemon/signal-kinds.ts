import { prefixesOf } from '../datasets/live.js'
import type { SignalName } from '../decide/signal-health.js'
import { trackFlushes } from '../detect/flushes.js'
import { announceKeyEvents } from '../detect/key-events.js'
import { Trouble } from '../errors.js'
import type { Life } from '../redis/life.js'
import { redisTrouble } from '../redis/trouble.js'
import type { LifeContext } from './life-context.js'

export type KindContext = Pick<LifeContext, 'server' | 'config' | 'datasets' | 'live'>

/** Something that Redis announces if it is asked to. */
export interface SignalKind {
  readonly name: SignalName
  /** Asks the server for it, anew if it has been asked before. */
  enable(): Promise<void>
  /** Without it: what is done about that. */
  disabled(): void
  /** What that costs, and what does its work. */
  readonly cost: string
  /** What mends it where it was refused. */
  readonly hint: string
}

/** The two of this life. */
export function signalKinds(life: Life, { config, datasets, live }: KindContext): SignalKind[] {
  const { poll } = config.watch
  return [
    {
      name: 'tracking',
      async enable() {
        const prefixes = datasets.flatMap((dataset) => prefixesOf(dataset) ?? [])
        await trackFlushes(life, prefixes)
        live.track(true)
      },
      // Of a value that differs it is not known any more whether a live worker wrote it.
      disabled: () => live.track(false),
      cost: `CLIENT TRACKING is not to be had: a flush is noticed by the poll, within ${poll} ms, and a value that differs is replaced only after ${config.sync.settle} ms`,
      hint: 'allow it to the user (+client|tracking +client|id, and the channel __redis__:invalidate); it needs Redis 6 or later',
    },
    {
      name: 'notifications',
      enable: () => announceKeyEvents(life),
      disabled: () => undefined,
      cost: 'keyspace notifications cannot be set: a single key that is deleted is noticed by the poll in turn, or by the scrub',
      hint: 'set notify-keyspace-events to Eg$xe on the server, or allow +config|get +config|set and the channels __keyevent@*',
    },
  ]
}

/** What to say where a signal was refused. */
export function refusedSignal({ cost, hint }: SignalKind, error: unknown, server: string): Trouble {
  const trouble = redisTrouble(error, server)
  return trouble.code === 'redis_unreachable'
    ? trouble
    : new Trouble(trouble.code, `${cost} (${trouble.message})`, hint, false)
}

const LOST: Readonly<Record<SignalName, { readonly what: string; readonly hint: string }>> = {
  tracking: {
    what: 'CLIENT TRACKING has stopped',
    hint: 'is there a proxy between Rekindle and Redis that does not pass on what the server announces?',
  },
  notifications: {
    what: 'keyspace notifications have stopped',
    hint: 'leave notify-keyspace-events with Eg$xe in it; who else sets it?',
  },
}

/** What to say of a signal that came once and does not any more. */
export function lostSignal({ name, cost }: SignalKind, reason: string, server: string): Trouble {
  const { what, hint } = LOST[name]
  const [, meanwhile = cost] = cost.split(': ')
  return new Trouble('signal_lost', `Redis ${server}: ${what}: ${reason}; until it is back, ${meanwhile}`, hint, false)
}

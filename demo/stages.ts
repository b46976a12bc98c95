import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import type { Journal, Line } from './journal.js'
import type { Scene } from './scene.js'

/** One way to lose data. `act` returns the moment from which the clock runs, by performance.now(). */
export interface Stage {
  readonly name: string
  act(scene: Scene): Promise<number>
}

/** The daemon's first look at an empty Redis; the start of its process is part of the time. */
export const firstFill: Stage = {
  name: 'first fill',
  act: ({ rekindle, journal }) => timed(async () => rekindle.watch(journal)),
}

/**
 * Every way in which Redis is wiped, in order: what takes everything comes first, since the daemon may still be looking at single keys
 * a moment after they are healed, and would tell another cause.
 */
export const wipes: readonly Stage[] = [
  { name: 'FLUSHALL', act: ({ hand }) => timed(() => hand.flushall()) },
  { name: 'kill -9, empty restart', act: killAndRestart },
  { name: 'SWAPDB 0 1', act: ({ hand }) => timed(() => hand.call('SWAPDB', '0', '1')) },
  {
    name: 'DEL one symbol',
    act: ({ hand, keys, symbols: [symbol] }) =>
      timed(() => hand.del(...[...keys.keys()].filter((key) => key.split(':')[1] === symbol))),
  },
  {
    name: 'SET over candles',
    act: ({ hand, symbols }) => timed(() => hand.set(`ohlcv:${symbols.at(-1)}:m15`, 'oops')),
  },
  { name: 'eviction', act: squeeze },
]

async function timed(send: () => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await send()
  return since
}

async function killAndRestart({ redis }: Scene): Promise<number> {
  await redis.kill()
  const started = redis.start()
  const since = await untilAccepts(redis.port)
  await started
  return since
}

/** The moment at which a port of 127.0.0.1 accepts connections; it is tried every other millisecond. */
async function untilAccepts(port: number): Promise<number> {
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    try {
      await once(socket, 'connect')
      return performance.now()
    } catch {
      await delay(1)
    } finally {
      socket.destroy()
    }
  }
}

/** Takes memory away from Redis until it has evicted keys of ours, and gives it back. */
async function squeeze({ hand, journal }: Scene): Promise<number> {
  const from = journal.lines.length
  const [used = 0, idle = 0] = await readInfo(hand, 'used_memory', 'used_memory_startup')
  let since = performance.now()
  await hand.config('SET', 'maxmemory-policy', 'allkeys-random')
  try {
    for (let share = 0.9; share > 0; share -= 0.05) {
      const [before = 0] = await readInfo(hand, 'evicted_keys')
      since = performance.now()
      await hand.config('SET', 'maxmemory', Math.ceil(idle + (used - idle) * share))
      // Redis makes room before it runs a command: by the answer to this one it has begun to.
      const [after = 0] = await readInfo(hand, 'evicted_keys')
      if (after > before && (await isNoticed(journal, from))) break
    }
  } finally {
    await hand.config('SET', 'maxmemory', 0)
    await hand.config('SET', 'maxmemory-policy', 'noeviction')
  }
  return since
}

/** Whether a loss is in the journal, or comes soon: keys that are not ours may have been the only ones evicted. */
async function isNoticed(journal: Journal, from: number): Promise<boolean> {
  const isLoss = ({ event }: Line) => event.event === 'data_loss' || undefined
  return journal.until(from, isLoss, AbortSignal.timeout(1_000)).catch(() => false)
}

async function readInfo(hand: Redis, ...names: string[]): Promise<number[]> {
  const info = await hand.info()
  return names.map((name) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1]))
}

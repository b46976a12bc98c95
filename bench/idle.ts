import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { Daemon, type Layout } from './daemon.js'
import type { Figure } from './figures.js'
import type { Stage } from './stage.js'

/** How long to watch it do nothing, in ms. */
const WATCHED = 15_000
/** The start's last work is over by then, in ms. */
const SETTLED = 2_000

/** What the daemon costs while nothing happens. */
export async function measureIdle(stage: Stage, databaseUrl: string, layout: Layout): Promise<(Figure | string)[]> {
  const { redis, connection } = stage
  const { daemon } = await Daemon.start({ redisUrl: redis.url, databaseUrl, layout })
  try {
    await delay(SETTLED)
    const [commands, cpu, began] = [await commandsSoFar(connection), daemon.cpuTime(), performance.now()]
    await delay(WATCHED)
    const seconds = (performance.now() - began) / 1_000
    const spent = daemon.cpuTime()
    // One of them is our own question.
    const sent = (await commandsSoFar(connection)) - commands - 1
    const rate: Figure = {
      id: 'idle.commands',
      label: 'Redis commands',
      value: sent / seconds,
      unit: 'a second',
      target: { is: 'at most', bound: 10 },
    }
    if (cpu === undefined || spent === undefined) return [rate, 'processor time is measured where the system has /proc']
    const share = (spent - cpu) / seconds / 10
    return [
      { id: 'idle.cpu', label: 'of one core', value: share, unit: '%', target: { is: 'at most', bound: 1 } },
      rate,
    ]
  } finally {
    await daemon.stop()
  }
}

async function commandsSoFar(connection: Redis): Promise<number> {
  return Number(/total_commands_processed:(\d+)/.exec(await connection.info('stats'))?.[1])
}

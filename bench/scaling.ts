import type { Redis } from 'ioredis'
import type { RunningRedis } from '../lab/redis.js'
import { Daemon, type Layout, type Memory } from './daemon.js'
import { type Figure, ratio, timing } from './figures.js'
import { rest, wipe } from './rounds.js'
import type { Stage } from './stage.js'
import { median } from './statistics.js'

/** What the restore of one market costs: ms for each round, and the daemon's memory after the last, if the system tells. */
export interface Cost {
  readonly rounds: readonly number[]
  readonly memory: Memory | undefined
}

/** Costs of two markets that were restored in turns, so that whatever slows the machine slows both. */
export interface Pair {
  readonly base: Cost
  readonly other: Cost
}

/** Wipes and restores two markets in turns, each with a Redis and a daemon of its own; the daemon that waits costs next to nothing. */
export async function measurePair(
  stage: Stage,
  layout: Layout,
  baseUrl: string,
  otherUrl: string,
  rounds: number,
): Promise<Pair> {
  const base = await Side.open(stage.redis, stage.connection, layout, baseUrl)
  try {
    const other = await Side.open(stage.spare, stage.spareConnection, layout, otherUrl)
    try {
      for (let round = 0; round < rounds; round++) {
        await base.restore()
        await other.restore()
      }
      await rest()
      return { base: base.cost(), other: other.cost() }
    } finally {
      await other.close()
    }
  } finally {
    await base.close()
  }
}

class Side {
  private readonly rounds: number[] = []

  private constructor(
    private readonly connection: Redis,
    private readonly daemon: Daemon,
  ) {}

  static async open(redis: RunningRedis, connection: Redis, layout: Layout, databaseUrl: string): Promise<Side> {
    await connection.flushall()
    const { daemon } = await Daemon.start({ redisUrl: redis.url, databaseUrl, layout })
    return new Side(connection, daemon)
  }

  async restore(): Promise<void> {
    await rest()
    this.rounds.push((await wipe(this.connection, this.daemon)).took)
  }

  cost(): Cost {
    return { rounds: this.rounds, memory: this.daemon.memory() }
  }

  async close(): Promise<void> {
    await this.daemon.stop()
    await this.connection.flushall()
  }
}

/** Costs of more symbols against those of 50: at most a tenth more than the ratio of the numbers. */
export function symbolFigures(symbols: number, { base, other }: Pair): (Figure | string)[] {
  const times = symbols / 50
  const target = { is: 'at most', bound: Math.round(times * 1.1) } as const
  const [ours, theirs] = [median(other.rounds), median(base.rounds)]
  return [
    timing(`symbols_${symbols}`, `${symbols.toLocaleString('en-US')} symbols`, other.rounds),
    ratio(`symbols_${symbols}.times`, `  times 50 symbols (${times} x the data)`, ours, theirs, target),
    ...memoryFigures(symbols, other.memory),
  ]
}

/** Costs of 50 symbols, and of the same with ten times the history. A tenth more is within what rounds differ by. */
export function depthFigures({ base, other }: Pair): (Figure | string)[] {
  const target = { is: 'at most', bound: 1.1 } as const
  return [
    timing('symbols_50', '50 symbols', base.rounds),
    ...memoryFigures(50, base.memory),
    timing('depth_10', '50 symbols, ten times the history', other.rounds),
    ratio('depth_times', '  times the shallow one', median(other.rounds), median(base.rounds), target),
  ]
}

const MEMORY_LIMIT = { is: 'at most', bound: 150 } as const

function memoryFigures(symbols: number, memory: Memory | undefined): (Figure | string)[] {
  if (!memory) return ['  memory is measured where the system has /proc']
  const id = `symbols_${symbols}.memory`
  return [
    { id, label: '  memory of the daemon afterwards', value: memory.now, unit: 'MB', target: MEMORY_LIMIT },
    { id: `${id}_peak`, label: '  at its peak', value: memory.peak, unit: 'MB', target: MEMORY_LIMIT },
  ]
}

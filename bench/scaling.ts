import { Daemon, type Layout, type Memory } from './daemon.js'
import { type Figure, ratio, timing } from './figures.js'
import { rest, wipe } from './rounds.js'
import type { Stage } from './stage.js'
import { median } from './statistics.js'

/** What one size costs: ms for each round, and the daemon's memory after the last, if the system tells. */
export interface Cost {
  readonly rounds: readonly number[]
  readonly memory: Memory | undefined
}

/** Restores after a wipe, a few times, with a daemon of its own. */
export async function measureCost(stage: Stage, databaseUrl: string, layout: Layout, rounds: number): Promise<Cost> {
  const { redis, connection } = stage
  await connection.flushall()
  const { daemon } = await Daemon.start({ redisUrl: redis.url, databaseUrl, layout })
  try {
    const times: number[] = []
    for (let round = 0; round < rounds; round++) {
      await rest()
      times.push((await wipe(connection, daemon)).took)
    }
    await rest()
    return { rounds: times, memory: daemon.memory() }
  } finally {
    await daemon.stop()
    await connection.flushall()
  }
}

const MEMORY_LIMIT = { is: 'at most', bound: 150 } as const

/** Costs by number of symbols, the smallest first, each against the smallest: at most a tenth more than the ratio of the numbers. */
export function symbolFigures(costs: ReadonlyMap<number, Cost>): (Figure | string)[] {
  const [first] = costs
  if (!first) return []
  const [fewest, base] = first
  return [...costs].flatMap(([symbols, { rounds, memory }]): (Figure | string)[] => {
    const name = `${symbols.toLocaleString('en-US')} symbols`
    const bound = Math.round((symbols / fewest) * 1.1)
    return [
      timing(`symbols_${symbols}`, name, rounds),
      ...(symbols === fewest
        ? []
        : [
            ratio(
              `symbols_${symbols}.times`,
              `  times ${fewest} symbols (${symbols / fewest} x the data)`,
              median(rounds),
              median(base.rounds),
              { is: 'at most', bound },
            ),
          ]),
      ...memoryFigures(symbols, memory),
    ]
  })
}

function memoryFigures(symbols: number, memory: Memory | undefined): (Figure | string)[] {
  if (!memory) return ['  memory is measured where the system has /proc']
  const id = `symbols_${symbols}.memory`
  return [
    { id, label: '  memory of the daemon afterwards', value: memory.now, unit: 'MB', target: MEMORY_LIMIT },
    { id: `${id}_peak`, label: '  at its peak', value: memory.peak, unit: 'MB', target: MEMORY_LIMIT },
  ]
}

/** The same symbols with ten times the history. A tenth more is within what rounds differ by. */
export function depthFigures(shallow: Cost, deep: Cost): Figure[] {
  return [
    timing('depth_1', '50 symbols, 250 candles deep', shallow.rounds),
    timing('depth_10', '50 symbols, 2,500 candles deep', deep.rounds),
    ratio('depth_times', '  times the shallow one', median(deep.rounds), median(shallow.rounds), {
      is: 'at most',
      bound: 1.1,
    }),
  ]
}

import { parseArgs } from 'node:util'

export type Layout = 'sortedset' | 'timeseries'

export interface Options {
  /** Enabled symbols in PostgreSQL. */
  symbols: number
  /** How candles lie in Redis; undefined: as time series where this Redis can. */
  layout: Layout | undefined
  /** Whether everything stays up until Ctrl-C. */
  keep: boolean
  help: boolean
}

/** The call is wrong: its message is one line that says what it should be. */
export class UsageError extends Error {}

export const usage = `Shows a real Redis being wiped, and healed from a real PostgreSQL.

usage: npm run demo -- [--symbols N] [--layout sortedset|timeseries] [--keep]

  --symbols N   symbols of three timeframes each, 1 to 200; 50 by default
  --layout L    how candles lie in Redis: timeseries needs RedisTimeSeries and
                is the default where that is found, sortedset runs everywhere
  --keep        leave everything running until Ctrl-C, and say how to connect
  --help        say this

It starts servers of its own on free ports, and leaves nothing behind.`

const layouts: readonly string[] = ['sortedset', 'timeseries'] satisfies Layout[]

/** Reads the arguments; throws a UsageError. */
export function parseOptions(args: string[]): Options {
  const { symbols, layout, keep, help } = parse(args)
  if (!/^\d{1,3}$/.test(symbols) || Number(symbols) < 1 || Number(symbols) > 200) {
    throw new UsageError(`--symbols: ${JSON.stringify(symbols)} is no number of symbols; it should be 1 to 200`)
  }
  if (layout !== undefined && !layouts.includes(layout)) {
    throw new UsageError(`--layout: ${JSON.stringify(layout)} is unknown; it should be sortedset or timeseries`)
  }
  return { symbols: Number(symbols), layout: layout as Layout | undefined, keep, help }
}

function parse(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        symbols: { type: 'string', default: '50' },
        layout: { type: 'string' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    return values
  } catch (error) {
    const [problem] = (error as Error).message.split(/[.\n]/)
    throw new UsageError(`${problem}; see --help`)
  }
}

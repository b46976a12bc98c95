import { cpus } from 'node:os'
import { Redis } from 'ioredis'
import { Client } from 'pg'
import { createMarket } from '../lab/market.js'
import { type RunningPostgres, startPostgres } from '../lab/postgres.js'
import { type RunningRedis, startRedis } from '../lab/redis.js'

/** The servers of one run. The daemon guards `redis`; the references fill `spare`, which is of the same kind. */
export interface Stage {
  readonly postgres: RunningPostgres
  readonly redis: RunningRedis
  readonly spare: RunningRedis
  readonly connection: Redis
  readonly spareConnection: Redis
  /** Machine and versions, in one line. */
  readonly description: string
  close(): Promise<void>
}

/** How far back a market reaches: candles of each timeframe, and for how many of them an indicator has values. */
export interface Depth {
  readonly candles: number
  readonly history: number
}

export const SHALLOW: Depth = { candles: 250, history: 10 }
/** Ten times as much of everything; m15 reaches back for a month. */
export const DEEP: Depth = { candles: 2_500, history: 100 }

/** Starts PostgreSQL and two Redis, with RedisTimeSeries if the machine has it. */
export async function setStage(): Promise<Stage> {
  const [postgres, redis, spare] = await Promise.all([startPostgres(), startRedis(), startRedis()])
  const [connection, spareConnection] = [connectTo(redis), connectTo(spare)]
  return {
    postgres,
    redis,
    spare,
    connection,
    spareConnection,
    description: await describe(connection, postgres),
    async close() {
      for (const each of [connection, spareConnection]) each.disconnect()
      await Promise.all([redis.stop(), spare.stop(), postgres.stop()])
    },
  }
}

/** Makes a database with a market of this size, 20 indicator instances a symbol, and returns its URL. */
export async function seed({ postgres }: Stage, symbols: number, { candles, history }: Depth): Promise<string> {
  const url = await postgres.createDatabase()
  await createMarket(url, { symbols, candles: { m1: candles, m5: candles, m15: candles }, history })
  return url
}

export function connectTo({ url }: RunningRedis): Redis {
  const connection = new Redis(url, { protocol: 2 })
  // A server that ends while it is used makes the command reject; that is where it is noticed.
  connection.on('error', () => undefined)
  return connection
}

async function describe(connection: Redis, { url }: RunningPostgres): Promise<string> {
  const info = await connection.info()
  const redis = /redis_version:(\S+)/.exec(info)?.[1]
  const module = /name=timeseries,ver=(\d+)/.exec(await connection.info('modules'))?.[1]
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
  await client.end()
  const series = module === undefined ? 'without RedisTimeSeries' : `RedisTimeSeries ${dotted(Number(module))}`
  return `${cpus().length} cores, Node ${process.versions.node}, Redis ${redis}, ${series}, PostgreSQL ${rows[0]?.server_version}`
}

function dotted(version: number): string {
  return [Math.floor(version / 10_000), Math.floor(version / 100) % 100, version % 100].join('.')
}

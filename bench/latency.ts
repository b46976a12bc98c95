import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { Daemon, type Layout } from './daemon.js'
import type { Figure } from './figures.js'
import { Sightings } from './sightings.js'
import { connectTo, type Stage } from './stage.js'
import { percentile } from './statistics.js'
import { type Batch, readInstances, write } from './writers.js'

/** Changed values a second, for how long, in ms, and how long before that for warming up. */
const RATE = 1_000
const DURATION = 10_000
const WARM_UP = 2_000
/** How often our own way of seeing is measured, and how long a value may be missing before that is an error, in ms. */
const CONTROL_PERIOD = 25
const LOST_AFTER = 10_000
/** A hash that nobody guards. */
const CONTROL_KEY = 'indicator:control:none'

/**
 * From the COMMIT in PostgreSQL until the new value stands in its hash in Redis, as another client of Redis sees it, while indicators
 * change at a steady rate: an instance a commit, as workers write them, and then a value a commit. Rejects if a value never arrives.
 */
export async function measureLatency(stage: Stage, databaseUrl: string, layout: Layout): Promise<(Figure | string)[]> {
  const { redis, connection } = stage
  await connection.flushall()
  await connection.config('SET', 'notify-keyspace-events', 'Kh')
  const { daemon } = await Daemon.start({ redisUrl: redis.url, databaseUrl, layout })
  const ears = connectTo(redis)
  try {
    const sightings = await Sightings.open(ears, connection)
    const instances = await readInstances(databaseUrl)
    const values = instances.flatMap((batch) => batch.params.map((param): Batch => ({ ...batch, params: [param] })))
    await run(databaseUrl, instances, WARM_UP, sightings, connection)
    return [
      ...figuresOf(
        'sync',
        'all of an instance a commit',
        await run(databaseUrl, instances, DURATION, sightings, connection),
      ),
      ...figuresOf(
        'sync_single',
        'one value a commit',
        await run(databaseUrl, values, DURATION, sightings, connection),
      ),
    ]
  } finally {
    ears.disconnect()
    await daemon.stop()
    await connection.config('SET', 'notify-keyspace-events', '')
  }
}

interface Observed {
  /** Changed values a second that PostgreSQL took. */
  readonly rate: number
  /** Of each commit, in ms. */
  readonly latencies: readonly number[]
  /** Of values that we wrote into Redis ourselves meanwhile, in ms: what our way of seeing adds. */
  readonly controls: readonly number[]
}

async function run(
  databaseUrl: string,
  batches: readonly Batch[],
  duration: number,
  sightings: Sightings,
  connection: Redis,
): Promise<Observed> {
  const [latencies, controls]: [number[], number[]] = [[], []]
  const observe = async (into: number[], key: string, fields: readonly string[], value: number): Promise<void> => {
    const sent = performance.now()
    into.push((await sightings.of(key, fields, value)) - sent)
  }
  let beat = 0
  const control = setInterval(() => {
    void observe(controls, CONTROL_KEY, ['beat'], ++beat)
    void connection.hset(CONTROL_KEY, 'beat', beat)
  }, CONTROL_PERIOD)
  const onCommit = ({ key, params }: Batch, value: number): void => void observe(latencies, key, params, value)
  const rate = await write({ databaseUrl, batches, rate: RATE, duration, onCommit })
  clearInterval(control)
  const deadline = performance.now() + LOST_AFTER
  while (sightings.missing > 0) {
    if (performance.now() > deadline) throw new Error(`${sightings.missing} committed changes never arrived in Redis`)
    await delay(10)
  }
  await connection.del(CONTROL_KEY)
  return { rate, latencies, controls }
}

function figuresOf(id: string, label: string, { rate, latencies, controls }: Observed): (Figure | string)[] {
  const figure = (name: string, what: string, of: readonly number[], percent: number, bound?: number): Figure => ({
    id: `${id}.${name}`,
    label: what,
    value: percentile(of, percent),
    unit: 'ms',
    ...(bound !== undefined && { target: { is: 'at most', bound } }),
  })
  const perSecond = Math.round(rate).toLocaleString('en-US')
  return [
    `${label}: ${latencies.length.toLocaleString('en-US')} commits, ${perSecond} values a second`,
    figure('median', 'COMMIT sent until hash seen', latencies, 50, 5),
    figure('p99', '  99th percentile', latencies, 99, 25),
    figure('reader_median', '  of that, our way of seeing it', controls, 50),
    figure('reader_p99', '  99th percentile', controls, 99),
  ]
}

import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import pg from 'pg'
import { createMarket } from '../lab/market.js'
import { startPostgres } from '../lab/postgres.js'
import { onSignalledEnd } from '../lab/processes.js'
import { startProxy } from '../lab/proxy.js'
import { startRedis } from '../lab/redis.js'
import { Daemon } from './daemon.js'
import { below, disasters, type Victims } from './disasters.js'

const usage =
  'usage: npm run soak -- [--minutes 30]   random disasters, one after the other; exit 1 if one is not healed'
/** How long everything may take to be whole again, in ms. */
const PATIENCE = 60_000
/** Disasters between two full comparisons. */
const ROUND = 10

const { values: options } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } })
const minutes = Number(options.minutes)
if (!(minutes > 0)) {
  console.error(usage)
  process.exit(2)
}

const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
await createMarket(postgres.url, { symbols: 12, candles: { m1: 2_000, m5: 600, m15: 600 }, history: 10 })
const [toRedis, toPostgres] = await Promise.all([startProxy(redis.port), startProxy(postgres.port)])
const database = new pg.Pool({ connectionString: postgres.url, max: 2 })
// PostgreSQL is restarted on purpose.
database.on('error', () => undefined)
const { daemon } = await Daemon.start({
  redisUrl: toRedis.url(redis.url),
  databaseUrl: toPostgres.url(postgres.url),
  layout: redis.hasTimeSeries ? 'timeseries' : 'sortedset',
})
onSignalledEnd(() => daemon.stop())

const { rows } = await database.query<{ symbol: string }>("SELECT symbol FROM tickers WHERE status = 'enabled'")
const victims: Victims = { redis, postgres, toRedis, toPostgres, symbols: rows.map(({ symbol }) => symbol) }
const failures = await soak(victims, Date.now() + minutes * 60_000)

await daemon.stop()
await database.end()
await Promise.all([toRedis.stop(), toPostgres.stop(), redis.stop(), postgres.stop()])
process.exitCode = failures.length > 0 ? 1 : 0

/** Does harm until `end`, and returns what was not healed. */
async function soak(victims: Victims, end: number): Promise<string[]> {
  const failures: string[] = []
  const names = Object.keys(disasters)
  for (let count = 1; Date.now() < end; count++) {
    const name = names[below(names.length)] ?? ''
    await disasters[name]?.(victims)
    await update()
    await delay(500 + below(2_500))
    const took = await untilWhole()
    if (took === undefined) failures.push(name)
    console.log(
      `${String(count).padStart(4)}  ${name.padEnd(34)} ${took === undefined ? 'NOT WHOLE' : `whole after ${took} ms more`}`,
    )
    if (count % ROUND > 0) continue
    await delay(2_000)
    const { status, text } = await daemon.verify(redis.url, postgres.url)
    if (status !== 0) failures.push(`verify after ${count}`)
    console.log(`      ${text}; ${daemon.memory()?.now.toFixed(0) ?? '?'} MB resident`)
  }
  console.log(failures.length === 0 ? 'Everything was healed.' : `Not healed: ${failures.join(', ')}`)
  return failures
}

/** Changes newest indicator values of one symbol, as workers do; a PostgreSQL that is away just now is left alone. */
async function update(): Promise<void> {
  const symbol = victims.symbols[below(victims.symbols.length)]
  await database
    .query('UPDATE indicator_values_v4 SET value = value + 1, updated_at = now() WHERE symbol = $1', [symbol])
    .catch(() => undefined)
}

/** Waits until the epoch stands; returns the time that took in ms, undefined if it took too long. */
async function untilWhole(): Promise<number | undefined> {
  const began = Date.now()
  while (Date.now() - began < PATIENCE) {
    const epoch = await redis.cli('GET', 'rekindle:epoch').catch(() => null)
    if (epoch !== null) return Date.now() - began
    await delay(20)
  }
  return undefined
}

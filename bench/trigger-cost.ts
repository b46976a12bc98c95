import { Client } from 'pg'
import { createSchema } from '../lab/schema.js'
import { configSchema } from '../src/config/schema.js'
import { installSql } from '../src/postgres/triggers.js'
import type { Figure } from './figures.js'
import { timing } from './figures.js'
import type { Stage } from './stage.js'
import { median } from './statistics.js'

/** Candles in the large INSERT, of so many symbols; commits of one candle in a round. */
const MANY = 10_000
const SYMBOLS = 50
const COMMITS = 200
/** Sessions that write side by side: PostgreSQL lets only one at a time commit that has notified. */
const WRITERS = 8

/** One way to write candles, and what it takes, in ms: of each of its commits. */
interface Way {
  readonly id: string
  readonly label: string
  run(sessions: readonly Client[], round: number): Promise<number>
}

const WAYS: readonly Way[] = [
  { id: 'one', label: 'INSERT of one candle', run: ([client]) => insertSingly(client as Client) },
  {
    id: 'side_by_side',
    label: `  the same, ${WRITERS} sessions at once`,
    async run(clients) {
      return median(await Promise.all(clients.map(insertSingly)))
    },
  },
  {
    id: 'many',
    label: `INSERT of ${MANY.toLocaleString('en-US')} candles`,
    run: ([client], round) => timed(client as Client, manySql(round)),
  },
]

/**
 * What a writer of candles waits for until its INSERT is committed, in turns in a database without triggers, and in one with the
 * triggers and a session that listens.
 */
export async function measureTriggerCost(stage: Stage, rounds: number): Promise<(Figure | string)[]> {
  const { channel } = configSchema.parse({}).sync
  const [bare, watched] = await Promise.all([open(stage), open(stage)])
  try {
    const [ears] = watched
    await ears?.query(installSql(configSchema.parse({})))
    await ears?.query(`LISTEN ${channel}`)
    const times = new Map(WAYS.flatMap(({ id }) => [bare, watched].map((_, i) => [`${id} ${i}`, [] as number[]])))
    // The first round warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const way of WAYS) {
        for (const [i, sessions] of [bare, watched].entries()) {
          const took = await way.run(sessions.slice(1), round)
          if (round > 0) times.get(`${way.id} ${i}`)?.push(took)
        }
      }
    }
    return WAYS.flatMap(({ id, label }) => [
      timing(`triggers.${id}.without`, label, times.get(`${id} 0`) ?? []),
      timing(`triggers.${id}.with`, '  with triggers', times.get(`${id} 1`) ?? []),
    ])
  } finally {
    await Promise.all([...bare, ...watched].map((client) => client.end()))
  }
}

/** Sessions in a database of their own: one that listens, and those that write. */
async function open({ postgres }: Stage): Promise<Client[]> {
  const url = await postgres.createDatabase()
  const clients = Array.from({ length: WRITERS + 1 }, () => new Client({ connectionString: url }))
  await Promise.all(clients.map((client) => client.connect()))
  await createSchema(clients[0] as Client)
  return clients
}

let candles = 0

/** Ms of each commit. */
async function insertSingly(client: Client): Promise<number> {
  const began = performance.now()
  for (let i = 0; i < COMMITS; i++) {
    await client.query(
      `INSERT INTO ohlcv4_m1 (symbol, open_time, open, high, low, close, volume)
       VALUES ('BTCUSDT', '2020-01-01'::timestamp + $1 * interval '1 minute', 1.5, 2.5, 0.5, 1.75, 12345.678)`,
      [candles++],
    )
  }
  return (performance.now() - began) / COMMITS
}

function manySql(round: number): string {
  const each = MANY / SYMBOLS
  return `INSERT INTO ohlcv4_m5 (symbol, open_time, open, high, low, close, volume)
    SELECT 'SYM' || s, '2020-01-01'::timestamp + n * interval '5 minutes', 1.5, 2.5, 0.5, 1.75, 12345.678
    FROM generate_series(1, ${SYMBOLS}) AS s, generate_series(${round * each}, ${(round + 1) * each - 1}) AS n`
}

async function timed(client: Client, sql: string): Promise<number> {
  const began = performance.now()
  await client.query(sql)
  return performance.now() - began
}

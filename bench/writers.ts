import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'

/** Values of one indicator instance that are written together: its newest, or some of them. */
export interface Batch {
  /** The hash that they belong to. */
  readonly key: string
  readonly instance: number
  readonly symbol: string
  /** As PostgreSQL prints it. */
  readonly openTime: string
  readonly params: readonly string[]
}

/** Connections that write side by side, so that a slow commit does not hold up the next. */
const WRITERS = 4

/** The newest values of every instance. */
export async function readInstances(databaseUrl: string): Promise<Batch[]> {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const { rows } = await client.query<Batch>(
      `SELECT format('indicator:%s:%s', instance.symbol, timeframe) AS key, instance.id AS instance, instance.symbol,
         newest.open_time::text AS "openTime", newest.params
       FROM indicator_instances_v4 AS instance
       JOIN tickers AS ticker ON ticker.symbol = instance.symbol AND status = 'enabled'
       CROSS JOIN LATERAL (
         SELECT open_time, array_agg(param_name) AS params FROM indicator_values_v4
         WHERE instance_id = instance.id GROUP BY open_time ORDER BY open_time DESC LIMIT 1
       ) AS newest ORDER BY 2`,
    )
    return rows
  } finally {
    await client.end()
  }
}

export interface Load {
  readonly databaseUrl: string
  readonly batches: readonly Batch[]
  /** Values a second. */
  readonly rate: number
  /** In ms. */
  readonly duration: number
  /** Called right before a batch is committed with this value. */
  readonly onCommit: (batch: Batch, value: number) => void
}

/** Greater than any indicator of the market, so that it is known for what it is. */
let lastValue = 1_000_000_000

/**
 * Changes values at a steady rate, each batch in a transaction of its own, without waiting for anything that follows from it.
 * Returns the values a second that PostgreSQL took.
 */
export async function write({ databaseUrl, batches, rate, duration, onCommit }: Load): Promise<number> {
  const clients = Array.from({ length: WRITERS }, () => new Client({ connectionString: databaseUrl }))
  await Promise.all(clients.map((client) => client.connect()))
  const began = performance.now()
  let written = 0
  let turn = 0
  const writeOn = async (client: Client): Promise<void> => {
    for (;;) {
      const due = (written / rate) * 1_000
      if (due >= duration) return
      // A stride through the list, so that neighbours in time are different symbols.
      const batch = batches[(turn++ * STRIDE) % batches.length] as Batch
      written += batch.params.length
      const wait = began + due - performance.now()
      if (wait > 0.5) await delay(wait)
      const value = ++lastValue
      await client.query(updateSql(batch, value))
      onCommit(batch, value)
      await client.query('COMMIT')
    }
  }
  try {
    await Promise.all(clients.map(writeOn))
    return written / ((performance.now() - began) / 1_000)
  } finally {
    await Promise.all(clients.map((client) => client.end()))
  }
}

/** A prime, so that every batch has its turn. */
const STRIDE = 389

/** One message for two statements: what is measured begins with the COMMIT that comes afterwards. */
function updateSql({ instance, symbol, openTime, params }: Batch, value: number): string {
  const names = params.map((param) => `'${param}'`).join(', ')
  return `BEGIN; UPDATE indicator_values_v4 SET value = ${value}, updated_at = now()
    WHERE instance_id = ${instance} AND symbol = '${symbol}' AND open_time = '${openTime}' AND param_name IN (${names})`
}

import { Client } from 'pg'
import { type SeededMarket, seedMarket } from '../lab/market.js'
import { createSchema, type Database } from '../lab/schema.js'

// Of the shorter timeframes some days, of the longest some months: the newest 250 must be picked everywhere.
const candles = { m1: 3 * 24 * 60, m5: (10 * 24 * 60) / 5, m15: (120 * 24 * 60) / 15 }
const history = 30
/** The market ends a while ago, for the worker lets it run faster than the clock. */
const BEHIND = 60 * 60_000

/** Creates the tables in the empty database at this URL and fills them; says what it does, table by table. */
export async function seed(databaseUrl: string, symbols: number, say: (step: string) => void): Promise<SeededMarket> {
  const client = new Client({ connectionString: databaseUrl })
  client.on('error', () => {})
  await client.connect()
  try {
    await createSchema(client)
    const observed: Database = {
      query: (text, values) => {
        const step = stepOf(text)
        if (step) say(step)
        return client.query(text, values)
      },
    }
    return await seedMarket(observed, { symbols, candles, history, end: new Date(Date.now() - BEHIND) })
  } finally {
    await client.end()
  }
}

function stepOf(sql: string): string | undefined {
  const [, table] = /INSERT INTO (\w+)/.exec(sql) ?? []
  if (table) return table
  return sql.includes('ADD PRIMARY KEY') ? 'keys and indexes' : undefined
}

import type { Redis } from 'ioredis'
import type { Dataset } from '../datasets/dataset.js'
import { lanesOf, lanesWith } from '../decide/lanes.js'
import type { Database } from '../postgres/database.js'

/** What PostgreSQL wants to be in Redis, and how to ask. */
export interface Truth {
  readonly db: Database
  readonly datasets: readonly Dataset[]
  /** The enabled symbols, now. */
  readonly readSymbols: () => Promise<string[]>
}

/** How many of the keys that PostgreSQL wants now are there. Values are not compared: a backup is older than PostgreSQL. */
export interface Share {
  readonly dataset: string
  readonly wanted: number
  readonly found: number
}

/** Symbols that are read in one step. */
const BATCH = 16

/** Looks for the keys of every dataset in the selected database. Rejects with a Trouble if PostgreSQL does not tell. */
export async function postgresShares(redis: Redis, truth: Truth, signal: AbortSignal): Promise<Share[]> {
  const { db, datasets, readSymbols } = truth
  const lanes = lanesOf(datasets, await readSymbols())
  const shares: Share[] = []
  for (const dataset of datasets) {
    const symbols = lanesWith(lanes, dataset.name)
    let [wanted, found] = [0, 0]
    for (let i = 0; i < symbols.length; i += BATCH) {
      signal.throwIfAborted()
      const reading = await dataset.read(db, symbols.slice(i, i + BATCH), { thorough: false, parts: undefined })
      const asked = redis.pipeline()
      for (const { key } of reading.wanted) asked.exists(key)
      const replies = (await asked.exec()) ?? []
      wanted += replies.length
      found += replies.filter(([, exists]) => exists === 1).length
    }
    shares.push({ dataset: dataset.name, wanted, found })
  }
  return shares
}

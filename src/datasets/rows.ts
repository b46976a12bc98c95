import type { RowsConfig } from '../config/rows.js'
import { NOTHING, type Tally } from '../model.js'
import { asideCommand } from '../redis/aside.js'
import { exchange, type Wire } from '../redis/wire.js'
import { chunksOf, overChunks } from './chunks.js'
import type { Dataset, Finding, MayReplace } from './dataset.js'
import { lookAtHashes, putHashes } from './rows-hash.js'
import { queryRows } from './rows-query.js'
import { RowsReader, type RowWanted } from './rows-reading.js'
import { fingerprintSql } from './rows-sql.js'
import { findStrays } from './rows-strays.js'
import { lookAtTexts, putTexts } from './rows-text.js'
import { countWritten } from './written.js'

export interface RowFinding extends Finding<RowWanted> {
  readonly repair?: Repair
}

/** What must be written to a key that is not whole. */
export interface Repair {
  /** By field, or under '' for a text: what was seen there, undefined for nothing. Only what must be written. */
  readonly changes: ReadonlyMap<string, string | undefined>
  /** The moment of expiry that was seen, -1 for none; only where another is wanted of a key that stands. */
  readonly expires?: number
}

/** Keys, and about so many characters of what they must hold, in one round trip. */
const TRIP = { count: 500, size: 4_000_000 }

/** Any table or query: each of its rows is one key, a hash, a string or JSON text. */
export function rowsDataset(name: string, config: RowsConfig, rank: number): Dataset<RowWanted, RowFinding> {
  const dataset = `rows.${name}`
  const isHash = config.type === 'hash'
  const reader = new RowsReader(name, config, dataset)
  return {
    name: dataset,
    keys: [config.key],
    rank,
    writers: config.writers,
    comesAndGoes: true,
    ...(config.symbol === undefined && {
      lane: dataset,
      strays: (redis: Wire, isWanted: (key: string) => boolean) => findStrays(redis, config.key, isWanted),
    }),
    // SET gives a string, and so takes nothing away from one; that the value is another is found by the scrub.
    ...(!isHash && { ordinaryEvents: ['set', 'overwritten'] }),
    polling: {
      async fingerprints(db) {
        const sql = fingerprintSql(config)
        const rows = await queryRows<{ symbol: string | null; fingerprint: string }>(db, { name, config }, sql, [])
        return rows.flatMap(({ symbol, fingerprint }) =>
          symbol === null && config.symbol !== undefined ? [] : [{ symbol: symbol ?? dataset, fingerprint }],
        )
      },
    },
    read: (db, symbols, options) => reader.read(db, symbols, options),
    async compare(redis, wanted) {
      const look = isHash ? lookAtHashes : lookAtTexts
      const chunks = chunksOf(wanted, TRIP, ({ body }) => body.length)
      return (await overChunks(chunks, (chunk) => look(redis, dataset, chunk, config))).flat()
    },
    async write(redis, findings, mayReplace): Promise<Tally> {
      const lacking = findings.filter(({ lack }) => lack !== undefined)
      const chunks = chunksOf(lacking, TRIP, ({ wanted }) => wanted.body.length)
      let tally = NOTHING
      for (const { written, superseded } of await overChunks(chunks, (chunk) =>
        writeChunk(redis, chunk, isHash, mayReplace),
      ))
        tally = { ...tally, fields: tally.fields + written, superseded: tally.superseded + superseded }
      return { ...tally, keys: lacking.length }
    },
  }
}

async function writeChunk(
  redis: Wire,
  findings: readonly RowFinding[],
  isHash: boolean,
  mayReplace: MayReplace,
): Promise<{ written: number; superseded: number }> {
  const aside = findings.flatMap(({ wanted, lack }) =>
    lack?.kind === 'wrong_type' ? [asideCommand(wanted.key, isHash ? 'hash' : 'string')] : [],
  )
  const put = isHash ? putHashes(findings, mayReplace) : putTexts(findings, mayReplace)
  return countWritten(await exchange(redis, [...aside, ...put]))
}

import type { Database } from './database.js'

/**
 * A commit stands in the WAL before others see it, and with synchronous replication long before. Transactions are named by the 32 bits
 * that the WAL has of them; the rest is that of the next one's.
 */
const VISIBLE = `
  SELECT xid::text AS xid
  FROM (SELECT pg_current_snapshot() AS snapshot, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next) AS now
  CROSS JOIN unnest($1::bigint[]) AS xid
  WHERE pg_visible_in_snapshot(
    (next + ((xid - next) % 4294967296 + 6442450944) % 4294967296 - 2147483648)::text::xid8, snapshot)`

/** Which of these committed transactions every read that begins now sees. Rejects with a Trouble. */
export async function visibleOf(db: Database, xids: readonly number[]): Promise<Set<number>> {
  const rows = await db.query<{ xid: string }>(VISIBLE, [xids])
  return new Set(rows.map(({ xid }) => Number(xid)))
}

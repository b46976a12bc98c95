import type { IndicatorsConfig } from '../config/schema.js'
import { quoteIdent, quoteTable } from '../postgres/identifiers.js'

/** How many of an instance's newest rows the quick look reads; more parameters than this in one instance need the thorough one. */
const NEWEST_ROWS = 64

/**
 * SQL for the newest value of each parameter of each enabled instance; $1 symbols, $2 timeframes or NULL for all.
 * Rows: symbol, timeframe, param, value (text), oldest first.
 *
 * DISTINCT ON over the whole table reads all of history (2.6 s at 3.3 million rows); the LATERAL reads the end of the unique index
 * of each instance (35 ms). It cannot see a parameter whose newest value lies further back; `thorough` does, for the scrub and verify.
 */
export function newestSql({ instances, values, columns }: IndicatorsConfig, thorough: boolean): string {
  const i = (column: keyof typeof columns.instance): string => `i.${quoteIdent(columns.instance[column])}`
  const v = (column: keyof typeof columns.value): string => `v.${quoteIdent(columns.value[column])}`
  return `
    SELECT ${i('symbol')} AS symbol, ${i('timeframe')} AS timeframe, newest.param, newest.value
    FROM ${quoteTable(instances)} AS i
    CROSS JOIN LATERAL (
      SELECT DISTINCT ON (param) param, value, time
      FROM (
        SELECT ${v('param')} AS param, ${v('value')}::text AS value, ${v('time')} AS time
        FROM ${quoteTable(values)} AS v
        WHERE ${v('instance')} = ${i('id')} AND ${v('symbol')} = ${i('symbol')}
        ORDER BY ${v('time')} DESC
        ${thorough ? '' : `LIMIT ${NEWEST_ROWS}`}
      ) AS rows
      ORDER BY param, time DESC
    ) AS newest
    WHERE ${i('enabled')} AND ${i('symbol')} = ANY ($1) AND ($2::text[] IS NULL OR ${i('timeframe')} = ANY ($2))
    ORDER BY newest.time, ${i('id')}`
}

/**
 * SQL for one fingerprint a symbol and timeframe: how many newest rows there are, and the sum of their times of update.
 *
 * `updated_at` is the start of the writer's transaction, in the writer's time zone, so "everything since" a moment would miss what
 * was committed late. Comparing the whole set of newest rows with the set seen before needs neither an overlap nor a clock, and sees
 * deletions too. Only the newest rows reach Redis, so only those are read, and no index on the time of update is needed.
 */
export function fingerprintSql({ instances, values, columns }: IndicatorsConfig): string {
  const i = (column: keyof typeof columns.instance): string => `i.${quoteIdent(columns.instance[column])}`
  const v = (column: keyof typeof columns.value): string => `v.${quoteIdent(columns.value[column])}`
  return `
    SELECT ${i('symbol')} AS symbol, ${i('timeframe')} AS timeframe,
      count(*) || ':' || coalesce(sum(extract(epoch FROM newest.updated)), 0) AS fingerprint
    FROM ${quoteTable(instances)} AS i
    CROSS JOIN LATERAL (
      SELECT ${v('updated')} AS updated
      FROM ${quoteTable(values)} AS v
      WHERE ${v('instance')} = ${i('id')} AND ${v('symbol')} = ${i('symbol')}
      ORDER BY ${v('time')} DESC
      LIMIT ${NEWEST_ROWS}
    ) AS newest
    WHERE ${i('enabled')}
    GROUP BY 1, 2`
}

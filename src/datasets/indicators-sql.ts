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
 * SQL for the symbols and timeframes of which a newest value was updated at or after $1 less $2 seconds (everything if $1 is NULL).
 * Rows: symbol, timeframe, updated (text).
 *
 * `updated_at` is the start of the writer's transaction, hence the overlap; and it is compared with what writers wrote before, not
 * with a clock, since a timestamp without time zone follows the writer's session. Only the newest rows reach Redis, so only those
 * are looked at, and no index on the time of update is needed.
 */
export function changedSql({ instances, values, columns }: IndicatorsConfig): string {
  const i = (column: keyof typeof columns.instance): string => `i.${quoteIdent(columns.instance[column])}`
  const v = (column: keyof typeof columns.value): string => `v.${quoteIdent(columns.value[column])}`
  return `
    SELECT ${i('symbol')} AS symbol, ${i('timeframe')} AS timeframe, max(newest.updated)::text AS updated
    FROM ${quoteTable(instances)} AS i
    CROSS JOIN LATERAL (
      SELECT ${v('updated')} AS updated
      FROM ${quoteTable(values)} AS v
      WHERE ${v('instance')} = ${i('id')} AND ${v('symbol')} = ${i('symbol')}
      ORDER BY ${v('time')} DESC
      LIMIT ${NEWEST_ROWS}
    ) AS newest
    WHERE ${i('enabled')} AND ($1::timestamp IS NULL OR newest.updated >= $1::timestamp - make_interval(secs => $2))
    GROUP BY 1, 2`
}

import type { IndicatorsConfig } from '../config/schema.js'
import { quoteIdent, quoteTable } from '../postgres/identifiers.js'

/** How many of an instance's newest rows the quick look reads. */
const NEWEST_ROWS = 32

/**
 * The planner takes instance and symbol for independent, expects a few dozen rows of an instance where there are thousands, and would
 * read and sort them all rather than stop at a LIMIT it knows. One that it cannot know makes it walk the unique index backwards.
 */
const NEWEST = `LIMIT (SELECT ${NEWEST_ROWS})`

/**
 * SQL for the newest value of each parameter of each enabled instance; $1 symbols, $2 timeframes or NULL for all.
 * Rows: symbol, timeframe, param, value (text), oldest first.
 *
 * At 3.4 million rows DISTINCT ON over the table takes 4 s. The quick form reads the end of each instance in the unique index (25 ms),
 * and cannot see a parameter last written further back. The thorough one reads the whole index (600 ms).
 */
export function newestSql(config: IndicatorsConfig, thorough: boolean): string {
  const { i } = names(config)
  return `
    SELECT ${i('symbol')} AS symbol, ${i('timeframe')} AS timeframe, newest.param, newest.value::text AS value
    FROM ${quoteTable(config.instances)} AS i
    CROSS JOIN LATERAL (${thorough ? newestOfAll(config) : newestOfLast(config)}) AS newest
    WHERE ${i('enabled')} AND ${i('symbol')} = ANY ($1) AND ($2::text[] IS NULL OR ${i('timeframe')} = ANY ($2))
    ORDER BY newest.time, ${i('id')}, newest.param`
}

function newestOfLast(config: IndicatorsConfig): string {
  const { v, ofInstance } = names(config)
  return `
      SELECT DISTINCT ON (param) param, value, time
      FROM (
        SELECT ${v('param')} AS param, ${v('value')} AS value, ${v('time')} AS time
        FROM ${quoteTable(config.values)} AS v WHERE ${ofInstance}
        ORDER BY ${v('time')} DESC ${NEWEST}
      ) AS rows
      ORDER BY param, time DESC`
}

function newestOfAll(config: IndicatorsConfig): string {
  const { v, ofInstance } = names(config)
  return `
      SELECT times.param, times.time, found.value
      FROM (
        SELECT ${v('param')} AS param, max(${v('time')}) AS time
        FROM ${quoteTable(config.values)} AS v WHERE ${ofInstance}
        GROUP BY ${v('param')}
      ) AS times
      CROSS JOIN LATERAL (
        SELECT ${v('value')} AS value
        FROM ${quoteTable(config.values)} AS v
        WHERE ${ofInstance} AND ${v('time')} = times.time AND ${v('param')} = times.param
        LIMIT 1
      ) AS found`
}

/** The tables that these queries read, by the configuration key that chose each. */
export function tablesOf({ instances, values }: IndicatorsConfig): Record<string, string> {
  return { 'indicators.instances': instances, 'indicators.values': values }
}

/** The configured columns, of instances as `i` and of values as `v`, and the condition that ties values to their instance. */
function names({ columns }: IndicatorsConfig): {
  i: (column: keyof IndicatorsConfig['columns']['instance']) => string
  v: (column: keyof IndicatorsConfig['columns']['value']) => string
  ofInstance: string
} {
  const i = (column: keyof typeof columns.instance): string => `i.${quoteIdent(columns.instance[column])}`
  const v = (column: keyof typeof columns.value): string => `v.${quoteIdent(columns.value[column])}`
  return { i, v, ofInstance: `${v('instance')} = ${i('id')} AND ${v('symbol')} = ${i('symbol')}` }
}

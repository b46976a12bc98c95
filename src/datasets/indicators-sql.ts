import type { IndicatorsConfig } from '../config/schema.js'
import { quoteIdent, quoteTable } from '../postgres/identifiers.js'

/**
 * SQL for the newest value of each parameter of each enabled instance, from the whole history; $1 symbols, $2 timeframes or NULL for
 * all. Rows: symbol, timeframe, instance (as text), param, value (as text), time (as PostgreSQL writes it in JSON); oldest first.
 * An instance without values has one row, without a parameter.
 *
 * It reads all that the unique index holds of the instances: 0.6 s for a million rows. DISTINCT ON over the table would sort them.
 */
export function wholeSql(config: IndicatorsConfig): string {
  return select(config, newestOfAll(config))
}

/** What a read of known instances has to be prepared for; it is planned anew each time, so it says no more than that. */
export interface KnownShape {
  /** True if there are rows of $6, $7 and $8. */
  readonly older: boolean
  /** True if many rows may have to be read of an instance. */
  readonly many: boolean
}

/**
 * The same, where something is known of instances $3 (as text) and their symbols $4: that only rows from the time $5 on need to be
 * read, and if there are `older` ones, those of the instances $6 with parameters $7 and times $8. Times as text of `timestamp`, in UTC.
 * A parameter may come twice, its newest row last; an instance of which nothing is known has one row, without a parameter.
 */
export function knownSql(config: IndicatorsConfig, { older, many }: KnownShape): string {
  const { i, v, ofInstance } = names(config)
  const values = quoteTable(config.values)
  const isRecent = `${v('time')} >= known.floor`
  // Six rows are sooner read and sorted than looked up again, a hundred thousand are not.
  const few = `
      SELECT DISTINCT ON (${v('param')}) ${v('param')} AS param, ${v('time')} AS time, ${v('value')} AS value
      FROM ${values} AS v WHERE ${ofInstance} AND ${isRecent}
      ORDER BY ${v('param')}, ${v('time')} DESC`
  const recent = many ? newestOfAll(config, isRecent) : few
  const past = `
      SELECT ${v('param')}, ${v('time')}, ${v('value')}
      FROM unnest($6::text[], $7::text[], $8::timestamp[]) AS older(id, param, time)
      JOIN ${values} AS v ON ${ofInstance} AND ${v('time')} = older.time AND ${v('param')} = older.param
      WHERE older.id = known.id`
  return select(
    config,
    older ? `(${recent}) UNION ALL (${past})` : recent,
    `LEFT JOIN unnest($3::text[], $4::text[], $5::timestamp[]) AS known(id, symbol, floor)
      ON known.id = ${i('id')}::text AND known.symbol = ${i('symbol')}`,
  )
}

function select(config: IndicatorsConfig, newest: string, known = ''): string {
  const { i } = names(config)
  return `
    SELECT ${i('symbol')} AS symbol, ${i('timeframe')} AS timeframe, ${i('id')}::text AS instance, newest.param,
      newest.value::text AS value, to_json(newest.time) #>> '{}' AS time
    FROM ${quoteTable(config.instances)} AS i ${known}
    LEFT JOIN LATERAL (${newest}) AS newest ON true
    WHERE ${i('enabled')} AND ${i('symbol')} = ANY ($1) AND ($2::text[] IS NULL OR ${i('timeframe')} = ANY ($2))
    ORDER BY newest.time, ${i('id')}, newest.param`
}

function newestOfAll(config: IndicatorsConfig, condition = 'true'): string {
  const { v, ofInstance } = names(config)
  return `
      SELECT times.param AS param, times.time AS time, found.value AS value
      FROM (
        SELECT ${v('param')} AS param, max(${v('time')}) AS time
        FROM ${quoteTable(config.values)} AS v WHERE ${ofInstance} AND ${condition}
        GROUP BY ${v('param')}
      ) AS times
      CROSS JOIN LATERAL (
        SELECT ${v('value')} AS value
        FROM ${quoteTable(config.values)} AS v
        WHERE ${ofInstance} AND ${v('time')} = times.time AND ${v('param')} = times.param
        LIMIT 1
      ) AS found`
}

/** How many of an instance's newest rows a glance reads. */
const GLANCED = 32

/**
 * SQL for one fingerprint a symbol and timeframe, of the newest rows of each instance: 25 ms where there are a thousand instances with
 * millions of rows. A parameter that was last written further back is missed.
 *
 * The planner takes instance and symbol for independent, expects a few dozen rows of an instance where there are thousands, and would
 * read and sort them all rather than stop at a LIMIT it knows. One that it cannot know makes it walk the unique index backwards.
 */
export function glanceSql(config: IndicatorsConfig): string {
  const { i, v, ofInstance } = names(config)
  return `
    SELECT ${i('symbol')} AS symbol, ${i('timeframe')} AS part,
      count(*) || ':' || coalesce(sum(hash_record_extended(newest.row, 0)), 0) AS fingerprint
    FROM ${quoteTable(config.instances)} AS i
    CROSS JOIN LATERAL (
      SELECT ROW(${v('param')}, ${v('time')}, ${v('value')}) AS row
      FROM ${quoteTable(config.values)} AS v WHERE ${ofInstance}
      ORDER BY ${v('time')} DESC LIMIT (SELECT ${GLANCED})
    ) AS newest
    WHERE ${i('enabled')}
    GROUP BY 1, 2`
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

import { createHash } from 'node:crypto'
import { quoteIdent, quoteTable } from './identifiers.js'

/** What a trigger function has to know of the table whose changes it announces; columns by their names in the table. */
export type Announced =
  | { readonly kind: 'symbols' }
  | { readonly kind: 'candles'; readonly symbol: string }
  | { readonly kind: 'instances'; readonly symbol: string; readonly timeframe: string }
  | { readonly kind: 'rows'; readonly symbol: string | undefined; readonly columns: readonly string[] }
  | {
      readonly kind: 'values'
      readonly symbol: string
      readonly instance: string
      readonly time: string
      readonly of: Instances
    }

/** The table in which a value finds the timeframe of its instance. */
export interface Instances {
  readonly table: string
  readonly id: string
  readonly timeframe: string
}

/** Bytes of keys that go into one payload, and the most that a payload may have in all; PostgreSQL refuses 8,000. */
const FULL = 7_300
const LONGEST = 7_900
/** More payloads than this for one statement become one that says: everything. */
const MOST = 64

/** Bytes of the ids of instances in one key; more than that are not named. */
const MOST_IDS = 400

/** The events to announce, each with the transition tables that the functions read; one trigger can name tables for one event only. */
export const EVENTS = {
  insert: 'REFERENCING NEW TABLE AS rekindle_rows ',
  update: 'REFERENCING OLD TABLE AS rekindle_before NEW TABLE AS rekindle_rows ',
  delete: 'REFERENCING OLD TABLE AS rekindle_rows ',
  truncate: '',
} as const

/**
 * SQL that creates or replaces the trigger function `name`, called with the channel and the dataset as arguments.
 *
 * It runs with the rights of whoever writes, so it opens no door that was shut: transition tables need no right at all, and a
 * writer who may not read the instances has the symbol announced with all its timeframes instead. Whatever goes wrong, the write
 * goes through: if the keys cannot be told, everything is announced. Only where the notification queue is nearly full (8 GB by
 * default, held up by a listener that does not read) nothing is, since a full one would fail the write at its commit.
 *
 * Names are looked up as in the session that installs it, spelled out by the caller, and built-in functions by their full name. The
 * settings that change a text are pinned: a writer's own must not change which key is announced.
 *
 * `mark` is what the catalog is searched for, to know it again.
 */
export function functionSql(name: string, announced: Announced, mark: string): string {
  return `CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger
LANGUAGE plpgsql
SET search_path FROM CURRENT${PINNED}
AS ${dollarQuote(`
#variable_conflict use_column
-- ${mark}
DECLARE
  head text := '{"v":1,"dataset":' || pg_catalog.to_json(TG_ARGV[1])::text || ',"keys":';
  everything text[] := ARRAY[head || 'null}'];
  keys text[];
  payloads text[];
  payload text;
BEGIN
  BEGIN
    IF pg_catalog.pg_notification_queue_usage() > 0.9 THEN
      RETURN NULL;
    ELSIF TG_OP = 'TRUNCATE' THEN
      payloads := everything;
    ELSE
${indent(6, announced.kind === 'symbols' ? ANY_ROW : `${gatherKeys(announced)}\n${PACK}`)}
    END IF;
  EXCEPTION WHEN OTHERS THEN
    payloads := everything;
  END;
  -- Unlike the function pg_notify, nobody can be forbidden NOTIFY.
  FOREACH payload IN ARRAY COALESCE(payloads, '{}') LOOP
    EXECUTE pg_catalog.format('NOTIFY %I, %L', TG_ARGV[0], payload);
  END LOOP;
  RETURN NULL;
END
`)}`
}

/** Another text whenever the function would be another one, but for its name: one that was installed earlier can be told by it. */
export function versionMark(announced: Announced): string {
  const hash = createHash('sha256')
    .update(functionSql('f', announced, ''))
    .digest('hex')
  return `rekindle ${hash.slice(0, 16)}`
}

/**
 * As our own sessions have them. A policy that hides instances from the writer raises an error, and so announces the symbol with all
 * its timeframes, rather than nothing.
 */
const PINNED = `
SET "TimeZone" = 'UTC'
SET "DateStyle" = 'ISO, MDY'
SET "IntervalStyle" = 'postgres'
SET bytea_output = 'hex'
SET extra_float_digits = 1
SET lc_numeric = 'C'
SET lc_monetary = 'C'
SET row_security = off`

const ANY_ROW = `IF EXISTS (SELECT FROM rekindle_rows) THEN
  payloads := everything;
END IF;`

/** Cuts the keys into payloads; no keys, no payload. */
const PACK = `SELECT pg_catalog.array_agg(payload) INTO payloads FROM (
  SELECT head || '[' || pg_catalog.string_agg(key, ',' ORDER BY key COLLATE "C") || ']}' AS payload
  FROM (
    SELECT key, pg_catalog.sum(pg_catalog.octet_length(key) + 1) OVER (ORDER BY key COLLATE "C") / ${FULL} AS part
    FROM pg_catalog.unnest(keys) AS key
  ) AS measured
  GROUP BY part
) AS packed;
IF pg_catalog.cardinality(payloads) > ${MOST}
  OR EXISTS (SELECT FROM pg_catalog.unnest(payloads) AS payload WHERE pg_catalog.octet_length(payload) > ${LONGEST}) THEN
  payloads := everything;
END IF;`

/**
 * Fills `keys` with JSON texts, `["BTCUSDT","m1"]` or `["BTCUSDT"]`; those of values go on with what was written, or null if nothing
 * was. A row that an UPDATE leaves as it was counts as well: the
 * reader finds nothing to do then, whereas to compare here could only miss something.
 */
function gatherKeys(announced: Exclude<Announced, { kind: 'symbols' }>): string {
  if (announced.kind === 'rows') return gatherRows(announced)
  const symbol = `${quoteIdent(announced.symbol)}::text COLLATE "C" AS symbol`
  if (announced.kind === 'candles') return gather(symbol, (rows) => keysOf(rows, 'symbol'))
  if (announced.kind === 'instances') {
    const timeframe = `${quoteIdent(announced.timeframe)}::text COLLATE "C" AS timeframe`
    return gather(`${symbol}, ${timeframe}`, (rows) => keysOf(rows, 'symbol', 'timeframe'))
  }
  const instance = `${quoteIdent(announced.instance)} AS instance`
  return `BEGIN
${indent(2, gatherValues(`${symbol}, ${instance}`, announced))}
EXCEPTION WHEN OTHERS THEN
  -- The instances cannot be read, for instance for lack of a right: a symbol alone means all its timeframes.
${indent(
  2,
  gather(symbol, (rows) => keysOf(rows, 'symbol')),
)}
END;`
}

/** Rows that are removed, or that an UPDATE replaces, name their key, but no time that was written. */
function gatherValues(columns: string, { time, of }: Extract<Announced, { kind: 'values' }>): string {
  const earliest = `pg_catalog.min(${quoteIdent(time)})`
  const rows = (table: string, written: string): string =>
    `SELECT ${columns}, ${written} AS since FROM ${table} GROUP BY 1, 2`
  const ids = 'pg_catalog.json_agg(instance::text) FILTER (WHERE since IS NOT NULL)'
  const written = `CASE WHEN pg_catalog.min(since) IS NULL THEN 'null' ELSE pg_catalog.json_build_object(
      'since', pg_catalog.to_json(pg_catalog.min(since)) #>> '{}',
      'ids', CASE WHEN pg_catalog.octet_length((${ids})::text) <= ${MOST_IDS} THEN ${ids} END
    )::text END`
  const keys = (each: string): string => `SELECT pg_catalog.format('[%s]', pg_catalog.concat_ws(',',
    pg_catalog.to_json(symbol), pg_catalog.to_json(timeframe), CASE WHEN timeframe IS NOT NULL THEN ${written} END))
FROM (
${indent(2, joinInstances(each, of))}
) AS changed
WHERE symbol IS NOT NULL
GROUP BY symbol, timeframe`
  const nothing = `CASE WHEN false THEN ${earliest} END`
  const [fresh, replaced] = [rows('rekindle_rows', earliest), rows('rekindle_before', nothing)]
  return `IF TG_OP = 'UPDATE' THEN
  keys := ARRAY(
${indent(4, keys(`${fresh}\nUNION ALL\n${replaced}`))}
  );
ELSIF TG_OP = 'INSERT' THEN
  keys := ARRAY(
${indent(4, keys(fresh))}
  );
ELSE
  keys := ARRAY(
${indent(4, keys(rows('rekindle_rows', nothing)))}
  );
END IF;`
}

/** The part of a row is the JSON of its key columns; rows without a symbol go by the name of their dataset. */
function gatherRows({ symbol, columns }: Extract<Announced, { kind: 'rows' }>): string {
  const lane = symbol === undefined ? 'TG_ARGV[1]' : `${quoteIdent(symbol)}::text`
  const part = `pg_catalog.jsonb_build_array(${columns.map(quoteIdent).join(', ')})::text`
  return gather(`${lane} COLLATE "C" AS symbol, ${part} COLLATE "C" AS part`, (rows) => keysOf(rows, 'symbol', 'part'))
}

/** `select` makes a query of the rows' own; an UPDATE has two sets of them. */
function gather(columns: string, select: (rows: string) => string): string {
  return `IF TG_OP = 'UPDATE' THEN
  keys := ARRAY(
${indent(4, select(`SELECT ${columns} FROM rekindle_rows\nUNION\nSELECT ${columns} FROM rekindle_before`))}
  );
ELSE
  keys := ARRAY(
${indent(4, select(`SELECT DISTINCT ${columns} FROM rekindle_rows`))}
  );
END IF;`
}

/** Values that went together with their instance have lost their timeframe; the instance's own trigger announces it. */
function joinInstances(rows: string, { table, id, timeframe }: Instances): string {
  return `SELECT value.symbol, i.${quoteIdent(timeframe)}::text COLLATE "C" AS timeframe, value.instance, value.since
FROM (
${indent(2, rows)}
) AS value
LEFT JOIN ${quoteTable(table)} AS i ON i.${quoteIdent(id)} = value.instance
WHERE i.${quoteIdent(id)} IS NOT NULL OR TG_OP <> 'DELETE'`
}

function keysOf(rows: string, ...parts: string[]): string {
  const texts = parts.map((part) => `pg_catalog.to_json(${part})`)
  return `SELECT pg_catalog.format('[%s]', pg_catalog.concat_ws(',', ${texts.join(', ')}))
FROM (
${indent(2, rows)}
) AS changed
WHERE symbol IS NOT NULL`
}

function indent(by: number, text: string): string {
  return text.replaceAll(/^(?=.)/gm, ' '.repeat(by))
}

/** Quotes a body with a tag that it does not hold. */
export function dollarQuote(body: string): string {
  let tag = '$rekindle$'
  while (body.includes(tag)) tag = tag.replace(/\$$/, '_$')
  return `${tag}${body}${tag}`
}

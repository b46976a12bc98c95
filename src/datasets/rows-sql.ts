import type { RowsConfig } from '../config/rows.js'
import { templateColumns } from '../config/template.js'
import { quoteIdent, quoteLiteral, quoteTable } from '../postgres/identifiers.js'

/** One row as the queries give it: all is text, so that no digit is lost. */
export interface Row {
  /** Null for rows that stand for themselves. */
  readonly symbol: string | null
  /** Null where a column of the key is NULL or empty, and where no row is left of a part. */
  readonly key: string | null
  /** What the column of expiry holds, as JSON shows it. */
  readonly expires: string | null
  /** The text of a string, the JSON text of a JSON key, or a JSON object of the texts of a hash's fields, null for those that it has not. */
  readonly body: string | null
  /** True if rows of several symbols give this key. */
  readonly shared: boolean
  /** The key that a part would have; null unless parts were asked for. */
  readonly asked: string | null
}

const ROW = 'rekindle_row'
const ASKED = 'rekindle_asked'

/**
 * SQL for all rows, of the symbols $1 if the rows have symbols; or, if `parts`, for the rows that are these parts, $1, and for the
 * parts that no row is any more, whatever symbol.
 *
 * A part is the JSON array of the key's columns. PostgreSQL reads them back as the table's own types, so that an index on those
 * columns serves, and a moment is the same in every time zone.
 */
export function rowsSql(config: RowsConfig, parts: boolean): string {
  const { key, symbol, expires } = config
  // Rows of other symbols count here: what two of them give would be written by turns.
  const mayShare = symbol !== undefined && !templateColumns(key).includes(symbol)
  const list = [
    `${symbolOf(config)} AS symbol`,
    `${keyText(key, ROW)} AS key`,
    `${expires === undefined ? 'NULL' : textOf(column(expires))} AS expires`,
    `${bodyOf(config)} AS body`,
    `${parts ? keyText(key, ASKED) : 'NULL'} AS asked`,
    `${mayShare ? `min(${symbolOf(config)}) OVER one <> max(${symbolOf(config)}) OVER one` : 'false'} AS shared`,
  ]
  const from = `FROM ${parts ? partsSource(config) : sourceOf(config)}`
  if (parts || symbol === undefined) return `SELECT ${list.join(', ')} ${from} ${mayShare ? windowOf(key) : ''}`
  const isAsked = `${column(symbol)} = ANY ($1)`
  if (!mayShare) return `SELECT ${list.join(', ')} ${from} WHERE ${isAsked}`
  return `SELECT * FROM (SELECT ${list.join(', ')}, ${isAsked} AS wanted ${from} ${windowOf(key)}) AS rows WHERE wanted`
}

function windowOf(key: string): string {
  return `WINDOW one AS (PARTITION BY ${keyText(key, ROW)})`
}

/**
 * SQL for one fingerprint of the whole result, or one a symbol, whatever the order of the rows. Rows: symbol, fingerprint.
 */
export function fingerprintSql(config: RowsConfig): string {
  const print = `count(*) || ':' || coalesce(sum(hashtextextended(${ROW}::text, 0)), 0)`
  const group = config.symbol === undefined ? '' : ' GROUP BY 1'
  return `SELECT ${symbolOf(config)} AS symbol, ${print} AS fingerprint FROM ${sourceOf(config)}${group}`
}

/** SQL that reads nothing, and fails where the table is missing or the query is wrong. */
export function sourceSql(config: RowsConfig): string {
  return `SELECT FROM ${sourceOf(config)} LIMIT 0`
}

/** SQL that reads nothing, and fails where the source gives no such column. */
export function columnSql(config: RowsConfig, name: string): string {
  return `SELECT ${column(name)} FROM ${sourceOf(config)} LIMIT 0`
}

function symbolOf({ symbol }: RowsConfig): string {
  return symbol === undefined ? 'NULL' : `${column(symbol)}::text`
}

function sourceOf({ table, query = '' }: RowsConfig): string {
  // A comment at the end of the query must not swallow what follows.
  return `${table === undefined ? `(\n${query.replace(/[\s;]+$/, '')}\n)` : quoteTable(table)} AS ${ROW}`
}

/**
 * The parts as rows of the table's type, each with what stands there now. The columns that are not of the key are those of any row:
 * without them a column whose domain forbids NULL would fail. (Of an empty table nothing is known but its type.)
 */
function partsSource({ table = '', key }: RowsConfig): string {
  const columns = templateColumns(key)
  const pairs = columns.map((name, i) => `${quoteLiteral(name)}, part::jsonb -> ${i}`)
  const same = columns.map((name) => `${column(name)} = ${column(name, ASKED)}`)
  return `unnest($1::text[]) AS part
    CROSS JOIN LATERAL jsonb_populate_record((SELECT whole FROM ${quoteTable(table)} AS whole LIMIT 1), jsonb_build_object(${pairs.join(', ')})) AS ${ASKED}
    LEFT JOIN ${quoteTable(table)} AS ${ROW} ON ${same.join(' AND ')}`
}

function bodyOf({ type, fields, value = '' }: RowsConfig): string {
  if (type === 'string') return textOf(column(value))
  if (type === 'json') return fields ? jsonOf(fields) : `row_to_json(${ROW})::text`
  const members = Object.entries(fields ?? {}).map(
    ([name, from]) => `(${quoteLiteral(name)}, to_json(${column(from)}))`,
  )
  const source = fields ? `(VALUES ${members.join(', ')})` : `json_each(${hideEscapes(`row_to_json(${ROW})`)})`
  // Strings stay JSON, since PostgreSQL has no text for \u0000; of all else the text is taken, so that no digit is lost.
  const object = `json_object_agg(key, CASE json_typeof(value) WHEN 'string' THEN value WHEN 'null' THEN NULL
    ELSE to_json(${fields ? 'value::text' : showEscapes('value::text')}) END)::text`
  return `(SELECT ${fields ? object : showEscapes(object)}
    FROM ${source} AS field(key, value) HAVING bool_or(json_typeof(value) <> 'null'))`
}

/** What stands for `\u` in JSON while PostgreSQL takes it to pieces: it refuses what it has no text for, as \u0000 or half of a pair. */
const HIDDEN = '\\f\\f\\bu'

function hideEscapes(json: string): string {
  return `replace(${json}::text, ${quoteLiteral('\\u')}, ${quoteLiteral(HIDDEN)})::json`
}

function showEscapes(text: string): string {
  return `replace(${text}, ${quoteLiteral(HIDDEN)}, ${quoteLiteral('\\u')})`
}

/** A JSON object of any number of members, in order; a function would take a hundred arguments at most. */
function jsonOf(fields: Readonly<Record<string, string>>): string {
  const members = Object.entries(fields).map(
    ([name, from], i) =>
      `${quoteLiteral(`${i > 0 ? ',' : ''}${JSON.stringify(name)}:`)} || coalesce(to_json(${column(from)})::text, 'null')`,
  )
  return `'{' || ${members.join(' || ')} || '}'`
}

/** The key as text, NULL if one of its columns is NULL or empty. */
function keyText(template: string, row: string): string {
  const pieces = template.split(PLACEHOLDER).map((piece, i) => {
    if (i % 2 === 1) return `nullif(${textOf(column(piece, row))}, '')`
    return piece === '' ? [] : quoteLiteral(piece)
  })
  return `(${pieces.flat().join(' || ')})`
}

const PLACEHOLDER = /\{([^{}]+)\}/

/**
 * As JSON shows it, without quotes: numbers with all their digits, booleans as true and false, moments as of ISO 8601. NULL for JSON
 * that is one string of which PostgreSQL can make no text, with \u0000 or half of a pair in it.
 */
function textOf(value: string): string {
  const untold = quoteLiteral('\\\\u(0000|[dD][89abAB]..(?!\\\\u[dD][c-fC-F]))')
  const isUntold = `pg_typeof(${value}) = 'json'::regtype AND ${value}::text ~ ${untold}`
  return `(CASE json_typeof(to_json(${value})) WHEN 'string' THEN CASE WHEN ${isUntold} THEN NULL ELSE to_json(${value}) #>> '{}' END
    WHEN 'null' THEN NULL ELSE to_json(${value})::text END)`
}

function column(name: string, row = ROW): string {
  return `${row}.${quoteIdent(name)}`
}

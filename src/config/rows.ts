/** The section about tables and queries whose rows are keys in Redis. */

import { z } from 'zod'
import type { Writers } from '../model.js'
import { mapping, name, oneOf, query, rowTemplate, table, writers } from './kinds.js'

/** One table or query: each of its rows is one key. */
export interface RowsConfig {
  /** Either this or `query`. */
  table?: string
  query?: string
  /** Key template; `{column}` stands for the text of a column. */
  key: string
  type: 'hash' | 'string' | 'json'
  /** What a hash or a JSON object holds: name in Redis -> column. Absent: every column by its own name. */
  fields?: Record<string, string>
  /** The column whose text a string holds. */
  value?: string
  /** The column with the moment at which the key expires; NULL for never. */
  expires?: string
  /** The column with the symbol that a row belongs to. Absent: the rows stand for themselves, as `rows.<name>`. */
  symbol?: string
  writers: Writers
}

const ROWS = 'it should be a mapping, such as plans: { table: user_plans, key: "sub:user:{user_id}" }'
const FIELDS = 'it should name a column for each field, such as plan: plan_name'

const one = mapping(
  {
    table: table.exactOptional(),
    query: query('it should be a SELECT that gives one row a key').exactOptional(),
    key: rowTemplate,
    type: oneOf('type', ['hash', 'string', 'json']).default('hash'),
    fields: z.record(z.string(), name, { error: `is not a mapping; ${FIELDS}` }).exactOptional(),
    value: name.exactOptional(),
    expires: name.exactOptional(),
    symbol: name.exactOptional(),
    writers,
  },
  'it should hold',
).superRefine((rows, context) => {
  const wrong = (path: string, input: unknown, message: string) =>
    context.addIssue({ code: 'custom', path: [path], input, message })
  if (rows.table === undefined && rows.query === undefined)
    wrong('table', undefined, 'is missing; it should name a table, or there should be a query')
  if (rows.table !== undefined && rows.query !== undefined)
    wrong('query', rows.query, 'is one source too many; it should be gone, or the table should')
  if (rows.type === 'string' && rows.value === undefined)
    wrong('value', undefined, 'is missing; it should name the column whose text a string holds')
  if (rows.type !== 'string' && rows.value !== undefined)
    wrong('value', rows.value, `does not go with type ${rows.type}; it should be gone, or type should be string`)
  if (rows.type === 'string' && rows.fields !== undefined)
    wrong('fields', rows.fields, 'does not go with type string; it should be gone, or type should be hash or json')
  if (rows.fields !== undefined && Object.keys(rows.fields).length === 0)
    wrong('fields', rows.fields, `is empty; ${FIELDS}`)
})

const datasetName = z.string().regex(/^[\w-]+$/, {
  error: 'is no name of a dataset; it should be of letters, digits, _ and - only',
})

/** Rows by name. */
export const rows = z.record(datasetName, one, { error: `is not a mapping; ${ROWS}` })

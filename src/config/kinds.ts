/** The kinds of value that a configuration holds. The message of each reads `<what is wrong>; <what it should be>`. */

import { z } from 'zod'
import { parseDuration } from './duration.js'
import { rowTemplateProblem, templateProblem } from './template.js'

/** PostgreSQL cuts longer names short, and then two could become one. */
const LONGEST_NAME = 63

/** A mapping of these keys and no others; absent and empty mean all defaults. */
export function section<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return z.preprocess((raw) => raw ?? {}, mapping(shape, 'it should hold'))
}

/** A section that `false` switches off. An empty one (`candles:`) is refused: it could be meant either way. */
export function dataset<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const either = z.union([z.literal(false), mapping(shape, 'it should be false, or hold')])
  return z.preprocess((raw) => (raw === undefined ? {} : raw), either)
}

/** A section that `false` switches off; absent and empty mean all defaults. */
export function switchable<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  const either = z.union([z.literal(false), mapping(shape, 'it should be false, or hold')])
  return z.preprocess((raw) => raw ?? {}, either)
}

/** A mapping in a list. */
export function element<Shape extends z.core.$ZodLooseShape>(shape: Shape) {
  return mapping(shape, 'it should hold')
}

/** A mapping of these keys and no others. */
export function mapping<Shape extends z.core.$ZodLooseShape>(shape: Shape, should: string) {
  const known = Object.keys(shape).join(', ')
  return z.strictObject(shape, {
    error: ({ code }) => {
      if (code === 'invalid_type') return `is not a mapping; ${should} ${known}`
      return code === 'unrecognized_keys' ? `unknown key; it should be one of ${known}` : undefined
    },
  })
}

/** Text that is not blank. */
export function text(what: string, example: string) {
  const error = `is not ${what}; it should be text ${example}`
  return z.string({ error }).regex(/\S/, { error })
}

/** true or false. */
export const yesOrNo = z.boolean({ error: 'is neither true nor false; it should be one of them' })

/** SQL that gives rows; `should` says of what. */
export function query(should: string) {
  return z.string({ error: `is no query; ${should}` }).regex(/\S/, { error: `is empty; ${should}` })
}

const NAME = `is no name; it should be 1 to ${LONGEST_NAME} bytes of text`

/** The name of a column or a channel. */
export const name = z.string({ error: NAME }).refine(isName, { error: NAME }).meta({ title: 'name', pattern: '\\S' })

const TABLE = 'is no name of a table; it should be table or schema.table'

/** The name of a table, which may be schema-qualified. */
export const table = z
  .string({ error: TABLE })
  .refine(
    (value) => {
      const parts = value.split('.')
      return parts.length <= 2 && parts.every(isName)
    },
    { error: TABLE },
  )
  .meta({ title: 'table', pattern: '^[^.]+(\\.[^.]+)?$' })

const TIMEFRAMES = 'it should name a table for each timeframe, such as m1: ohlcv4_m1'

/** Tables by timeframe, at least one. JavaScript puts names that are whole numbers first. */
export const timeframeTables = z
  .record(z.string(), table, { error: `is not a mapping; ${TIMEFRAMES}` })
  .superRefine((tables, context) => {
    const names = Object.keys(tables)
    const nameless = names.find((each) => !isName(each))
    if (names.length === 0) context.addIssue({ code: 'custom', input: tables, message: `is empty; ${TIMEFRAMES}` })
    if (nameless === undefined) return
    context.addIssue({ code: 'custom', input: nameless, message: `is no name of a timeframe; ${TIMEFRAMES}` })
  })

/** A whole number from 1. */
export function count(most: number) {
  const error = `is not in range; it should be a whole number from 1 to ${most}`
  return z.int({ error }).min(1, { error }).max(most, { error })
}

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(what: string, words: Words) {
  const list = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
  return z.enum(words, { error: `is no ${what}; it should be ${list}` })
}

/** Who writes the values of a dataset first. */
export const writers = oneOf('kind of writers', ['redis', 'postgres', 'auto']).default('auto')

/** A duration with its unit, to ms. */
export function duration(least: number) {
  return z
    .unknown()
    .transform((value, context): number => {
      try {
        return parseDuration(value, least)
      } catch (error) {
        context.addIssue({ code: 'custom', input: value, message: (error as Error).message })
        return z.NEVER
      }
    })
    .meta({ title: 'duration', type: 'string', pattern: '^\\d+(ms|s|m|h|d)$' })
}

/** The address of a server. */
export function url(problemOf: (url: string) => string | undefined) {
  return checked('is no URL; it should be text', problemOf).meta({ title: 'URL' })
}

/** A key template with `{symbol}`. */
export const template = checked('is no template; it should be text that holds {symbol}', templateProblem).meta({
  title: 'key template',
  pattern: '\\{symbol\\}',
})

/** A key template with `{symbol}` and `{timeframe}`. */
export const timeframeTemplate = checked(
  'is no template; it should be text that holds {symbol} and {timeframe}',
  (value) =>
    templateProblem(value) ??
    (value.includes('{timeframe}')
      ? undefined
      : 'has no {timeframe}; it should hold {timeframe}, as instances of several timeframes would share a key'),
).meta({ title: 'key template', allOf: [{ pattern: '\\{symbol\\}' }, { pattern: '\\{timeframe\\}' }] })

/** A key template with columns of a row. */
export const rowTemplate = checked(
  'is no template; it should be text with columns, such as "user:{id}"',
  rowTemplateProblem,
).meta({ title: 'key template', pattern: '\\{[^{}]+\\}' })

function checked(error: string, problemOf: (value: string) => string | undefined) {
  return z.string({ error }).superRefine((value, context) => {
    const message = problemOf(value)
    if (message) context.addIssue({ code: 'custom', input: value, message })
  })
}

function isName(value: string): boolean {
  return /\S/.test(value) && !/\p{Cc}/u.test(value) && Buffer.byteLength(value) <= LONGEST_NAME
}

import { ConfigError } from '../errors.js'

/** One part of a table's name: `"in quotes"`, or anything without quotes and dots. */
const PART = /"(?:[^"]|"")+"|[^".]+/y

/** Quotes the name of a column, trigger, role or the like, letter for letter: `Open Time` -> `"Open Time"`. */
export function quoteIdent(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** Quotes a text as an SQL literal that means the same whatever `standard_conforming_strings` says. */
export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
  return text.includes('\\') ? ` E${quoted}` : quoted
}

/** `public.Ticks` -> `"public"."Ticks"`, exactly as written; a part may come in quotes: `"a.b".ticks`. ConfigError if it is no name. */
export function quoteTable(name: string): string {
  return splitTable(name).map(quoteIdent).join('.')
}

/** The parts of a table's name without their quotes: `[table]` or `[schema, table]`. ConfigError if it is no name. */
export function splitTable(name: string): string[] {
  const parts: string[] = []
  for (let at = 0; at <= name.length; at = PART.lastIndex + 1) {
    PART.lastIndex = at
    const [part] = PART.exec(name) ?? []
    const next = name[PART.lastIndex]
    if (part === undefined || parts.length === 2 || (next !== undefined && next !== '.')) {
      throw new ConfigError(`${JSON.stringify(name)} is no table: it should be table or schema.table`)
    }
    parts.push(part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part)
  }
  return parts
}

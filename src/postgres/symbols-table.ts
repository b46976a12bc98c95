/** Comments, strings, quoted names, words, and single signs. */
const TOKEN =
  /--[^\n]*|\/\*[\s\S]*?\*\/|\$(\w*)\$[\s\S]*?\$\1\$|'(?:[^']|'')*'|"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*|\S/gu
const COMMENT = /^(--|\/\*)/
const NAME = /^["\p{L}_]/u
const CLAUSE = /^(where|group|having|window|union|intersect|except|order|limit|offset|fetch|for)$/

export interface SymbolsTable {
  /** As `quoteTable` takes it. */
  readonly table: string
  /** False where the query reads other tables too: triggers on this one do not see when those change. */
  readonly alone: boolean
}

/**
 * The table of the query's first FROM outside parentheses. Undefined where there is none, or a function, a sub-select or a WITH
 * query in its place: only PostgreSQL knows which tables stand behind those.
 */
export function symbolsTable(query: string): SymbolsTable | undefined {
  const tokens = tokenize(query)
  const from = firstFrom(tokens)
  if (tokens[0] === 'with' || from < 0) return undefined
  let at = from + (tokens[from + 1] === 'only' ? 2 : 1)
  const parts = [tokens[at] ?? '']
  for (; tokens[at + 1] === '.'; at += 2) parts.push(tokens[at + 2] ?? '')
  if (!parts.every((part) => NAME.test(part)) || tokens[at + 1] === '(') return undefined
  const rest = tokens.slice(at + 1)
  const clauses = rest.findIndex((token) => CLAUSE.test(token))
  const sources = tokens.filter((token, i) => token === 'join' || isFrom(tokens, i)).length
  const alone = sources === 1 && !rest.slice(0, clauses < 0 ? rest.length : clauses).includes(',')
  return { table: parts.slice(-2).join('.'), alone }
}

/** Bare words in lower case, as PostgreSQL reads them. */
function tokenize(query: string): string[] {
  const all = [...query.matchAll(TOKEN)].map(([token]) => token)
  return all
    .filter((token) => !COMMENT.test(token))
    .map((token) => (/^["'$]/.test(token) ? token : token.toLowerCase()))
}

/** Inside parentheses FROM may belong to a function: `extract(epoch FROM created_at)`. */
function firstFrom(tokens: readonly string[]): number {
  let depth = 0
  return tokens.findIndex((token, at) => {
    if (token === '(') depth++
    if (token === ')') depth--
    return depth === 0 && isFrom(tokens, at)
  })
}

function isFrom(tokens: readonly string[], at: number): boolean {
  return tokens[at] === 'from' && tokens[at - 1] !== 'distinct'
}

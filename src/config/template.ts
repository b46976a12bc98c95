/** Templates of Redis keys: text in which `{symbol}` and `{timeframe}` stand for names. Other braces are text, as for hash tags. */

export interface KeyParts {
  symbol: string
  timeframe: string
}

const PLACEHOLDER = /\{(symbol|timeframe)\}/
/** Template -> text and names in turn; a configuration has a handful of templates, and every key of a restore is rendered. */
const pieces = new Map<string, readonly string[]>()

/** The key of one symbol and timeframe; the names may hold any characters, also `{symbol}` and `$&`. */
export function renderKey(template: string, parts: KeyParts): string {
  let split = pieces.get(template)
  if (!split) {
    split = template.split(PLACEHOLDER)
    pieces.set(template, split)
  }
  let key = split[0] ?? ''
  for (let i = 1; i < split.length; i += 2) key += parts[split[i] as keyof KeyParts] + split[i + 1]
  return key
}

/**
 * Compiles the inverse of `renderKey`: names the parts of a key that the template can have given, undefined for every other key.
 *
 * Without `timeframes` every text counts as a timeframe, so that `ohlcv:BTC:m1:open` fits `ohlcv:{symbol}:{timeframe}` too; with them
 * only these do. A template without `{timeframe}` answers the first of `timeframes`, or ''.
 */
export function matchKey(template: string, timeframes: readonly string[] = []): (key: string) => KeyParts | undefined {
  const pieces = template.split(PLACEHOLDER)
  const tail = pieces.at(-1) ?? ''
  const patterns = { symbol: '.+', timeframe: timeframes.map(literal).join('|') || '.+' }
  const seen = new Set<string>()
  const source = pieces.map((piece, index) => {
    // split() with a group answers text and names in turn
    if (index % 2 === 0) return literal(piece)
    if (seen.has(piece)) return `\\k<${piece}>`
    seen.add(piece)
    return `(?<${piece}>${patterns[piece as keyof KeyParts]})`
  })
  const pattern = new RegExp(`^${source.join('')}$`, 's')
  return (key) => {
    // Cheap, and it keeps the pattern from trying every colon of a long key that is not ours.
    if (!key.endsWith(tail)) return undefined
    const found = pattern.exec(key)
    if (!found) return undefined
    const { symbol = '', timeframe = timeframes[0] ?? '' } = found.groups ?? {}
    return { symbol, timeframe }
  }
}

/** What is wrong with a template, as `<what is wrong>; <what it should be>`, or undefined. */
export function templateProblem(template: string): string | undefined {
  const names = [...template.matchAll(/\{([^{}]*)\}/g)].map(([, name]) => name ?? '')
  const stranger = names.find((name) => name !== 'symbol' && name !== 'timeframe')
  if (stranger !== undefined) return `holds the unknown {${stranger}}; it should use {symbol} and {timeframe} only`
  if (template.split('{').length !== template.split('}').length)
    return 'holds a brace without its partner; it should use {symbol} and {timeframe}'
  return names.includes('symbol')
    ? undefined
    : 'has no {symbol}; it should hold {symbol}, so that every symbol has its own key'
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

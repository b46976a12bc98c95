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

/** The columns that a key template of rows names, in order, each once. */
export function templateColumns(template: string): string[] {
  return [...new Set([...template.matchAll(/\{([^{}]+)\}/g)].map(([, name]) => name ?? ''))]
}

/** What is wrong with a key template of rows, as `<what is wrong>; <what it should be>`, or undefined. */
export function rowTemplateProblem(template: string): string | undefined {
  if (template.startsWith('rekindle:')) return "gives keys in Rekindle's own space; it should not begin with rekindle:"
  if (template.split('{').length !== template.split('}').length || template.includes('{}'))
    return 'holds a brace without its partner or its column; it should use {column}'
  return templateColumns(template).length > 0
    ? undefined
    : 'names no column; it should hold one, such as {id}, so that every row has its own key'
}

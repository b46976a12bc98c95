/** A YAML file as plain data that remembers where each key stood. */

import { type Document, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import { configError } from './problem.js'

export interface ConfigDocument {
  /** What the file holds: usually a mapping, undefined for an empty file. */
  raw: unknown
  /** Where a key stands in the text, in characters; Infinity where it does not. */
  positionOf(path: readonly string[]): number
}

/** Characters that YAML does not allow, not even in quotes: this is no text. */
const BINARY = /[^\P{Cc}\t\n\r\x85]/u

/** Reads YAML; throws ConfigError with the line of bad syntax, a repeated key or an unknown tag. */
export function parseConfig(source: string, text: string): ConfigDocument {
  if (BINARY.test(text)) throw configError(source, 'holds binary data; it should be a YAML file')
  const lines = new LineCounter()
  // Pretty errors quote the line, and the line may hold a password.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true })
  const mistake = [...document.errors, ...document.warnings][0]
  if (mistake) {
    const line = `line ${lines.linePos(mistake.pos[0]).line}`
    if (mistake.code !== 'DUPLICATE_KEY')
      throw configError(source, line, `${sayMistake(mistake.message)}; it should be valid YAML`)
    const key = /^[^\s:]*/.exec(text.slice(mistake.pos[0]))?.[0] ?? ''
    throw configError(source, line, `${key} is written twice; it should be there once`)
  }
  return { raw: toData(source, document), positionOf: (path) => positionOf(document, path) }
}

/** Without what it quotes of the file, which may be a password, or half of one. */
function sayMistake(message: string): string {
  return message.replace(/:\s.*|\s*["'`%].*/s, '').replace(/\s*\([^)]*$/, '')
}

function toData(source: string, document: Document): unknown {
  try {
    return document.toJS() ?? undefined
  } catch (error) {
    throw configError(source, `${sayMistake((error as Error).message)}; it should be valid YAML`)
  }
}

function positionOf(document: Document, path: readonly string[]): number {
  let position = 0
  let node: unknown = document.contents
  for (const name of path) {
    if (isSeq(node)) {
      node = node.items[Number(name)]
      position = isNode(node) ? (node.range?.[0] ?? position) : position
      continue
    }
    const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && String(key.value) === name) : undefined
    if (!pair) return Number.POSITIVE_INFINITY
    position = (isScalar(pair.key) && pair.key.range?.[0]) || 0
    node = pair.value
  }
  return position
}

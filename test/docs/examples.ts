/** The example configurations in the documentation. */

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

export interface Example {
  /** The file, and which of its examples, counted from 1. */
  readonly where: string
  readonly yaml: string
}

/** Every block of README.md and docs/ that begins with one of these sections, also as what `cat` writes to a file. */
export function readExamples(root: string, sections: readonly string[]): Example[] {
  const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.md'),
  )
  const begins = new RegExp(`^(?:#.*\n)*(?:${sections.join('|')}):`)
  return ['README.md', ...pages.map((name) => join('docs', name))].flatMap((file) =>
    blocksOf(readFileSync(join(root, file), 'utf8'))
      .flatMap((block) => [block, ...[...block.matchAll(/<<'END'\n(.*?)\nEND$/gms)].map(([, text = '']) => text)])
      .filter((text) => begins.test(text) && isMapping(text))
      .map((yaml, index) => ({ where: `${file} ${index + 1}`, yaml })),
  )
}

/** Code between fences, and code that is indented by four. */
function blocksOf(page: string): string[] {
  const fenced = [...page.matchAll(/^```\w*\n(.*?)^```$/gms)].map(([, text = '']) => text)
  const indented = [...page.matchAll(/(?:^ {4}.*\n(?:\n(?= {4}))?)+/gm)].map(([text]) => text.replace(/^ {4}/gm, ''))
  return [...fenced, ...indented]
}

function isMapping(text: string): boolean {
  try {
    return typeof parse(text) === 'object'
  } catch {
    return false
  }
}

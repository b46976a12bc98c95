/** Pieces of the generated pages. */

/** The first lines of a generated page; `sources` are what it is made from. */
export function heading(title: string, sources: readonly string[]): string {
  return `# ${title}\n\n<!-- Written by \`npm run docs\` from ${sources.join(', ')}. Change these instead. -->`
}

/** A table; whatever stands in a cell goes on one line. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n')
}

/** Text as it stands in a program. */
export function code(text: string): string {
  return `\`${text}\``
}

function cell(text: string): string {
  const shown = text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim()
  // Outside of code, what stands in angle brackets would count as HTML.
  return shown.replace(/`[^`]*`|</g, (found) => (found === '<' ? '&lt;' : found))
}

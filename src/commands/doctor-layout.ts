/** Text for a screen of so many columns: cleaned, wrapped, in columns, and coloured only where that is wanted. */

export type Style = 'red' | 'yellow' | 'green' | 'bold' | 'dim'

const CODES: Record<Style, string> = { red: '31', yellow: '33', green: '32', bold: '1', dim: '2' }
const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u

/** Paints text, or leaves it as it is. */
export type Paint = (text: string, style: Style | undefined) => string

export const plainly: Paint = (text) => text

export const colourfully: Paint = (text, style) =>
  style === undefined || text.trim() === '' ? text : `\x1b[${CODES[style]}m${text}\x1b[0m`

/** True where the output is a terminal that shows colours, and nobody asked for none (no-color.org). */
export function wantsColour(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
}

/** Text of others without anything that a terminal would obey: each such character becomes `?`. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '?')
}

/** How many columns a text takes. */
export function widthOf(text: string): number {
  let width = 0
  for (const letter of text) width += /\p{M}/u.test(letter) ? 0 : WIDE.test(letter) ? 2 : 1
  return width
}

/** A space that a line may end at: not the one between a number and its unit. */
const BREAK = /(?<!\d) | (?!(?:s|min|h|d|B|KB|MB|GB|TB)\b)/

/** Breaks text at its spaces into lines of at most `width` columns; a word that is longer is broken anywhere. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of clean(text).split(BREAK)) {
    const joined = line === '' ? word : `${line} ${word}`
    if (widthOf(joined) <= width) {
      line = joined
      continue
    }
    if (line !== '') lines.push(line)
    line = ''
    for (const letter of word) {
      if (widthOf(line + letter) > width) {
        lines.push(line)
        line = ''
      }
      line += letter
    }
  }
  return [...lines, line]
}

/** A paragraph with its first line behind `lead` and the others beneath its text. */
export function paragraph(lead: string, text: string, width: number, paint: (line: string) => string): string[] {
  const indent = ' '.repeat(widthOf(lead))
  return wrap(text, width - indent.length).map((line, i) => (i === 0 ? lead : indent) + paint(line))
}

export interface Cell {
  readonly text: string
  readonly style?: Style
}

export interface ColumnShape {
  /** Numbers stand at the right. */
  readonly right?: boolean
  /** In columns of the screen, at most; the last one takes what is left. */
  readonly most?: number
}

const GAP = 2

/** Rows in aligned columns within `width`; a cell that is too long goes on in the next line. */
export function table(
  columns: readonly ColumnShape[],
  rows: readonly (readonly Cell[])[],
  width: number,
  paint: Paint,
): string[] {
  const widths = columns.map(({ most = width }, i) =>
    Math.min(most, Math.max(0, ...rows.map((row) => widthOf(clean(row[i]?.text ?? ''))))),
  )
  const before = widths.slice(0, -1).reduce((sum, each) => sum + each + GAP, 0)
  widths[widths.length - 1] = Math.max(10, Math.min(widths.at(-1) ?? 0, width - before))
  return rows.flatMap((row) => {
    const cells = row.map(({ text }, i) => wrap(text, widths[i] ?? width))
    const height = Math.max(...cells.map((lines) => lines.length))
    return Array.from({ length: height }, (_, n) =>
      row
        .map(({ style }, i) => {
          const text = cells[i]?.[n] ?? ''
          const room = ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(text)))
          return columns[i]?.right ? room + paint(text, style) : paint(text, style) + room
        })
        .join(' '.repeat(GAP))
        .trimEnd(),
    )
  })
}

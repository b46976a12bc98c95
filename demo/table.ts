export interface Column {
  title: string
  /** Numbers stand to the right. */
  right?: boolean
  /** Colours a cell that has its width already. */
  paint?: (cell: string) => string
}

const GAP = '  '

/** Sets rows under their titles and a rule: a line each, in columns as wide as their widest cell. */
export function layTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...rows.map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[], painted: boolean) =>
    columns
      .map(({ right = false, paint = (cell) => cell }, at) => {
        const cell = cells[at] ?? ''
        const width = widths[at] ?? 0
        const padded = right ? cell.padStart(width) : cell.padEnd(width)
        return painted ? paint(padded) : padded
      })
      .join(GAP)
      .trimEnd()
  const titles = columns.map(({ title }) => title)
  const rule = widths.map((width) => '─'.repeat(width))
  return [line(titles, false), rule.join(GAP), ...rows.map((row) => line(row, true))]
}

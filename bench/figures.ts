import { median } from './statistics.js'

export type Unit = 'ms' | 'MB' | 'times' | '%' | 'a second'

/** What the design asks of a figure. */
export interface Target {
  readonly is: 'at most' | 'at least'
  readonly bound: number
}

/** One line of the report. */
export interface Figure {
  /** For `--json`: what it is, in a stable name. */
  readonly id: string
  readonly label: string
  readonly value: number
  readonly unit: Unit
  /** Smallest and largest of the rounds behind it. */
  readonly range?: readonly [number, number]
  readonly target?: Target
}

/** One question of the benchmark, and its answers. */
export interface Section {
  readonly title: string
  readonly about: readonly string[]
  readonly figures: readonly (Figure | string)[]
}

/** The median of some rounds, in ms. */
export function timing(id: string, label: string, rounds: readonly number[]): Figure {
  const range = [Math.min(...rounds), Math.max(...rounds)] as const
  return { id, label, value: median(rounds), unit: 'ms', ...(rounds.length > 1 && { range }) }
}

/** How many times `a` is `b`. */
export function ratio(id: string, label: string, a: number, b: number, target?: Target): Figure {
  return { id, label, value: a / b, unit: 'times', ...(target && { target }) }
}

export function isMet({ value, target }: Figure): boolean | undefined {
  if (!target) return undefined
  return target.is === 'at most' ? value <= target.bound : value >= target.bound
}

/** A section as lines of at most 80 columns. */
export function sectionLines({ title, about, figures }: Section): string[] {
  const rounds = figures.some((figure) => typeof figure !== 'string' && figure.range)
  const [value, range] = rounds ? ['median', 'range'] : ['', '']
  return [
    `${title.padEnd(41)} ${value.padStart(9)}  ${range.padStart(11)}   target`,
    ...about.map((line) => `  ${line}`),
    ...figures.map((figure) => (typeof figure === 'string' ? `  ${figure}` : figureLine(figure))),
    '',
  ]
}

function figureLine(figure: Figure): string {
  const { label, value, unit, range, target } = figure
  const spread = range ? range.map((end) => digits(end, unit)).join(' - ') : ''
  const verdict = target
    ? `${target.is === 'at most' ? '<=' : '>='} ${target.bound} ${isMet(figure) ? 'met' : 'MISSED'}`
    : ''
  const text = `${digits(value, unit)} ${SIGNS[unit]}`
  return `    ${label.padEnd(36)} ${text.padStart(10)}  ${spread.padStart(11)}   ${verdict}`.trimEnd()
}

const SIGNS: Readonly<Record<Unit, string>> = { ms: 'ms', MB: 'MB', times: 'x', '%': '%', 'a second': '/s' }

function digits(value: number, unit: Unit): string {
  if (!Number.isFinite(value)) return '-'
  const decimals = unit === 'times' ? (value < 100 ? 2 : 0) : value < 10 ? 1 : 0
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals })
}

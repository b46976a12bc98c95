import { styleText } from 'node:util'

type Format = Parameters<typeof styleText>[0]

const frames = [...'⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏']
const PERIOD = 80
const ERASE = '\r\x1b[2K'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'

/** What a person sees: lines that stay and, on a terminal only, one below them that says what is going on. */
export class Screen {
  readonly #out: NodeJS.WriteStream
  readonly #alive: boolean
  readonly #colours: boolean
  #closed = false
  #task = ''
  #since = 0
  #frame = 0
  #timer: NodeJS.Timeout | undefined

  constructor(out: NodeJS.WriteStream = process.stdout, { NO_COLOR, TERM } = process.env) {
    this.#out = out
    this.#alive = out.isTTY === true && TERM !== 'dumb'
    this.#colours = this.#alive && !NO_COLOR
  }

  /** The text in a style, where the terminal has styles and the person wants them. */
  paint(format: Format, text: string): string {
    return this.#colours ? styleText(format, text, { validateStream: false }) : text
  }

  /** Writes a line that stays. */
  say(line = ''): void {
    if (this.#closed) return
    this.rest()
    this.#out.write(`${line}\n`)
  }

  /** Says what is going on, until the next line that stays. */
  busy(task: string): void {
    if (this.#closed || !this.#alive) return
    this.#task = task
    if (!this.#timer) {
      this.#since = performance.now()
      this.#out.write(HIDE_CURSOR)
      this.#timer = setInterval(() => this.#draw(), PERIOD)
      this.#timer.unref()
    }
    this.#draw()
  }

  /** Says that something went well, in a line that stays. */
  done(line: string, details = ''): void {
    this.say(`${this.paint('green', '✓')} ${line}${details && `  ${this.paint('dim', details)}`}`)
  }

  /** Says that something went wrong, in a line that stays. */
  failed(line: string): void {
    this.say(`${this.paint('red', '✗')} ${line}`)
  }

  /** Gives the terminal back with a last line; nothing is written afterwards. */
  close(line: string): void {
    // A terminal has just shown ^C.
    this.say(this.#alive && !this.#closed ? ERASE + line : line)
    this.#closed = true
  }

  /** Takes away the line that says what is going on. */
  rest(): void {
    if (!this.#timer) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#out.write(ERASE + SHOW_CURSOR)
  }

  #draw(): void {
    const seconds = Math.floor((performance.now() - this.#since) / 1000)
    const text = `${this.#task} …${seconds > 0 ? ` ${seconds} s` : ''}`
    const frame = frames[this.#frame++ % frames.length] ?? ''
    // A line that wraps could not be erased.
    const width = Math.max(1, (this.#out.columns || 80) - 3)
    this.#out.write(`${ERASE}${this.paint('cyan', frame)} ${[...text].slice(0, width).join('')}`)
  }
}

/** 12345.6 -> `12,346`. */
export function number(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

/** `1 key`, `2 keys`. */
export function count(value: number, noun: string): string {
  return `${number(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** A time since `since`, a reading of performance.now(), in seconds: `9.4 s`. */
export function secondsSince(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1)} s`
}

import type { Column } from '../config/schema.js'
import type { Wanted } from './dataset.js'

const COMMA = 44
const MINUS = 45
const POINT = 46
const ZERO = 48

/** Powers of ten that a double holds exactly. */
const POWERS = Array.from({ length: 23 }, (_, exponent) => 10 ** exponent)
/** Digits that a double holds exactly, whatever they are. */
const EXACT_DIGITS = 15

/** Which series a run of samples belongs to. */
export interface SeriesName extends Wanted {
  readonly timeframe: string
  readonly column: Column
}

/**
 * One column of one symbol's candles, as one RedisTimeSeries: times in ms, ascending, and values, as PostgreSQL prints and joins them
 * (`t,t,t` and `v,v,v` in ASCII, all of them storable). Most series are only written or summed, straight from those bytes; a list of
 * each is made when somebody asks.
 */
export class SeriesWanted implements SeriesName {
  readonly symbol: string
  readonly key: string
  readonly timeframe: string
  readonly column: Column
  private timeList: readonly string[] | undefined
  private valueList: readonly string[] | undefined

  constructor(
    name: SeriesName,
    readonly joinedTimes: Uint8Array,
    readonly joinedValues: Uint8Array,
    readonly size: number,
  ) {
    this.symbol = name.symbol
    this.key = name.key
    this.timeframe = name.timeframe
    this.column = name.column
  }

  get times(): readonly string[] {
    this.timeList ??= splitText(this.joinedTimes)
    return this.timeList
  }

  get values(): readonly string[] {
    this.valueList ??= splitText(this.joinedValues)
    return this.valueList
  }

  get firstTime(): string {
    const comma = this.joinedTimes.indexOf(COMMA)
    return textOf(this.joinedTimes.subarray(0, comma < 0 ? undefined : comma))
  }

  get lastTime(): string {
    return textOf(this.joinedTimes.subarray(this.joinedTimes.lastIndexOf(COMMA) + 1))
  }

  get lastValue(): string {
    return textOf(this.joinedValues.subarray(this.joinedValues.lastIndexOf(COMMA) + 1))
  }

  /**
   * The sum of the values, added in order of time. Digits that a double holds exactly, divided by a power of ten that it holds
   * exactly, give the nearest double, as `Number` does, in a fraction of the time.
   */
  sum(): number {
    const bytes = this.joinedValues
    let [total, start, digits, mantissa, point] = [0, 0, 0, 0, -1]
    for (let i = 0; i <= bytes.length; i++) {
      const code = i === bytes.length ? COMMA : (bytes[i] as number)
      if (code >= ZERO) {
        mantissa = mantissa * 10 + code - ZERO
        digits++
      } else if (code === POINT) point = digits
      else if (code === COMMA) {
        const power = POWERS[point < 0 ? 0 : digits - point]
        if (digits > EXACT_DIGITS || power === undefined) total += Number(textOf(bytes.subarray(start, i)))
        else total += (bytes[start] === MINUS ? -mantissa : mantissa) / power
        start = i + 1
        digits = 0
        mantissa = 0
        point = -1
      }
    }
    return total
  }
}

/** The bytes of an ASCII text. */
export function bytesOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** The texts that a joined text holds. */
export function splitText(joined: Uint8Array): string[] {
  return textOf(joined).split(',')
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** True if every value of a joined text is a finite number in plain notation that surely fits a double. */
export function isPlain(joined: Uint8Array): boolean {
  let length = 0
  for (let i = 0; i < joined.length; i++) {
    const code = joined[i] as number
    if (code === COMMA) {
      if (length === 0 || length > 300) return false
      length = 0
    } else if ((code >= ZERO && code <= ZERO + 9) || code === POINT || code === MINUS) length++
    else return false
  }
  return length > 0 && length <= 300
}

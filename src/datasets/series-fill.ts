import { type Command, encode } from '../redis/wire.js'
import type { SeriesWanted } from './series-wanted.js'

/** Samples in one TS.MADD: into a fresh series 0.07 ms of Redis' time. */
const BATCH = 250
/** Every value is written this wide, filled up with zeros behind the decimal point; wider ones take the general way. */
const WIDTH = 16

const COMMA = 44
const POINT = 46
const NINE = 57

/**
 * The commands that fill a series that is still empty: TS.MADD, and for the newest sample TS.ADD ON_DUPLICATE BLOCK. Its candle may
 * still be forming, and what a live worker wrote there since we looked must stand; TS.MADD knows no such option.
 */
export function fillCommands(wanted: SeriesWanted): Command[] {
  const { key, size } = wanted
  const commands = sameWidthFill(wanted) ?? generalFill(wanted)
  if (size > 0) commands.push(encode('TS.ADD', key, wanted.lastTime, wanted.lastValue, 'ON_DUPLICATE', 'BLOCK'))
  return commands
}

function generalFill({ key, times, values, size }: SeriesWanted): Command[] {
  const commands: Command[] = []
  for (let from = 0; from < size - 1; from += BATCH) {
    const slice = times.slice(from, Math.min(from + BATCH, size - 1))
    commands.push(encode('TS.MADD', ...slice.flatMap((time, i) => [key, time, values[from + i] as string])))
  }
  return commands
}

/**
 * A nominal restore is 187,500 times key, time and value; one text for each would cost more than Redis needs to take them in. So
 * the protocol's records are given one length and laid out by one fill, and only the digits are written into them. Undefined if a time or
 * a value does not fit. The zeros behind a value's point change its text, not its number.
 */
function sameWidthFill({ key, joinedTimes, joinedValues, size }: SeriesWanted): Command[] | undefined {
  const timeWidth = joinedTimes.indexOf(COMMA)
  // Ascending times that fill their bytes with a stride are equally long.
  if (joinedTimes.length !== size * (timeWidth + 1) - 1) return undefined
  const record = Buffer.from(
    `$${Buffer.byteLength(key)}\r\n${key}\r\n$${timeWidth}\r\n${'0'.repeat(timeWidth)}\r\n$${WIDTH}\r\n${'0'.repeat(WIDTH)}\r\n`,
  )
  const timeAt = record.length - WIDTH - 2 - `\r\n$${WIDTH}\r\n`.length - timeWidth
  const valueAt = record.length - WIDTH - 2
  const commands: Command[] = []
  let source = 0
  for (let from = 0; from < size - 1; from += BATCH) {
    const count = Math.min(BATCH, size - 1 - from)
    const head = `*${1 + 3 * count}\r\n$7\r\nTS.MADD\r\n`
    const bytes = Buffer.allocUnsafe(head.length + count * record.length)
    bytes.write(head, 'latin1')
    bytes.fill(record, head.length)
    for (let i = 0, at = head.length; i < count; i++, at += record.length) {
      const time = (from + i) * (timeWidth + 1)
      for (let b = 0; b < timeWidth; b++) bytes[at + timeAt + b] = joinedTimes[time + b] as number
      source = putValue(joinedValues, source, bytes, at + valueAt)
      if (source < 0) return undefined
    }
    commands.push(bytes)
  }
  return commands
}

/** Copies one value over zeros; returns where the next begins, or -1 if this one does not fit or is not written plainly (`1e-07`). */
function putValue(source: Uint8Array, from: number, bytes: Uint8Array, to: number): number {
  let i = from
  let whole = true
  for (; i < source.length && source[i] !== COMMA; i++) {
    const byte = source[i] as number
    if (i - from === WIDTH || byte > NINE) return -1
    if (byte === POINT) whole = false
    bytes[to + i - from] = byte
  }
  if (whole && i - from < WIDTH) {
    // A point needs a digit behind it.
    if (i - from === WIDTH - 1) return -1
    bytes[to + i - from] = POINT
  }
  return i + 1
}

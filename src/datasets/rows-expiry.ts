/** A moment as JSON shows it; a timestamp without a time zone is read as UTC. */
const MOMENT =
  /^(\d{4,})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::(\d\d))?(?::(\d\d))?)?)?( BC)?$/
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
/** Later than this, in epoch ms, is never: the last moment that JavaScript knows. */
const LAST = 8.64e15

/** Numbers from the year 33658 in seconds on: those of our time in a finer unit, up to nanoseconds. */
const FINER = { from: 1e12, to: 9e18 }

/**
 * The moment of expiry in epoch ms, rounded down, of what a column holds: undefined for never (NULL, infinity), `odd` for what is no
 * moment. A number counts seconds since 1970; one that can only be meant in milliseconds or less is odd, since a key would stay for ever.
 */
export function expiryOf(text: string | null): number | undefined | 'odd' {
  if (text === null || /^\+?infinity$/i.test(text)) return undefined
  if (/^-infinity$/i.test(text)) return 0
  const isNumber = NUMBER.test(text)
  if (isNumber && Number(text) >= FINER.from && Number(text) < FINER.to) return 'odd'
  const moment = isNumber ? Math.floor(Number(text) * 1000) : parseMoment(text)
  if (moment === undefined) return 'odd'
  return moment > LAST ? undefined : Math.max(0, moment)
}

function parseMoment(text: string): number | undefined {
  const parts = MOMENT.exec(text)
  if (!parts) return undefined
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = '', sign, ...rest] = parts
  const [hours = 0, minutes = 0, seconds = 0, isBefore] = rest
  if (isBefore) return 0
  const at = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))
  if (Number.isNaN(at)) return Number.POSITIVE_INFINITY
  const offset = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * (sign === '-' ? -1000 : 1000)
  return at - offset + Math.floor(Number(`0.${fraction || 0}`) * 1000)
}

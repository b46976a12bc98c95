/** Strings, and numbers outside of them. */
const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?/g

/** True if both texts are JSON for the same value: members in any order, numbers to the last digit, whatever the spaces. */
export function sameJson(a: string, b: string): boolean {
  try {
    return isSame(parse(a), parse(b))
  } catch {
    // What is no JSON is the same as nothing.
    return false
  }
}

/** A number becomes the text of its digits in front of a character that no string here begins with: a double would cut it short. */
function parse(text: string): unknown {
  return JSON.parse(
    text.replace(TOKEN, (token) => (token[0] === '"' ? `"s${token.slice(1)}` : `"n${canonical(token)}"`)),
  )
}

/** `-0.0120e3` -> `-12e0`: digits without zeros at either end, and the power of ten that they are multiplied by. */
function canonical(number: string): string {
  const [, sign = '', whole = '', fraction = '', power = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(number) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const kept = digits.replace(/0+$/, '')
  if (kept === '') return '0'
  return `${sign}${kept}e${Number(power) - fraction.length + digits.length - kept.length}`
}

function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [Object.entries(a), new Map(Object.entries(b))]
  return left.length === right.size && left.every(([name, value]) => right.has(name) && isSame(value, right.get(name)))
}

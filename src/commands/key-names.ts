/** A key for people and JSON: its text, or where it is none its bytes as redis-cli shows them, `\xff`. */
export function sayKey(key: Buffer): string {
  const text = key.toString()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
  const isPlain = !/[\u0000-\u001f\u007f-\u009f\ufffd]/.test(text)
  if (isPlain) return text
  return [...key].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : hex(byte))).join('')
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}

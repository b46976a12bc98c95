/**
 * A test for a pattern as of Redis' KEYS and SCAN: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that is meant
 * literally. Follows `stringmatchlen` of Redis, which takes an unclosed bracket to reach to the end.
 */
export function globTest(pattern: string): (text: string) => boolean {
  const expression = new RegExp(`^${[...pieces(pattern)].join('')}$`, 'su')
  return (text) => expression.test(text)
}

function* pieces(pattern: string): Generator<string> {
  const letters = [...pattern]
  for (let i = 0; i < letters.length; i++) {
    const letter = letters[i] as string
    if (letter === '*') yield '.*'
    else if (letter === '?') yield '.'
    else if (letter === '[') {
      const { set, end } = bracket(letters, i + 1)
      yield set
      i = end
    } else if (letter === '\\' && i + 1 < letters.length) yield literal(letters[++i] as string)
    else yield literal(letter)
  }
}

/** The set that opens before `start`, and where it ends. */
function bracket(letters: readonly string[], start: number): { set: string; end: number } {
  const negated = letters[start] === '^'
  const parts: string[] = []
  let i = negated ? start + 1 : start
  for (; i < letters.length && letters[i] !== ']'; i++) {
    if (letters[i] === '\\' && i + 1 < letters.length) parts.push(literal(letters[++i] as string))
    else if (letters[i + 1] === '-' && i + 2 < letters.length) {
      const [low, high] = [letters[i] as string, letters[i + 2] as string].sort()
      parts.push(`${literal(low as string)}-${literal(high as string)}`)
      i += 2
    } else parts.push(literal(letters[i] as string))
  }
  // An empty set matches nothing, a negated empty one anything.
  const set = parts.length > 0 ? `[${negated ? '^' : ''}${parts.join('')}]` : negated ? '.' : '(?!)'
  return { set, end: i }
}

function literal(letter: string): string {
  return letter.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

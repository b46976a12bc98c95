/** One position of a pattern: any text, or one letter that passes a test. */
type Piece = '*' | ((letter: string) => boolean)

/**
 * A test for a pattern as of Redis' KEYS and SCAN: `*`, `?`, `[abc]`, `[^a]`, `[a-z]`, and `\` before a character that is meant
 * literally. Follows `stringmatchlen` of Redis, which takes an unclosed bracket to reach to the end. No pattern takes longer than
 * its length times that of the text.
 */
export function globTest(pattern: string): (text: string) => boolean {
  const pieces = [...piecesOf(pattern)]
  // To Redis only these two match the empty key.
  return (text) => (text === '' ? pattern === '' || pattern === '*' : matches(pieces, [...text]))
}

/** Walks both at once; where they part, the last star takes one letter more. */
function matches(pieces: readonly Piece[], letters: readonly string[]): boolean {
  let [p, t] = [0, 0]
  let star = -1
  let taken = 0
  while (t < letters.length) {
    const piece = pieces[p]
    if (piece === '*') {
      star = p++
      taken = t
    } else if (piece?.(letters[t] as string)) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++taken
    } else return false
  }
  while (pieces[p] === '*') p++
  return p === pieces.length
}

function* piecesOf(pattern: string): Generator<Piece> {
  const letters = [...pattern]
  for (let i = 0; i < letters.length; i++) {
    const letter = letters[i] as string
    if (letter === '*') yield '*'
    else if (letter === '?') yield () => true
    else if (letter === '[') {
      const { test, end } = bracket(letters, i + 1)
      yield test
      i = end
    } else if (letter === '\\' && i + 1 < letters.length) yield same(letters[++i] as string)
    else yield same(letter)
  }
}

/** The set that opens before `start`, and where it ends. */
function bracket(letters: readonly string[], start: number): { test: (letter: string) => boolean; end: number } {
  const negated = letters[start] === '^'
  const tests: ((letter: string) => boolean)[] = []
  let i = negated ? start + 1 : start
  for (; i < letters.length && letters[i] !== ']'; i++) {
    if (letters[i] === '\\' && i + 1 < letters.length) tests.push(same(letters[++i] as string))
    else if (letters[i + 1] === '-' && i + 2 < letters.length) {
      tests.push(between(letters[i] as string, letters[i + 2] as string))
      i += 2
    } else tests.push(same(letters[i] as string))
  }
  return { test: (letter) => tests.some((test) => test(letter)) !== negated, end: i }
}

function same(wanted: string): (letter: string) => boolean {
  return (letter) => letter === wanted
}

function between(a: string, b: string): (letter: string) => boolean {
  const [low, high] = a < b ? [a, b] : [b, a]
  return (letter) => letter >= low && letter <= high
}

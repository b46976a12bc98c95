/** Which keys a template can give. A placeholder is any `{name}`, and stands for at least one character. */

const PLACEHOLDER = /\{[^{}]+\}/

/** The keys that a template gives as long as no value holds a colon: `user:1:profile` is none of `user:{id}`. */
export function plainKeys(template: string): RegExp {
  return keysWith(template, '[^:]+')
}

/** The keys that a template gives whatever the values hold. */
export function allKeys(template: string): RegExp {
  return keysWith(template, '.+')
}

function keysWith(template: string, value: string): RegExp {
  return new RegExp(`^${template.split(PLACEHOLDER).map(literal).join(value)}$`, 'su')
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

/** A character, one that is no colon, or any number of those. */
type Token = { readonly text: string } | 'one' | 'more'

/** True if two templates can give the same key although no value holds a colon. */
export function canMeet(a: string, b: string): boolean {
  const [left, right] = [tokensOf(a), tokensOf(b)]
  // Whether what follows each pair of places can be the same, from the end on.
  let below: boolean[] = []
  for (let i = left.length; i >= 0; i--) {
    const row: boolean[] = []
    for (let j = right.length; j >= 0; j--) {
      const [l, r] = [left[i], right[j]]
      const isEnd = l === undefined && r === undefined
      const goesOn = canBeOne(l, r) && ((l === 'more' && row[j + 1]) || (r === 'more' && below[j]) || below[j + 1])
      row[j] = isEnd || Boolean(goesOn) || (l === 'more' && below[j] === true) || (r === 'more' && row[j + 1] === true)
    }
    below = row
  }
  return below[0] === true
}

function canBeOne(a: Token | undefined, b: Token | undefined): boolean {
  if (a === undefined || b === undefined) return false
  if (typeof a === 'object' && typeof b === 'object') return a.text === b.text
  return [a, b].every((token) => typeof token !== 'object' || token.text !== ':')
}

function tokensOf(template: string): Token[] {
  return template
    .split(PLACEHOLDER)
    .flatMap((text, i): Token[] => [
      ...(i > 0 ? (['one', 'more'] as const) : []),
      ...[...text].map((text) => ({ text })),
    ])
}

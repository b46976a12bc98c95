/** A shape that keys have in common: a pattern as of KEYS, and how many keys of those seen have it. */
export interface Shape {
  readonly match: string
  readonly keys: number
}

interface Node {
  keys: number
  /** Whether what stands in this place is always an id. */
  folded: boolean
  readonly children: Map<string, Node>
}

/** Different texts in one place of a key: beyond so many they are ids, not names. */
const NAMES = 12
const BEGINNINGS = 200
/** Places that are told apart, and nodes that are kept. */
const DEPTH = 4
const NODES = 5_000
const SEPARATORS = [':', '/', '|', '.', '-', '_']
const ID = '*'

/**
 * Finds the commonest shapes among keys, in little memory however many there are: keys are cut at their separator, and a part that
 * holds digits, is long or odd, or is one of many in its place becomes `*`. What it gives holds no control character.
 */
export class Shapes {
  private readonly root: Node = { keys: 0, folded: false, children: new Map() }
  private nodes = 0

  add(key: string): void {
    let node = this.root
    node.keys++
    for (const part of partsOf(key)) {
      node = this.step(node, part)
      node.keys++
    }
  }

  /** The `most` commonest shapes, most keys first, but `*` last: as classes, the first that matches counts. */
  commonest(most: number): Shape[] {
    const shapes: Shape[] = []
    const walk = (node: Node, match: string): void => {
      let ends = node.keys
      for (const [part, child] of node.children) {
        ends -= child.keys
        walk(child, match + part)
      }
      if (ends > 0 && match !== '') shapes.push({ match, keys: ends })
    }
    walk(this.root, '')
    return merge(shapes)
      .sort((a, b) => b.keys - a.keys || (a.match < b.match ? -1 : 1))
      .slice(0, most)
      .sort((a, b) => Number(a.match === ID) - Number(b.match === ID))
  }

  private step(node: Node, part: string): Node {
    const known = node.children.get(part)
    if (known) return known
    if (node !== this.root && node.children.size >= NAMES) this.fold(node)
    const isId = node.folded || this.nodes >= NODES || node.children.size >= BEGINNINGS
    const text = isId ? ID + split(part)[1] : part
    const child = node.children.get(text) ?? { keys: 0, folded: false, children: new Map() }
    if (!node.children.has(text)) this.nodes++
    node.children.set(text, child)
    return child
  }

  /** Makes the parts of one place that were taken for names ids. */
  private fold(node: Node): void {
    node.folded = true
    const children = [...node.children]
    node.children.clear()
    for (const [part, child] of children) {
      const text = ID + split(part)[1]
      const into = node.children.get(text)
      if (into) absorb(into, child)
      else node.children.set(text, child)
    }
  }
}

function absorb(into: Node, other: Node): void {
  into.keys += other.keys
  for (const [part, child] of other.children) {
    const mine = into.children.get(part)
    if (mine) absorb(mine, child)
    else into.children.set(part, child)
  }
}

/** A part and the separator behind it, if any. */
function split(part: string): [string, string] {
  const last = part.slice(-1)
  return SEPARATORS.includes(last) ? [part.slice(0, -1), last] : [part, '']
}

/** `sess:42:token` -> `sess:`, `*:`, `token`; what is deeper than we tell apart is one `*`. */
function partsOf(key: string): string[] {
  const separator = SEPARATORS.find((each) => key.includes(each))
  const parts = separator === undefined ? [key] : key.split(separator)
  const told = parts.length > DEPTH ? [...parts.slice(0, DEPTH - 1), ID] : parts
  return told.map((part, i) => {
    const behind = i < told.length - 1 ? (separator ?? '') : ''
    return (/^[\p{L}\p{M}_$@%+~ -]{1,24}$/u.test(part) ? part : ID) + behind
  })
}

function merge(shapes: readonly Shape[]): Shape[] {
  const sums = new Map<string, number>()
  for (const { match, keys } of shapes) sums.set(match, (sums.get(match) ?? 0) + keys)
  return [...sums].map(([match, keys]) => ({ match, keys }))
}

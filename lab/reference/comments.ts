/** What the comments of the annotated configuration say of each key. */

/** `url: …` or `- match: …`: also in a comment, where it shows a key that has no default. */
const KEY = /^(?<indent> *(?:- )?)(?<name>[a-z_]\w*):(?= |$)(?:.*?\s#\s+(?<about>.*))?/
const COMMENT = /^(?<before> *)# ?(?<said>.*)$/

export interface Comment {
  /** The keys from the outermost on; the name of a list stands for each of its elements. */
  readonly path: readonly string[]
  readonly about: string
  /** Counted from 1. */
  readonly line: number
}

/** The comment on the lines right before each key, or behind it. Only keys that have one are given. */
export function readComments(yaml: string): Comment[] {
  const comments: Comment[] = []
  const outer: { indent: number; name: string }[] = []
  let prose: string[] = []
  for (const [index, text] of yaml.split('\n').entries()) {
    const { before = '', said } = COMMENT.exec(text)?.groups ?? {}
    const { indent, name, about } = KEY.exec(said === undefined ? text : before + said)?.groups ?? {}
    if (name === undefined || indent === undefined) {
      prose = said === undefined ? [] : [...prose, said.trim()]
      continue
    }
    while ((outer.at(-1)?.indent ?? -1) >= indent.length) outer.pop()
    outer.push({ indent: indent.length, name })
    const words = about ?? prose.join(' ')
    if (words) comments.push({ path: outer.map((each) => each.name), about: words, line: index + 1 })
    prose = []
  }
  return comments
}

/** The file with its examples in place of the keys that they are examples of. */
export function withExamples(yaml: string): string {
  const shown = yaml.split('\n').map((text) => {
    const { before = '', said = '' } = COMMENT.exec(text)?.groups ?? {}
    return KEY.test(before + said) ? before + said : text
  })
  return shown.filter((line) => !/^\w+: (\{\}|\[\])$/.test(line)).join('\n')
}

/** A user of Redis, as a line of ACL LIST tells; the hashes of its passwords are left out. */
export interface AclUser {
  readonly name: string
  readonly on: boolean
  /** It needs no password. */
  readonly open: boolean
  /** Whether its rules let it run a command; for servers that cannot be asked by ACL DRYRUN. */
  allows(command: 'flushall' | 'flushdb'): boolean
}

/** Categories that hold FLUSHALL and FLUSHDB. */
const CATEGORIES = new Set(['all', 'keyspace', 'write', 'slow', 'dangerous'])

/** Reads a line of ACL LIST: `user default on nopass ~* &* +@all`; undefined for another shape. */
export function readAclUser(line: string): AclUser | undefined {
  const [, name, rules] = /^user (\S+) (.*)$/s.exec(line) ?? []
  if (name === undefined || rules === undefined) return undefined
  const root = rules.replace(/\([^)]*\)/g, ' ').split(/\s+/)
  const selectors = [...rules.matchAll(/\(([^)]*)\)/g)].map(([, inner = '']) => inner.split(/\s+/))
  return {
    name,
    on: root.includes('on'),
    open: root.includes('nopass'),
    allows: (command) => [root, ...selectors].some((each) => isAllowed(each, command)),
  }
}

/** Rules count in their order: the last that names the command, or a category of it, decides. */
function isAllowed(rules: readonly string[], command: string): boolean {
  let allowed = false
  for (const rule of rules) {
    const [, sign, category, name] = /^([+-])(?:@(.+)|(.+))$/.exec(rule.toLowerCase()) ?? []
    const isMeant = category === undefined ? name === command : CATEGORIES.has(category)
    if (isMeant) allowed = sign === '+'
  }
  return allowed
}

/** A user of Redis, as a line of ACL LIST tells; the hashes of its passwords are left out. */
export interface AclUser {
  readonly name: string
  readonly on: boolean
  /** It needs no password. */
  readonly open: boolean
  /** Commands, and categories such as `@read`, that its rules let it run, without those that neither tell nor change any data. */
  readonly powers: readonly string[]
  /** Whether its rules let it run a command; for servers that cannot be asked by ACL DRYRUN. */
  allows(command: 'flushall' | 'flushdb'): boolean
}

/** Categories that hold FLUSHALL and FLUSHDB. */
const CATEGORIES = new Set(['all', 'keyspace', 'write', 'slow', 'dangerous'])

/** What a client says of itself, and asks of the server: nobody's data is in it. */
const HARMLESS =
  /^(@connection|auth|hello|ping|echo|quit|reset|select|info|time|dbsize|lastsave|role|wait|lolwut|(command|client)(\|.*)?|acl\|(whoami|cat))$/

/** Categories of which no command writes. */
const HARDLY = new Set(['@read', '@pubsub'])

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
    powers: [...new Set([root, ...selectors].flatMap(powersOf))],
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

function powersOf(rules: readonly string[]): string[] {
  const powers = new Set<string>()
  for (const rule of rules) {
    const [, sign, what = ''] = /^([+-])(.+)$/.exec(rule.toLowerCase()) ?? []
    if (sign === undefined) continue
    if (what === '@all') powers.clear()
    if (sign === '+') {
      if (!HARMLESS.test(what)) powers.add(what)
    } else if (!powers.delete(what) && what === '@write' && powers.delete('@all')) powers.add('@read')
  }
  return [...powers]
}

/** Whether somebody with these powers may write; `isWriter` tells it of a single command. */
export function mayWrite(powers: readonly string[], isWriter: (command: string) => boolean): boolean {
  return powers.some((power) => (power.startsWith('@') ? !HARDLY.has(power) : isWriter(power)))
}

/** Whether these powers are as good as all. */
export function ownsData(powers: readonly string[]): boolean {
  return powers.some((power) => /^(@(all|write|admin|dangerous)|config(\|set)?|acl(\|setuser)?|module)$/.test(power))
}

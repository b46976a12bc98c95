import { readFileSync } from 'node:fs'

/** The users of deploy/redis/users.acl, a line each, in rules that a server without RedisTimeSeries takes, too. */
export function aclLines(hasTimeSeries: boolean): string[] {
  const lines = readFileSync(new URL('../../deploy/redis/users.acl', import.meta.url), 'utf8')
    .trim()
    .split('\n')
  if (hasTimeSeries) return lines
  return lines.map((line) =>
    line.replace(/ \+ts\.create.*$/, line.startsWith('user rekindle ') ? ` ${SORTED_SETS.join(' ')}` : ''),
  )
}

/** What the layout of sorted sets needs in place of the commands of RedisTimeSeries. */
export const SORTED_SETS = ['+zadd', '+zrangebyscore', '+zremrangebyscore']

/** The password and the other rules of one user. */
export function rulesOf(name: string, lines: readonly string[]): { password: string; rules: string[] } {
  const line = lines.find((each) => each.startsWith(`user ${name} `))
  if (!line) throw new Error(`no user ${name} in users.acl`)
  const rules = line.split(' ').slice(2)
  return { password: rules.find((rule) => rule.startsWith('>'))?.slice(1) ?? '', rules }
}

/** Those rules that grant something. */
export function grants(rules: readonly string[]): string[] {
  return rules.filter((rule) => /^[+~&%]/.test(rule))
}

import { type AclUser, mayWrite, readAclUser } from '../decide/risks-acl.js'
import type { AccessFacts } from '../decide/risks-facts.js'
import { encode, exchange, type Wire } from '../redis/wire.js'
import { allowed, type Unchecked } from './facts.js'

type Flush = 'flushall' | 'flushdb'

/** Questions that are asked, at most. */
const MOST = 500
/** What runs the user's own code, which may write. */
const SCRIPTS = /^(eval|evalsha|fcall)$/
const RULES = '+acl|whoami +acl|list +acl|dryrun +command|info'

export interface AccessRead {
  readonly access: AccessFacts | undefined
  readonly unchecked: readonly Unchecked[]
  /** Who we are to Redis, for the command that would grant us more. */
  readonly user: string
}

/** Reads who may come in and who may empty everything; `url` tells whether we needed a password ourselves. */
export async function readAccess(wire: Wire, url: string): Promise<AccessRead> {
  const unchecked: Unchecked[] = []
  const [whoami, list, info] = await exchange(wire, [
    encode('ACL', 'WHOAMI'),
    encode('ACL', 'LIST'),
    encode('COMMAND', 'INFO', 'FLUSHALL', 'FLUSHDB'),
  ])
  const name = allowed(whoami, RULES, () => undefined)
  const user = typeof name === 'string' ? name : nameIn(url)
  const lines = allowed(list, RULES, (why, grant) => {
    unchecked.push({ what: 'users: who may FLUSHALL, and whether a password is needed', why, grant })
  })
  const known = allowed(info, RULES, () => undefined)
  // A command that was renamed or taken away is nil.
  const commands = (['flushall', 'flushdb'] as const).filter((_, i) => !(Array.isArray(known) && known[i] === null))
  if (!Array.isArray(lines)) {
    const cameFreely = !/:\/\/[^/]*@/.test(url) && !/[?&]password=/.test(url)
    return { access: cameFreely ? { users: [], open: true } : undefined, unchecked, user }
  }
  const users = lines.flatMap((line) => readAclUser(String(line)) ?? []).filter(({ on }) => on)
  const [flushes, isWriter] = [await whoFlushes(wire, users, commands), await tellWriters(wire, users)]
  return {
    access: {
      users: users.map(({ name, powers }, i) => ({
        name,
        powers,
        flushes: flushes[i] ?? false,
        writes: mayWrite(powers, isWriter),
      })),
      open: users.some((each) => each.name === 'default' && each.open),
    },
    unchecked,
    user,
  }
}

/** The user that a URL names; without one it is Redis' own `default`. */
function nameIn(url: string): string {
  const { username, searchParams } = new URL(url)
  return decodeURIComponent(username) || searchParams.get('username') || 'default'
}

/** Asks ACL DRYRUN, of Redis 7; where that does not answer, and where users are very many, their rules do. */
async function whoFlushes(wire: Wire, users: readonly AclUser[], commands: readonly Flush[]): Promise<boolean[]> {
  const questions = users.flatMap((user) => commands.map((command) => ({ user, command })))
  const replies = await exchange(
    wire,
    questions.slice(0, MOST).map(({ user, command }) => encode('ACL', 'DRYRUN', user.name, command)),
  )
  const may = questions.map(({ user, command }, i) => {
    const reply = replies[i]
    return typeof reply === 'string' ? reply === 'OK' : user.allows(command)
  })
  return users.map((user) => questions.some((question, i) => question.user === user && may[i]))
}

/** Tells of the commands that users were given one by one whether they write; of what Redis does not tell, that it does. */
async function tellWriters(wire: Wire, users: readonly AclUser[]): Promise<(command: string) => boolean> {
  const given = users.flatMap(({ powers }) => powers).filter((power) => !power.startsWith('@'))
  const names = [...new Set(given.map(baseName))].slice(0, MOST)
  const [info] = names.length > 0 ? await exchange(wire, [encode('COMMAND', 'INFO', ...names)]) : []
  const innocent = new Set(
    names.filter((name, i) => {
      const entry = Array.isArray(info) ? info[i] : undefined
      const flags = Array.isArray(entry) ? entry[2] : undefined
      return Array.isArray(flags) && !flags.includes('write') && !SCRIPTS.test(name)
    }),
  )
  return (command) => !innocent.has(baseName(command))
}

/** `config|get` -> `config` */
function baseName(command: string): string {
  return command.split('|')[0] ?? command
}

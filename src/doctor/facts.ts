import { parseInfo } from '../decide/info.js'
import { readState, type ServerState } from '../decide/risks-facts.js'
import { encode, exchange, isErrorReply, type Reply, type Wire } from '../redis/wire.js'

/** Something that could not be looked at: never taken for fine. */
export interface Unchecked {
  readonly what: string
  readonly why: string
  /** The rule of ACL SETUSER that would let us; empty where no right would help. */
  readonly grant: string
}

export interface ServerFactsRead {
  readonly state: ServerState
  readonly info: ReadonlyMap<string, string>
  readonly unchecked: readonly Unchecked[]
}

const SETTINGS = [
  'save',
  'appendonly',
  'appendfsync',
  'no-appendfsync-on-rewrite',
  'auto-aof-rewrite-percentage',
  'auto-aof-rewrite-min-size',
  'stop-writes-on-bgsave-error',
  'maxmemory-policy',
  'dir',
  'aclfile',
  'bind',
  'protected-mode',
]

/** One name each: only Redis 7 and newer take several. */
const COMMANDS = [encode('INFO'), ...SETTINGS.map((name) => encode('CONFIG', 'GET', name))]

/**
 * Reads what INFO and CONFIG GET tell, in one round trip: cheap enough to repeat. What is forbidden stays unknown and is listed; any
 * other error rejects.
 */
export async function readServer(wire: Wire): Promise<ServerFactsRead> {
  const [info, ...answers] = await exchange(wire, COMMANDS)
  const unchecked: Unchecked[] = []
  const text = allowed(info, '+info', (why, grant) =>
    unchecked.push({ what: 'persistence, memory and replication', why, grant }),
  )
  const settings = new Map<string, string>()
  let refused: Unchecked | undefined
  for (const answer of answers) {
    const pair = allowed(answer, '+config|get', (why, grant) => {
      refused = { what: 'settings (save points, appendfsync, dir, bind, …)', why, grant }
    })
    if (Array.isArray(pair) && pair.length >= 2) settings.set(String(pair[0]), String(pair[1]))
  }
  if (refused) unchecked.push(refused)
  const fields = parseInfo(typeof text === 'string' ? text : '')
  return { state: readState(fields, settings, wire.database), info: fields, unchecked }
}

/**
 * The reply, or undefined after telling why it was refused and what would allow it; throws any other error. `rules` are all that the
 * question at hand needs: who is granted one should not have to come again for the next.
 */
export function allowed(
  reply: Reply | Error | undefined,
  rules: string,
  refuse: (why: string, grant: string) => void,
): Reply | undefined {
  if (!isErrorReply(reply)) return reply
  if (/^NOPERM/.test(reply.message)) {
    refuse('the user of redis.url may not ask for it', rules)
  } else if (/unknown (sub)?command/i.test(reply.message)) refuse('this server does not answer that command', '')
  else throw reply
  return undefined
}

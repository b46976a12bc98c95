import { Trouble, type TroubleCode } from '../errors.js'
import { readable, tlsHint } from '../tls-hints.js'
import { REDIS_TLS } from './tls.js'

interface Rule {
  readonly when: RegExp
  readonly code: TroubleCode
  readonly passing: boolean
  readonly hint: string
}

/** What goes wrong in a handshake, and what the files of a certificate may be. */
const TLS =
  /certificate|self.signed|SSL|TLS|wrong version number|EPROTO|key values mismatch|PEM routines|DECODER|no start line/i

/** Error replies and socket errors -> what they mean. First match wins. */
const RULES: readonly Rule[] = [
  {
    when: /^(WRONGPASS|NOAUTH)|invalid (username-password|password)|AUTH.*called without any password/i,
    code: 'redis_refused',
    passing: false,
    hint: 'check the user and the password in redis.url (REDIS_URL)',
  },
  {
    when: /^NOPERM.* (keys?|channels?)\b(?!.* command)/i,
    code: 'redis_refused',
    passing: false,
    hint: 'grant these keys or channels to the user with ACL SETUSER',
  },
  {
    when: /^NOPERM|^ERR (The user executing the script can't run|ACL failure in script)/,
    code: 'redis_refused',
    passing: false,
    hint: 'grant this command to the user with ACL SETUSER',
  },
  {
    when: /^ERR (DB index is out of range|invalid DB index)|SELECT is not allowed/i,
    code: 'redis_refused',
    passing: false,
    hint: 'check the database number in redis.url',
  },
  {
    // Valkey's REDIRECT and MASTERDOWN come from replicas only.
    when: /^(READONLY|REDIRECT|MASTERDOWN)\b/,
    code: 'redis_readonly',
    passing: true,
    hint: 'point redis.url at the primary, or promote this replica',
  },
  {
    when: /^OOM/,
    code: 'redis_full',
    passing: true,
    hint: 'raise maxmemory, or free memory: Redis refuses every write',
  },
  {
    when: /^MISCONF/,
    code: 'redis_busy',
    passing: true,
    hint: 'Redis cannot save its snapshot: look at its disk, or set stop-writes-on-bgsave-error no',
  },
  {
    when: /^NOREPLICAS\b/,
    code: 'redis_busy',
    passing: true,
    hint: 'fewer replicas are in touch than min-replicas-to-write asks for: Redis refuses every write',
  },
  {
    when: /^ERR max number of clients/,
    code: 'redis_busy',
    passing: true,
    hint: 'raise maxclients, or see who holds so many connections with CLIENT LIST',
  },
  {
    // BUSYKEY and BUSYGROUP are about one key.
    when: /^(LOADING|BUSY|TRYAGAIN|CLUSTERDOWN)\b/,
    code: 'redis_busy',
    passing: true,
    hint: 'it passes by itself',
  },
  {
    when: /^(MOVED|ASK|CROSSSLOT)\b/,
    code: 'redis_refused',
    passing: false,
    hint: 'this is a node of a Redis Cluster: redis.url should be a server that stands alone',
  },
  {
    when: /^DENIED\b/,
    code: 'redis_refused',
    passing: false,
    hint: 'give Redis a password (and redis.url the same), or connect from its own machine: it is in protected mode',
  },
  {
    when: /^WRONGTYPE\b/,
    code: 'unexpected',
    passing: true,
    hint: 'a key of ours holds another type: does something else write it?',
  },
  {
    when: /unknown command.*TS\.|unknown redis command called from (lua )?script/i,
    code: 'redis_no_module',
    passing: false,
    hint: 'load RedisTimeSeries (built into Redis 8), or set candles.layout: sortedset',
  },
  {
    when: /unknown command/i,
    code: 'redis_refused',
    passing: false,
    hint: 'Rekindle needs this command, which is renamed or disabled on this server',
  },
  {
    when: TLS,
    code: 'redis_refused',
    passing: false,
    hint: 'check that rediss:// is meant and that redis.tls is right',
  },
]

/** Says what an error from Redis means. `server` is `host:port/db`; the text holds no password, nor the arguments of a command. */
export function redisTrouble(error: unknown, server: string): Trouble {
  if (error instanceof Trouble) return error
  const said =
    error instanceof Error ? error.message || (error as NodeJS.ErrnoException).code || error.name : String(error)
  // Redis 6 wraps what a command in a script answered.
  const inner = /^ERR Error running script.*: -(.+)$/s.exec(said)?.[1] ?? said
  const text = readable(inner).replace(/,? with args beginning with:.*/s, '')
  const rule = RULES.find(({ when }) => when.test(text))
  if (rule) {
    const hint = (rule.when === TLS && tlsHint(text, REDIS_TLS)) || rule.hint
    return new Trouble(rule.code, `Redis ${server}: ${text}`, hint, rule.passing)
  }
  if (
    error instanceof TypeError ||
    error instanceof RangeError ||
    (error instanceof Error && error.name === 'ReplyError')
  )
    return new Trouble('unexpected', `Redis ${server}: ${text}`, 'this reply was not expected', true)
  return new Trouble(
    'redis_unreachable',
    `Redis ${server}: ${text}`,
    'is it running, and is redis.url (REDIS_URL) right?',
    true,
  )
}

/** True if only a new life of Redis can help. */
export function endsLife({ code }: Trouble): boolean {
  return code === 'redis_unreachable' || code === 'redis_readonly'
}

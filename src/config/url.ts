/** What is wrong with the address of a server, told before a driver trips over it. */

export interface UrlParts {
  /** In lower case, without the colon. */
  scheme: string
  user: string
  host: string
  port: string
  /** Without the leading slash. */
  path: string
  /** Without the question mark. */
  query: string
  params: URLSearchParams
  /** Path, parameters and fragment as written. */
  rest: string
}

const SHAPE =
  /^(?<scheme>[a-z]+):\/\/(?:(?<user>[^/?#]*)@)?(?<host>\[[^\]/?#]*\]|[^:/?#]*)(?::(?<port>[^/?#]*))?(?<rest>(?:\/(?<path>[^?#]*))?(?:\?(?<query>[^#]*))?(?:#.*)?)$/i

const REDIS = 'it should be redis://127.0.0.1:6379/0, say, or rediss:// for TLS'
const ESCAPED = 'it should write / ? # @ and % in a name or password as %2F %3F %23 %40 and %25'
/** ioredis lets any other parameter override our own options, such as those that keep commands out of a newer life. */
const REDIS_PARAMS = ['db', 'family', 'username', 'password', 'tlsca', 'tlscert', 'tlskey']

/** The parts of `scheme://user:password@host:port/path?params`, or undefined for a text of another shape. Decodes nothing but params. */
export function splitUrl(url: string): UrlParts | undefined {
  const groups = SHAPE.exec(url)?.groups
  if (!groups) return undefined
  const { scheme = '', user = '', host = '', port = '', path = '', query = '', rest = '' } = groups
  return { scheme: scheme.toLowerCase(), user, host, port, path, query, params: new URLSearchParams(query), rest }
}

/** What is wrong with the URL of a Redis, as `<what is wrong>; <what it should be>`, or undefined. */
export function redisUrlProblem(url: string): string | undefined {
  const parts = splitUrl(url)
  if (!parts || !['redis', 'rediss'].includes(parts.scheme)) return `is not the URL of a Redis; ${REDIS}`
  const problem = escapeProblem(parts) ?? portProblem(parts.port)
  if (problem) return problem
  if (!parts.host || !URL.canParse(url)) return `names no valid host; ${REDIS}`
  const stranger = [...parts.params.keys()].find((name) => !REDIS_PARAMS.includes(name))
  if (stranger !== undefined) return `has the parameter ${stranger}; it should have only ${REDIS_PARAMS.join(', ')}`
  const database = parts.path || (parts.params.get('db') ?? '0')
  if (!/^\d{1,9}$/.test(database)) return 'has a bad database number; it should end in a whole number, such as /0'
  return undefined
}

/** An unescaped password moves the borders: of `redis://user:12/34@host` a driver would call the server `user`. */
export function escapeProblem({ user, host, path, rest }: UrlParts): string | undefined {
  const moved = /[@#]/.test(rest)
  return moved || ![user, host, path, rest].every(decodes) ? `is not escaped rightly; ${ESCAPED}` : undefined
}

/** Drivers throw at what is no percent-encoded UTF-8, and name it. */
function decodes(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    // That is the answer.
    return false
  }
}

/** What is wrong with a port, if it is not left out. */
export function portProblem(port: string): string | undefined {
  const valid = port === '' || (/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)
  return valid ? undefined : 'has a bad port; it should be a whole number from 1 to 65535'
}

/** Addresses of PostgreSQL as libpq reads them, https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-URIS */

import { isIPv6 } from 'node:net'
import { escapeProblem, portProblem, splitUrl } from './url.js'

/** Where a PostgreSQL is, decoded. What is undefined comes from PGHOST, PGUSER and so on, or is libpq's default. */
export interface PostgresAddress {
  /** A name, an address without brackets, or the folder of a Unix socket. */
  readonly host: string | undefined
  readonly port: number | undefined
  readonly user: string | undefined
  readonly password: string | undefined
  readonly database: string | undefined
  /** All other parameters: `sslmode`, `options`, … */
  readonly params: Readonly<Record<string, string>>
}

const SHOULD = 'it should be postgres://user:password@127.0.0.1:5432/database, say'
const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full', 'no-verify']
/** What libpq can and we cannot: to pass it over would connect elsewhere, or as somebody else. */
const UNSUPPORTED = ['service', 'servicefile', 'passfile', 'hostaddr']

/** Reads a URL that has no {@link postgresUrlProblem}; undefined for one of another shape. */
export function readPostgresUrl(url: string): PostgresAddress | undefined {
  const parts = splitUrl(url)
  if (!parts || !['postgres', 'postgresql'].includes(parts.scheme)) return undefined
  const [, user = '', password = ''] = /^([^:]*)(?::(.*))?$/s.exec(parts.user) ?? []
  const { host, port, user: named, password: secret, dbname, ...params } = readParams(parts.query)
  const authority = decode(parts.host)
  return {
    host: host || authority.replace(/^\[(.*)\]$/, '$1') || undefined,
    port: Number(port || parts.port) || undefined,
    user: named || decode(user) || undefined,
    password: secret || decode(password) || undefined,
    database: dbname || decode(parts.path) || undefined,
    params,
  }
}

/** What is wrong with the URL of a PostgreSQL, as `<what is wrong>; <what it should be>`, or undefined. */
export function postgresUrlProblem(url: string): string | undefined {
  const parts = splitUrl(url)
  if (!parts || !['postgres', 'postgresql'].includes(parts.scheme)) return `is not the URL of a PostgreSQL; ${SHOULD}`
  const problem = escapeProblem(parts)
  if (problem) return problem
  const params = readParams(parts.query)
  const { host = '', port = '', sslmode } = params
  if ([parts.host, parts.port, host, port].some((text) => decode(text).includes(',')))
    return 'names several hosts, which is not supported yet; it should name one'
  const unsupported = UNSUPPORTED.find((name) => name in params)
  if (unsupported) return `has the parameter ${unsupported}, which is not supported yet; ${SHOULD}`
  const bad = portProblem(port || parts.port)
  if (bad) return bad
  if (!isHost(host || decode(parts.host))) return `names no valid host; ${SHOULD}`
  if (sslmode !== undefined && !SSL_MODES.includes(sslmode))
    return `has an unknown sslmode; it should be ${SSL_MODES.join(', ')}`
  return undefined
}

/** The last of each name counts, and a + is a plus, as with libpq. */
function readParams(query: string): Record<string, string> {
  const pairs = query.split('&').filter((pair) => pair !== '')
  return Object.fromEntries(
    pairs.map((pair): [string, string] => {
      const [, name = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? []
      return [decode(name), decode(value)]
    }),
  )
}

/** Nothing is the default of libpq; what begins with a slash is the folder of a socket. */
function isHost(text: string): boolean {
  if (text === '' || text.startsWith('/')) return true
  const bare = text.replace(/^\[(.*)\]$/, '$1')
  return isIPv6(bare) || (!text.startsWith('[') && URL.canParse(`postgres://${text}/`) && !/[/?#@:\\]/.test(text))
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    // One that is not escaped rightly is refused before anything connects with it.
    return text
  }
}

/** Passwords stay out of logs, errors and metrics: when in doubt these hide too much rather than too little. */

import { readPostgresUrl } from './postgres-url.js'
import { splitUrl } from './url.js'

/**
 * The text with the password of every URL in it, and every `password=` (`sslpassword=`, `token=`, …), replaced by `***`.
 * Never throws, also not on text that only resembles a URL.
 */
export function redactUrl(text: string): string {
  return (
    text
      .replace(/\b(\w*(?:pass|pwd|secret|token)\w*\s*=\s*)(?:'(?:[^'\\]|\\.)*'|[^\s&]*)/gi, '$1***')
      // Up to the last @: an unescaped password may itself hold / : @ ? and #.
      .replace(/(:[\\/]+[^\s:]*):\S*@/g, '$1:***@')
      // The host was forgotten: `redis://:secret`, and `redis://user:secret`, where a port would be all digits.
      .replace(/(:\/\/):(?!\*{3})[^\s@]+(?=\s|$)/g, '$1:***')
      .replace(/(:\/\/(?:\[[^\]\s]*\]|[^\s:@/?#[]+)):(?!\*{3}|\d{1,5}(?:[/?#,]|\W*(?:\s|$)))[^\s@]+(?=\s|$)/g, '$1:***')
  )
}

/** A whole value that should be a URL, fit to be shown: what has no scheme but may hold a password is hidden altogether. */
export function redactAddress(value: string): string {
  if (/^[a-z][\w+.-]*:\/\//i.test(value)) return redactUrl(value.replace(/\s/g, '%20'))
  // Only what can be nothing but a host and a port is no password that was put in the wrong place.
  return value === '' || /^(localhost|[\w-]+(\.[\w-]+)+|\[?[\da-f]*:[\da-f:.]*\]?)(:\d{1,5})?(\/\w*)?$/i.test(value)
    ? value
    : '***'
}

/**
 * `host:port/database` of a Redis or PostgreSQL URL, without user and password, for errors and logs. Never throws. A URL without a
 * host goes where libpq and node-postgres go: to PGHOST.
 */
export function serverName(url: string, env: NodeJS.ProcessEnv = process.env): string {
  const parts = splitUrl(url)
  const postgres = readPostgresUrl(url)
  if (postgres) {
    const { host = env['PGHOST'] || 'localhost', port = env['PGPORT'] || 5432, database = env['PGDATABASE'] } = postgres
    return `${host.includes(':') ? `[${host}]` : host}:${port}${database ? `/${database}` : ''}`
  }
  if (!parts?.scheme.startsWith('redis')) return 'a server without a valid URL'
  return `${parts.host}:${parts.port || '6379'}/${parts.path || (parts.params.get('db') ?? '0')}`
}

/** Passwords stay out of logs, errors and metrics: when in doubt these hide too much rather than too little. */

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

/** `host:port/database` of a Redis or PostgreSQL URL, without user and password, for errors and logs. Never throws. */
export function serverName(url: string): string {
  const parts = splitUrl(url)
  if (!parts) return 'a server without a valid URL'
  const { scheme, params } = parts
  if (scheme.startsWith('redis')) {
    return `${parts.host}:${parts.port || '6379'}/${parts.path || (params.get('db') ?? '0')}`
  }
  const host = params.get('host') || decode(parts.host) || 'localhost'
  const database = decode(parts.path)
  return `${host}:${params.get('port') || parts.port || '5432'}${database && `/${database}`}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The files that a TLS connection to Redis needs travel as parameters of its URL, as those of PostgreSQL do. */

import { section, text } from './kinds.js'
import { splitUrl } from './url.js'

/** Names of files in PEM. */
export interface TlsFiles {
  /** Certificates to trust instead of those that Node brings along. */
  ca?: string
  /** Our own certificate, for a server that asks for one, and its key. */
  cert?: string
  key?: string
}

/** The parameters, and the keys of `redis.tls` that they stand for. */
export const TLS_PARAMS = { tlsca: 'ca', tlscert: 'cert', tlskey: 'key' } as const

const file = text('the name of a file', 'such as /etc/rekindle/ca.pem').exactOptional()

export const tls = section({ ca: file, cert: file, key: file }).exactOptional()

/** The URL with the names of the files in it; those that it has already stand. */
export function withTls(url: string, files: TlsFiles): string {
  const known = splitUrl(url)?.params
  const added = new URLSearchParams()
  for (const [param, key] of Object.entries(TLS_PARAMS)) {
    const name = files[key]
    if (name !== undefined && !known?.has(param)) added.set(param, name)
  }
  return added.size > 0 ? `${url}${url.includes('?') ? '&' : '?'}${added}` : url
}

/** The URL without the names of the files, and these; undefined where the URL does not ask for TLS. */
export function splitTls(url: string): { address: string; files: TlsFiles | undefined } {
  const parts = splitUrl(url)
  if (!parts) return { address: url, files: undefined }
  const rest = new URLSearchParams(parts.params)
  const files: TlsFiles = {}
  for (const [param, key] of Object.entries(TLS_PARAMS)) {
    const name = rest.get(param)
    if (name !== null) files[key] = name
    rest.delete(param)
  }
  const [start = ''] = url.split('?')
  const address = rest.size > 0 ? `${start}?${rest}` : start
  return { address, files: parts.scheme === 'rediss' ? files : undefined }
}

/** What is wrong with the files named for a URL, as `<what is wrong>; <what it should be>`, or undefined. */
export function tlsProblem(url: string): string | undefined {
  const parts = splitUrl(url)
  if (!parts) return undefined
  const named = Object.keys(TLS_PARAMS).filter((param) => parts.params.has(param))
  if (named.length === 0) return undefined
  if (parts.scheme !== 'rediss') return 'does not ask for TLS, though files for TLS are named; it should be rediss://'
  if (parts.params.has('tlscert') !== parts.params.has('tlskey'))
    return 'names only one of a certificate and its key; it should have both tls.cert and tls.key, or neither'
  return undefined
}

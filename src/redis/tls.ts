import { readFileSync } from 'node:fs'
import { serverName } from '../config/redact.js'
import { splitTls, type TlsFiles } from '../config/tls.js'
import { Trouble } from '../errors.js'
import type { TlsSettings } from '../tls-hints.js'

/** How people write the settings of TLS. */
export const REDIS_TLS: TlsSettings = {
  url: 'redis.url',
  ca: 'redis.tls.ca',
  cert: 'redis.tls.cert',
  key: 'redis.tls.key',
}

/** What ioredis connects with. */
export interface Address {
  readonly address: string
  /** The contents of the files; absent without TLS. */
  readonly tls?: TlsFiles
}

/**
 * Reads the files that a URL names for TLS, at each connection anew, so that a renewed certificate counts. Throws a Trouble for one
 * that cannot be read.
 */
export function readAddress(url: string): Address {
  const { address, files } = splitTls(url)
  if (!files) return { address }
  const contents = Object.entries(files).map(([key, path]) => [key, read(key as keyof TlsFiles, path, url)])
  return { address, tls: Object.fromEntries(contents) as TlsFiles }
}

function read(key: keyof TlsFiles, path: string, url: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new Trouble(
      'redis_refused',
      `Redis ${serverName(url)}: ${REDIS_TLS[key]}: ${path} cannot be read (${code})`,
      `${REDIS_TLS[key]} should name a file that this user may read`,
      false,
      { cause: error },
    )
  }
}

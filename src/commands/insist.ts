import { serverName } from '../config/redact.js'
import { Trouble } from '../errors.js'
import type { Patience } from './patience.js'

/** What a plain port makes of a handshake of TLS: it waits for more, or hangs up. */
const NO_HANDSHAKE = /timed ?out|closed|ECONNRESET|socket hang up/i
const BY_MISTAKE = 'is it rediss:// by mistake?'

/** Asks Redis until it answers, like {@link Patience.insist}; one that is asked in TLS and stays silent may not speak it. */
export function insistOnRedis<T>(patience: Patience, url: string, attempt: () => Promise<T>): Promise<T> {
  const server = `Redis ${serverName(url)}`
  if (!/^rediss:/i.test(url)) return patience.insist(server, attempt)
  return patience.insist(server, () => attempt().catch(suspectTls), `${BY_MISTAKE} Or does something block it?`)
}

function suspectTls(error: unknown): never {
  if (!(error instanceof Trouble && error.passing && NO_HANDSHAKE.test(error.message))) throw error
  throw new Trouble(error.code, error.message, `${BY_MISTAKE} Else: ${error.hint}`, true)
}

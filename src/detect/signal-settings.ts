import type { SignalSettings } from '../decide/signal-health.js'
import type { Life } from '../redis/life.js'
import { encode, exchange, isErrorReply, type Reply, type Wire } from '../redis/wire.js'

/**
 * Gives a function that asks Redis how its announcements are set. What it refuses once is not asked again in this life: every
 * refusal is an entry in the server's ACL LOG.
 */
export function settingsReader({ probe, bulk }: Pick<Life, 'probe' | 'bulk'>): () => Promise<SignalSettings> {
  const flags = asker(probe, 'CONFIG', 'GET', 'notify-keyspace-events')
  // Tracking belongs to a connection; since Redis 6.2 it can be asked about.
  const tracking = asker(bulk, 'CLIENT', 'TRACKINGINFO')
  return async () => {
    const [setting, info] = await Promise.all([flags(), tracking()])
    return { flags: Array.isArray(setting) ? String(setting[1] ?? '') : undefined, tracking: trackingOf(info) }
  }
}

/** Asks one thing, until that is refused. */
function asker(wire: Wire, ...command: readonly string[]): () => Promise<Reply | undefined> {
  let isRefused = false
  return async () => {
    if (isRefused) return undefined
    const [reply] = await exchange(wire, [encode(...command)])
    isRefused = isErrorReply(reply) && /^NOPERM|unknown (sub)?command/i.test(reply.message)
    return isErrorReply(reply) ? undefined : reply
  }
}

/** Of a map as RESP2 gives it: names and values by turns. */
function trackingOf(info: Reply | undefined): SignalSettings['tracking'] {
  if (!Array.isArray(info)) return undefined
  const flags = info[info.indexOf('flags') + 1]
  if (!Array.isArray(flags)) return undefined
  if (flags.includes('broken_redirect')) return 'broken'
  return flags.includes('on') ? 'on' : 'off'
}

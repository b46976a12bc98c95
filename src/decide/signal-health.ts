import { extendNotifyFlags } from './notify-flags.js'

/** What the server has been asked to announce: writes and flushes by client tracking, single keys by keyspace notifications. */
export type SignalName = 'tracking' | 'notifications'

/** What Redis says of its announcements; undefined where it does not tell. */
export interface SignalSettings {
  /** `notify-keyspace-events`. */
  readonly flags: string | undefined
  /** Of the connection that is tracked; `broken`: the one that it redirects to is gone. */
  readonly tracking: 'on' | 'off' | 'broken' | undefined
}

/** What has reached us of a write, a deletion and an expiry of our own. */
export interface SignalProof {
  readonly tracking: boolean
  readonly events: ReadonlySet<string>
}

/** The events that a proof provokes. */
export const PROVED_EVENTS = ['set', 'del', 'expired'] as const

/** Why a signal does not come any more, by its name; absent: nothing speaks against it. `proof` is undefined where there is none. */
export function silentSignals(
  settings: SignalSettings,
  proof: SignalProof | undefined,
): Partial<Record<SignalName, string>> {
  const tracking = trackingSilence(settings, proof)
  const notifications = notificationsSilence(settings, proof)
  return { ...(tracking && { tracking }), ...(notifications && { notifications }) }
}

function trackingSilence({ tracking }: SignalSettings, proof: SignalProof | undefined): string | undefined {
  if (tracking === 'off') return 'it has been switched off'
  if (tracking === 'broken') return 'the connection that it redirects to is gone'
  return proof?.tracking === false ? 'a write of our own was not announced' : undefined
}

function notificationsSilence({ flags }: SignalSettings, proof: SignalProof | undefined): string | undefined {
  if (flags !== undefined && extendNotifyFlags(flags) !== undefined)
    return `somebody has set notify-keyspace-events to '${flags}'`
  const missing = proof ? PROVED_EVENTS.filter((event) => !proof.events.has(event)) : []
  return missing.length > 0 ? `events of our own were not announced: ${missing.join(', ')}` : undefined
}

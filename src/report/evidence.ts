/** What Redis told about a loss, in sentences for people. */

import { cut } from './ring.js'

/** How many bytes make a megabyte, as Redis counts. */
const MEGABYTE = 1_048_576
/** In seconds. */
const HOUR = 3_600

/** A few short sentences out of the evidence of a `data_loss`; what is unknown gives none. */
export function explain(evidence: Readonly<Record<string, unknown>>): string[] {
  const number = (name: string): number => {
    const value = evidence[name]
    return typeof value === 'number' && Number.isFinite(value) ? value : 0
  }
  const says: string[] = []
  for (const command of ['flushall', 'flushdb', 'swapdb']) {
    const calls = number(`${command}_calls`)
    if (calls > 0) says.push(`${command.toUpperCase()} was called ${calls === 1 ? 'once' : `${calls} times`}`)
  }
  const client = clientOf(evidence['client'])
  if (client) says.push(`most likely by ${client}`)
  if (number('evicted_keys') > 0) says.push(`${number('evicted_keys').toLocaleString('en-US')} keys were evicted`)
  const limit = number('maxmemory')
  if (limit > 0 && number('evicted_keys') > 0) {
    const policy = typeof evidence['maxmemory_policy'] === 'string' ? `, ${cut(evidence['maxmemory_policy'], 40)}` : ''
    const [used, most] = [number('used_memory'), limit].map((bytes) => Math.round(bytes / MEGABYTE))
    says.push(`memory is at ${used} of ${most} MB${policy}`)
  }
  const events = keyEvents(evidence['key_events'])
  if (events) says.push(`keys were announced as gone: ${events}`)
  if (evidence['first_look'] === true) says.push('it was the first look since Rekindle started')
  // What has run for long did not just start empty.
  if (typeof evidence['uptime_s'] === 'number' && evidence['uptime_s'] < HOUR) {
    says.push(`Redis had been up for ${evidence['uptime_s']} s`)
  }
  if (evidence['aof_enabled'] === false) says.push('the append-only file is off')
  const unsaved = number('unsaved_changes_before')
  if (unsaved > 0) says.push(`${unsaved.toLocaleString('en-US')} changes had not been saved`)
  if (evidence['rdb_last_status'] === 'err') says.push('the last snapshot had failed')
  return says
}

/** `cron-cleanup, user default, at 10.0.0.7:51234`. */
function clientOf(client: unknown): string | undefined {
  if (typeof client !== 'object' || client === null) return undefined
  const { addr, name, user } = client as Record<string, unknown>
  const isTold = (value: unknown): value is string => typeof value === 'string' && value !== ''
  const words = [
    ...(isTold(name) ? [name] : []),
    ...(isTold(user) ? [`user ${user}`] : []),
    ...(isTold(addr) ? [`at ${addr}`] : []),
  ]
  return words.length > 0 ? cut(words.join(', '), 200) : undefined
}

function keyEvents(events: unknown): string {
  if (typeof events !== 'object' || events === null) return ''
  return Object.entries(events)
    .slice(0, 8)
    .map(([name, count]) => `${cut(name, 40)} ${String(count)}`)
    .join(', ')
}

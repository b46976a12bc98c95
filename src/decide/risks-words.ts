/** How findings say what they say. */

import type { KeysAtStake, ServerState } from './risks-facts.js'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** A command that sets something now, and what makes it last through a restart. */
export function setting({ configFile }: Pick<ServerState, 'configFile'>, name: string, value: string): string {
  const text = value === '' ? '""' : /\s/.test(value) ? `"${value}"` : value
  if (configFile === undefined) return `set ${name} ${text}, in redis.conf or where your provider lets you`
  if (configFile !== '') return `CONFIG SET ${name} ${text}, then CONFIG REWRITE`
  return `CONFIG SET ${name} ${text}, and --${name} ${text} where redis-server is started: it has no redis.conf`
}

/** `1,200 keys of class backup and 3 of no class (unknown is not safe)`. */
export function sayStake({ backup, unclassified, absent = [] }: KeysAtStake): string {
  if (backup + unclassified === 0) return `the keys of class backup to come (${sayNames(absent)}; none known now)`
  if (backup === 0) return `${sayCount(unclassified, 'key')} of no class (unknown is not safe)`
  const known = `${sayCount(backup, 'key')} of class backup`
  return unclassified === 0
    ? known
    : `${known} and ${unclassified.toLocaleString('en-US')} of no class (unknown is not safe)`
}

/** 1536 -> `1.5 KB`; units of 1,024 bytes, as Redis counts. */
export function saySize(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (value < 1_000) return `${value < 10 && unit !== 'B' ? value.toFixed(1) : Math.round(value)} ${unit}`
    value /= 1_024
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} TB`
}

/** A span of time as people say it, roughly: `40 s`, `3 h`, `12 d`. */
export function saySpan(ms: number): string {
  if (ms < 2 * MINUTE) return `${Math.max(0, Math.round(ms / 1_000))} s`
  if (ms < 2 * HOUR) return `${Math.round(ms / MINUTE)} min`
  if (ms < 2 * DAY) return `${Math.round(ms / HOUR)} h`
  return `${Math.round(ms / DAY)} d`
}

/** `1 key`, `2,000 keys`. */
export function sayCount(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`
}

/** The first few of some names, and how many more there are. */
export function sayNames(names: readonly string[], most = 5): string {
  const more = names.length - most
  return more > 0 ? `${names.slice(0, most).join(', ')} and ${more} more` : names.join(', ')
}

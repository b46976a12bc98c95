/** How the page writes numbers, spans of time and moments. */

import { type Html, html } from './html.js'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** 1500 -> `1.5 s`; 312 -> `312 ms`; 4000000 -> `1 h 6 min`. */
export function span(ms: number): string {
  const value = Math.max(0, ms)
  if (value < SECOND) return value > 0 && value < 10 ? `${Number(value.toFixed(1))} ms` : `${Math.round(value)} ms`
  if (value < MINUTE) return `${Number((value / SECOND).toFixed(value < 10 * SECOND ? 2 : 1))} s`
  if (value < HOUR) return pair(value, MINUTE, 'min', SECOND, 's')
  return value < 2 * DAY ? pair(value, HOUR, 'h', MINUTE, 'min') : pair(value, DAY, 'd', HOUR, 'h')
}

function pair(value: number, big: number, bigUnit: string, small: number, smallUnit: string): string {
  const [first, second] = [Math.floor(value / big), Math.floor((value % big) / small)]
  return second > 0 ? `${first} ${bigUnit} ${second} ${smallUnit}` : `${first} ${bigUnit}`
}

/** How long ago something was, in one number. The script of the page says it in the same words. */
export function age(ms: number): string {
  if (ms < SECOND) return 'now'
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`
  return ms < 2 * DAY ? `${Math.floor(ms / HOUR)} h ago` : `${Math.floor(ms / DAY)} d ago`
}

/** A moment, as its age, which the script of the page keeps right, with the moment itself to be read when pointed at. */
export function moment(at: number, now: number): Html {
  const iso = isoTime(at)
  return html`<time datetime="${iso}" data-at="${at}" title="${iso}">${age(now - at)}</time>`
}

/** `2026-11-20T08:31:12Z`, also of a time that no calendar holds. */
export function isoTime(at: number): string {
  return Number.isFinite(at) && Math.abs(at) < 8e15 ? `${new Date(at).toISOString().slice(0, 19)}Z` : 'unknown'
}

/** 12345 -> `12,345`. */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 key`, `2,000 keys`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** 1536 -> `1.5 KB`; units of 1,024 bytes. */
export function size(bytes: number): string {
  let value = bytes
  for (const unit of ['B', 'KB', 'MB', 'GB']) {
    if (value < 1_000) return `${value < 10 && unit !== 'B' ? value.toFixed(1) : Math.round(value)} ${unit}`
    value /= 1_024
  }
  return `${value.toFixed(1)} TB`
}

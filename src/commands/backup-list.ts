import { basename, resolve } from 'node:path'
import type { Proof } from '../backup/manifest.js'
import { type Backup, readShelf } from '../backup/shelf.js'
import { sayBytes } from '../backup/space.js'
import { findUnreadable } from '../backup/unreadable.js'
import type { Config } from '../config/schema.js'
import type { Answer } from './answer.js'
import { type Cell, clean, plainly, table } from './doctor-layout.js'
import { sayDuration } from './patience.js'
import { number } from './progress.js'

const HEAD = ['TAKEN', 'AGE', 'SIZE', 'KEYS', 'ONLY HERE', 'CHECKED', 'PROVED', 'FILE']
const COLUMNS = [{}, { right: true }, { right: true }, { right: true }, { right: true }, {}, {}, {}]
/** File names are never broken: people copy them. */
const WIDTH = 1_000

/** Shows all backups of the folder, newest first, and what should be one but cannot be read. Rejects with a Trouble. */
export async function listBackups({ backup: { dir } }: Config): Promise<Answer> {
  const backups = await readShelf(dir)
  const unreadable = await findUnreadable(dir)
  return {
    lines: [
      ...(backups.length > 0 ? showBackups(backups, Date.now()) : [`There are no backups in ${resolve(dir)}.`]),
      ...unreadable.map(({ path, why }) => `Unreadable: ${clean(path)}: ${clean(why)}; it is left alone`),
    ],
    data: { dir: resolve(dir), backups: backups.map(tellBackup), unreadable },
    troubles: [],
  }
}

/** A backup as an answer for a machine tells it. */
export function tellBackup({ path, manifest }: Backup): object {
  return { path, ...manifest }
}

/** A table of backups; ONLY HERE are the keys of those classes that nothing but a backup brings back. */
function showBackups(backups: readonly Backup[], now: number): string[] {
  const rows = backups.map((backup) => rowOf(backup, now))
  const cells = [HEAD, ...rows].map((row) => row.map((text): Cell => ({ text })))
  return table(COLUMNS, cells, WIDTH, plainly)
}

function rowOf({ path, manifest: { taken_at, bytes, keys, checked, proof } }: Backup, now: number): string[] {
  const onlyHere = keys?.classes
    .filter(({ recovery }) => recovery === 'backup')
    .reduce((sum, { keys }) => sum + keys, 0)
  return [
    localTime(taken_at),
    sayAge(now - Date.parse(taken_at)),
    sayBytes(bytes),
    keys ? number(keys.total) : '?',
    onlyHere === undefined ? '?' : number(onlyHere),
    checked === 'ok' ? 'yes' : 'no',
    sayProof(proof, now),
    basename(path),
  ]
}

/** When a proof was made and how long the recovery took; or that it failed. */
function sayProof(proof: Proof | null, now: number): string {
  if (!proof) return 'never'
  const age = `${sayAge(now - Date.parse(proof.at))} ago`
  return proof.ok ? `${age}, in ${sayDuration(proof.took_ms)}` : `FAILED ${age}`
}

/** `2026-11-20 08:30:15`, in local time. */
function localTime(iso: string): string {
  const time = new Date(iso)
  const two = (value: number): string => String(value).padStart(2, '0')
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${day} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`
}

/** `40 s`, `5 min`, `3 h`, `12 d`. */
function sayAge(ms: number): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** The sections about what PostgreSQL cannot give back: classes of keys, backups, and how these come back. */

import { Cron } from 'croner'
import { z } from 'zod'
import type { KeyClass } from '../model.js'
import { count, duration, element, oneOf, section, switchable, text, yesOrNo } from './kinds.js'

export interface BackupConfig {
  /** The folder of the backups; relative to the working directory. */
  dir: string
  /** A cron expression in local time; absent: only by hand. */
  schedule?: string
  /** A backup is kept while it is among the `last` newest or younger than `days`. */
  keep: { last: number; days: number }
  /** A program and its arguments, run after each backup; `{file}` stands for the backup, `{manifest}` for its manifest. */
  after: string[]
  /** Copy the append-only file, too, where the data directory is at hand. */
  aof: boolean
  /** When the newest backup is proved by booting it, and from when on a missing proof is a risk; false: never. In ms. */
  drill: { every: number; alert_after: number } | false
}

export interface RecoverConfig {
  /** Bring lost keys of the class `backup` back from the newest backup, unasked. */
  auto: boolean
}

const CLASSES =
  'it should be a list such as [{ match: "sub:user:*", recovery: backup, impact: "users lose their quota" }]'
const CRON = 'it should be a cron expression of five fields, such as "0 2 * * *"'

export const keys: z.ZodType<KeyClass[]> = z.array(
  element({
    match: text('a pattern', 'such as "sub:user:*"'),
    recovery: oneOf('recovery', ['postgres', 'backup', 'itself']),
    impact: text('an impact', 'such as "users lose their quota"').exactOptional(),
  }),
  { error: `is no list; ${CLASSES}` },
)

const schedule = text('a schedule', 'such as "0 2 * * *"').superRefine((value, context) => {
  try {
    if (!/^\S+(\s+\S+){4}$/.test(value.trim())) throw new TypeError('it has another number of fields')
    if (new Cron(value, { paused: true }).nextRun() === null) throw new TypeError('it never comes')
  } catch {
    // The library's own words are for whoever calls it.
    context.addIssue({ code: 'custom', input: value, message: `is no schedule; ${CRON}` })
  }
})

const PROGRAM = 'it should be a list of a program and its arguments, such as ["/usr/local/bin/copy-away", "{file}"]'

export const backup = section({
  dir: text('a folder', 'such as /var/lib/rekindle/backups').default('/var/lib/rekindle/backups'),
  schedule: schedule.exactOptional(),
  keep: section({ last: count(10_000).default(14), days: count(36_500).default(30) }),
  after: z.array(text('an argument', 'such as "{file}"'), { error: `is no list; ${PROGRAM}` }).default([]),
  aof: yesOrNo.default(false),
  drill: switchable({ every: duration(60_000).prefault('7d'), alert_after: duration(60_000).prefault('14d') }),
})

export const recover = section({ auto: yesOrNo.default(false) })

import { configError } from '../config/problem.js'

/** What `rekindle backup` may be told, whatever it is to do. */
export interface BackupOptions {
  readonly dir?: string
  readonly aof?: boolean
  readonly dryRun?: boolean
  readonly all?: boolean
  /** How long Redis may be away or silent, in ms; 60 s unless given. */
  readonly timeout?: number
}

/** What each act may be told. */
const OPTIONS = {
  now: ['dir', 'aof', 'timeout'],
  list: ['dir'],
  prune: ['dir', 'dryRun'],
  verify: ['dir', 'all'],
} as const satisfies Record<string, readonly (keyof BackupOptions)[]>

export type ActName = keyof typeof OPTIONS

const FLAGS: Readonly<Record<keyof BackupOptions, string>> = {
  dir: '--dir',
  aof: '--aof',
  dryRun: '--dry-run',
  all: '--all',
  timeout: '--timeout',
}

/**
 * The act that is called for, `now` if none is named. Throws a ConfigError for an unknown one, for a value that is empty, and for what
 * the act would pass over: who says `backup --dry-run` wants no backup taken.
 */
export function readCall(options: BackupOptions, [act = 'now', file]: readonly string[]): ActName {
  if (!isAct(act)) {
    throw configError('backup', `${JSON.stringify(act)} is unknown; it should be ${Object.keys(OPTIONS).join(', ')}`)
  }
  const allowed: readonly string[] = OPTIONS[act]
  for (const [name, flag] of Object.entries(FLAGS)) {
    if (options[name as keyof BackupOptions] === undefined || allowed.includes(name)) continue
    throw configError(flag, `does not go with backup ${act}; it belongs to backup ${actsWith(name).join(', ')}`)
  }
  if (options.dir?.trim() === '') throw configError('--dir', '"" is no folder; it should be such as /backups')
  if (file?.trim() === '') throw configError('backup', '"" is no file; rekindle backup list names them')
  if (file !== undefined && act !== 'verify')
    throw configError('backup', `${JSON.stringify(file)} is too much; nothing should follow`)
  return act
}

function isAct(act: string): act is ActName {
  return Object.hasOwn(OPTIONS, act)
}

function actsWith(option: string): string[] {
  return Object.entries(OPTIONS).flatMap(([act, options]: [string, readonly string[]]) =>
    options.includes(option) ? [act] : [],
  )
}

/** The errors that Rekindle raises itself: each says what is wrong, how to mend it, and whether it passes by itself. */

/** The configuration or the call is wrong; exit status 2. `message` is one line: which key, its value, what it should be. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

export type TroubleCode =
  | 'redis_unreachable'
  | 'redis_refused'
  | 'redis_readonly'
  | 'redis_busy'
  | 'redis_full'
  | 'redis_no_module'
  | 'postgres_unreachable'
  | 'postgres_refused'
  | 'postgres_schema'
  | 'postgres_query'
  | 'postgres_standby'
  | 'postgres_pooler'
  | 'postgres_wal'
  | 'no_symbols'
  | 'not_whole'
  | 'no_backup'
  | 'bad_backup'
  | 'bad_folder'
  | 'folder_in_use'
  | 'no_space'
  | 'no_memory'
  | 'no_program'
  | 'command_failed'
  | 'nothing_to_undo'
  | 'second_daemon'
  | 'signal_lost'
  | 'timeout'
  | 'aborted'
  | 'unexpected'

/** It ran and met trouble; exit status 1. Text never holds a password. */
export class Trouble extends Error {
  override readonly name = 'Trouble'
  constructor(
    readonly code: TroubleCode,
    message: string,
    /** One sentence: the command, setting or permission that mends it. */
    readonly hint: string,
    /** True where waiting can help: a server that is away, full or loading; false for a missing table or permission. */
    readonly passing: boolean,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}

/** The Trouble that an error is, or else that nobody had expected it. */
export function troubleOf(error: unknown): Trouble {
  if (error instanceof Trouble) return error
  return new Trouble('unexpected', error instanceof Error ? error.message : String(error), 'please report this', false)
}

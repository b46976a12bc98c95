import { redactUrl } from '../config/redact.js'
import { Trouble } from '../errors.js'
import { run } from './run.js'
import { type Backup, manifestPath } from './shelf.js'

/** How long the user's command may take, in ms. */
const LIMIT = 30 * 60_000
/** How much of its output an error tells, in characters. */
const TOLD = 400

export interface AfterOptions {
  readonly signal: AbortSignal
  /** In ms; 30 minutes unless given. */
  readonly limit?: number
}

/**
 * Runs the user's command for a new backup, without a shell: `{file}` and `{manifest}` in its arguments stand for the names. It is
 * given our environment without the URLs of the servers. Rejects with a Trouble `command_failed`, or with the signal's reason.
 */
export async function runAfter(
  command: readonly string[],
  { path }: Pick<Backup, 'path'>,
  { signal, limit = LIMIT }: AfterOptions,
): Promise<void> {
  const [program, ...args] = command.map((part) =>
    part.replace(/\{(file|manifest)\}/g, (_, what) => (what === 'file' ? path : manifestPath(path))),
  )
  if (program === undefined) return
  const { REDIS_URL: _, DATABASE_URL: __, ...env } = process.env
  const { status, output, late } = await run(program, args, { signal, limit, env }).catch((error) => {
    signal.throwIfAborted()
    throw failure(program, `cannot be run: ${(error as Error).message}`)
  })
  if (late) throw failure(program, `was ended after ${limit / 1000} s${told(output)}`)
  if (status !== 0) throw failure(program, `ended with ${status ?? 'a signal'}${told(output)}`)
}

function failure(program: string, what: string): Trouble {
  const hint = 'the backup itself is in its place; mend the command in backup.after'
  return new Trouble('command_failed', `backup.after: ${program} ${what}`, hint, true)
}

/** The end of what it printed; it may have printed secrets. */
function told(output: string): string {
  const text = redactUrl(output.trim().slice(-TOLD))
  return text && `: ${text}`
}

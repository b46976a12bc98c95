import { maskSecrets, withoutSecrets } from '../config/secrets.js'
import { Trouble } from '../errors.js'
import { KEPT, run } from './run.js'
import { type Backup, manifestPath } from './shelf.js'

/** How long the user's command may take, in ms. */
const LIMIT = 30 * 60_000
/** How much of its output an error tells, in characters. */
const TOLD = 400
/** In characters; a URL may be one. */
const LONGEST_SECRET = 2_000

export interface AfterOptions {
  readonly signal: AbortSignal
  /** What it may know, but we do not repeat. */
  readonly secrets?: readonly string[]
  /** In ms; 30 minutes unless given. */
  readonly limit?: number
}

/**
 * Runs the user's command for a new backup, without a shell: `{file}` and `{manifest}` in its arguments stand for the names. It is
 * given our environment without our variables and the passwords of the servers. Rejects with a Trouble `command_failed`, or with the signal's reason.
 */
export async function runAfter(
  command: readonly string[],
  { path }: Pick<Backup, 'path'>,
  { signal, secrets = [], limit = LIMIT }: AfterOptions,
): Promise<void> {
  const [program, ...args] = command.map((part) =>
    part.replace(/\{(file|manifest)\}/g, (_, what) => (what === 'file' ? path : manifestPath(path))),
  )
  if (program === undefined) return
  const env = withoutSecrets(process.env)
  const { status, output, late } = await run(program, args, { signal, limit, env }).catch((error) => {
    signal.throwIfAborted()
    throw failure(program, `cannot be run: ${(error as Error).message}`)
  })
  if (late) throw failure(program, `was ended after ${limit / 1000} s${told(output, secrets)}`)
  if (status !== 0) throw failure(program, `ended with ${status ?? 'a signal'}${told(output, secrets)}`)
}

function failure(program: string, what: string): Trouble {
  const hint = 'the backup itself is in its place; mend the command in backup.after'
  return new Trouble('command_failed', `backup.after: ${program} ${what}`, hint, true)
}

/** The end of what it printed, without secrets; they are looked for before anything is cut, for half of one would not be found. */
function told(output: string, secrets: readonly string[]): string {
  // Only run has cut it: then it may begin with the end of a secret.
  const whole = output.length < KEPT ? output : output.slice(LONGEST_SECRET)
  const text = maskSecrets(whole.trim(), secrets).slice(-TOLD)
  return text && `: ${text}`
}

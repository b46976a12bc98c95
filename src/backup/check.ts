import { Trouble } from '../errors.js'
import { type CountOptions, countKeys } from './count-keys.js'
import { folderTrouble } from './folder-trouble.js'
import type { Manifest } from './manifest.js'
import { CorruptRdb, UnknownRdb } from './rdb-keys.js'
import { run } from './run.js'

/** How long a check may take, in ms: 1 TB at 100 MB/s. */
const LIMIT = 10_000_000

/** What a check found out about a file that is not bad. */
export interface Checked {
  readonly checked: Manifest['checked']
  readonly keys: Manifest['keys']
  /** Why it could not be checked, or its keys not be counted; for the user. */
  readonly warnings: readonly string[]
}

/**
 * Reads an RDB file twice: with eyes of our own, which count its keys, and with redis-check-rdb, which also computes its checksum.
 * Rejects with a Trouble `bad_backup` for a broken one, and with the signal's reason.
 */
export async function checkRdb(path: string, options: CountOptions & { signal: AbortSignal }): Promise<Checked> {
  const counted = await countKeys(path, options).catch((error: unknown) => {
    if (error instanceof CorruptRdb || error instanceof UnknownRdb) return error
    options.signal.throwIfAborted()
    throw folderTrouble(error, path)
  })
  const verdict = await askProgram('redis-check-rdb', [path], options.signal)
  if (verdict.bad !== undefined) throw badBackup(`redis-check-rdb says: ${verdict.bad}`)
  const unchecked = verdict.reason === undefined ? [] : [verdict.reason]
  const checked = verdict.reason === undefined ? 'ok' : 'unchecked'
  if (!(counted instanceof Error)) return { checked, keys: counted, warnings: unchecked }
  // Redis' own program knows better than our reader; only where it says nothing, ours decides.
  if (counted instanceof CorruptRdb && checked === 'unchecked') throw badBackup(counted.message)
  return { checked, keys: null, warnings: [...unchecked, `its keys could not be counted: ${counted.message}`] }
}

/** Checks the append-only file that a manifest of Redis names, or a single one. */
export async function checkAof(path: string, signal: AbortSignal): Promise<Checked> {
  const { bad, reason } = await askProgram('redis-check-aof', [path], signal)
  if (bad !== undefined) throw badBackup(`redis-check-aof says: ${bad}`)
  return {
    checked: reason === undefined ? 'ok' : 'unchecked',
    keys: null,
    warnings: reason === undefined ? [] : [reason],
  }
}

/** A verdict: `bad` says what is wrong with the file, `reason` why the program could not tell; neither if it is fine. */
async function askProgram(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<{ bad?: string; reason?: string }> {
  try {
    const { status, output, late } = await run(program, args, { signal, limit: LIMIT })
    if (status === 0) return {}
    const last = said(output)
    if (late || status === undefined)
      return { reason: `${program} did not come to its end, so the backup is unchecked` }
    // The magic has passed our own check: what it does not know is the format of another program, such as Valkey.
    if (
      /Can't handle RDB format version|Wrong signature|Unknown RDB (?:encoding )?type|RDB type not known/i.test(output)
    )
      return { reason: `${program} is older than the Redis and cannot read the backup (${last}): it is unchecked` }
    return { bad: last }
  } catch (error) {
    signal.throwIfAborted()
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not on PATH' : (error as Error).message
    return { reason: `${program} is ${why}, so the backup is unchecked: install the tools of Redis` }
  }
}

/** The line of the output that tells most. */
function said(output: string): string {
  const lines = output.trim().split('\n')
  const error = lines.findIndex((line) => line.includes('ERROR DETECTED'))
  const line =
    (error >= 0 && lines[error + 1]) || lines.filter((each) => !each.startsWith('[info]')).at(-1) || 'nothing'
  return line.slice(0, 200)
}

function badBackup(why: string): Trouble {
  return new Trouble(
    'bad_backup',
    `the backup is not whole: ${why}`,
    'take another; look at the disk if it happens again',
    true,
  )
}

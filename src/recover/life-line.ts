import { spawn } from 'node:child_process'
import type { Writable } from 'node:stream'
import { Trouble } from '../errors.js'

/**
 * Starts "$@" at the first line of its input, and ends it, whatever becomes of us: the kernel closes our end of standard input even when we are killed by SIGKILL.
 * When the program is gone and nobody holds the line any more, its folder `$dir` goes, too.
 * Where memory runs out, this is what the kernel should take, rather than the Redis that is being rescued.
 */
const SCRIPT = `
trap '' INT HUP TERM
{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null
dir=$1
shift
exec 3<&0 </dev/null
read -r _ <&3 || { rm -rf "$dir"; exit 0; }
"$@" 3<&- &
server=$!
exec >/dev/null 2>&1
{ read -r _ <&3; kill -9 $server; } &
watcher=$!
wait $server
status=$?
kill -9 $watcher
read -r _ <&3
rm -rf "$dir"
exit $status`

/** The log of a program is kept as far as this, in characters. */
const LOG_LIMIT = 64_000

/** A program that ends at the latest when this process does, and its folder with it. */
export interface Tethered {
  /** Starts it; what its folder needs can be put there before. */
  start(): void
  /** What it has printed, the end of it if it is long. */
  readonly log: string
  /** Resolves when it has ended, by itself or not. */
  readonly ended: Promise<void>
  /** Kills it, removes its folder, and resolves with its exit status: 128 and the signal where it was killed. */
  cut(): Promise<number>
}

/** Makes ready to start a program that dies with us and then leaves no folder behind. Rejects with a Trouble if that cannot be. */
export async function tether(dir: string, command: readonly string[]): Promise<Tethered> {
  // Nothing of our environment but what finding a program needs: it may hold the passwords of both servers.
  const { PATH = '', LD_LIBRARY_PATH } = process.env
  const env = { PATH, ...(LD_LIBRARY_PATH !== undefined && { LD_LIBRARY_PATH }) }
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'sh', dir, ...command], {
    cwd: dir,
    env,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const line: Writable = shell.stdin
  // One that has died cannot be written to: its exit status tells.
  line.on('error', () => undefined)
  let log = ''
  shell.stdout.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-LOG_LIMIT)
  })
  const ended = new Promise<void>((resolve) => shell.stdout.once('close', resolve))
  const status = new Promise<number>((resolve) => shell.once('close', (code) => resolve(code ?? 1)))
  await new Promise((resolve, reject) => {
    shell.once('spawn', resolve)
    shell.once('error', (error) => reject(new Trouble('no_program', `/bin/sh: ${error.message}`, 'install it', false)))
  })
  return {
    start: () => void line.write('\n'),
    get log() {
      return log
    },
    ended,
    cut: () => {
      line.destroy()
      return status
    },
  }
}

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const folders = new Set<string>()
const closers: (() => Promise<void> | void)[] = []
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

// Reads the names of our folders until this process is gone, however it went, and then tidies up what it left.
const watchdogScript = `
while IFS= read -r dir; do set -- "$@" "$dir"; done
for dir; do
  [ -d "$dir" ] || continue
  sh "$dir/end.sh"
  rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }
done`
let watchdog: Socket | undefined

/** Makes an empty temporary folder that is removed, and whose `endWith` command is run, however this process ends. */
export function ownFolder(kind: string): string {
  const dir = mkdtempSync(join(tmpdir(), `rekindle-${kind}-`))
  listen()
  folders.add(dir)
  watchdog ??= startWatchdog()
  watchdog.write(`${dir}\n`)
  return dir
}

/** Sets the shell command that ends what runs in a folder of ours; it must not mind being run twice. */
export function endWith(dir: string, command: string): void {
  writeFileSync(join(dir, 'end.sh'), `${command}\n`)
}

/** Ends what runs in a folder of ours and removes it, before it returns. */
export function removeFolder(dir: string): void {
  if (!folders.delete(dir)) return
  spawnSync('sh', [join(dir, 'end.sh')], { stdio: 'ignore', timeout: 10_000 })
  rmSync(dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 25 })
}

/** Asks that a function be called, and awaited for at most 5 s, when a signal ends this process, before its servers are ended. */
export function onSignalledEnd(close: () => Promise<void> | void): void {
  listen()
  closers.push(close)
}

function startWatchdog(): Socket {
  const shell = spawn('sh', ['-c', watchdogScript, 'sh'], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  shell.unref()
  shell.on('error', () => {})
  const input = shell.stdin as Socket
  input.unref()
  input.on('error', () => {})
  return input
}

function listen(): void {
  if (process.listeners('exit').includes(endAll)) return
  process.on('exit', endAll)
  for (const signal of signals) process.on(signal, endOn)
}

function endAll(): void {
  for (const dir of [...folders]) removeFolder(dir)
}

async function endOn(signal: NodeJS.Signals): Promise<void> {
  for (const each of signals) process.off(each, endOn)
  const closing = Promise.allSettled(closers.splice(0).map(async (close) => close()))
  await Promise.race([closing, delay(5_000, undefined, { ref: false })])
  endAll()
  // Die of the same signal, as the parent expects; but where somebody else handles it, that is for them to decide.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

/** How to start a server: `dir` is a folder of ours, `endCommand` the shell command that ends the server with this pid. */
export interface Launch {
  dir: string
  command: string
  args: string[]
  endCommand: (pid: number) => string
  uid?: number
  gid?: number
}

/** A server process in a group of its own, so that Ctrl-C reaches us first; its output is in `log` in its folder. */
export class Server {
  running = true
  readonly #child: ChildProcess
  readonly #log: string
  readonly #ended: Promise<void>

  constructor({ dir, command, args, endCommand, uid, gid }: Launch) {
    this.#log = join(dir, 'log')
    const log = openSync(this.#log, 'a')
    const user = uid === undefined || gid === undefined ? {} : { uid, gid }
    this.#child = spawn(command, args, { cwd: dir, detached: true, stdio: ['ignore', log, log], ...user })
    closeSync(log)
    if (this.#child.pid !== undefined) endWith(dir, endCommand(this.#child.pid))
    this.#child.unref()
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.running = false
        resolve()
      }
      this.#child.once('exit', end)
      this.#child.once('error', (error) => {
        writeFileSync(this.#log, `${error.message}\n`, { flag: 'a' })
        end()
      })
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** How it ended, null while it runs or where a signal ended it. */
  get exitCode(): number | null {
    return this.#child.exitCode
  }

  /** Sends a signal to the server itself. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal)
  }

  /** Resolves when the process is gone. */
  async untilEnded(): Promise<void> {
    if (this.running) this.#child.ref()
    await this.#ended
  }

  /** Asks `ready` again and again until it says true; rejects, with the end of the log, when the process dies or 30 s are over. */
  async untilReady(what: string, ready: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 30_000
    while (!(await ready().catch(() => false))) {
      if (!this.running) throw new Error(`${what} ended while it started:\n${this.logTail()}`)
      if (Date.now() > deadline) throw new Error(`${what} was not ready within 30 s:\n${this.logTail()}`)
      await delay(10)
    }
  }

  /** The last lines of what it printed. */
  logTail(): string {
    return readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
  }
}

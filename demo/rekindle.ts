import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { endWith, ownFolder, removeFolder } from '../lab/processes.js'
import type { Journal } from './journal.js'
import type { Layout } from './options.js'

// The program that users run, not the copy that was compiled along with this file.
const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const STOP_LIMIT = 4_000

/** What a command came to. */
export interface Ran {
  status: number | null
  /** What it printed, errors too, as lines. */
  lines: string[]
}

/** The real `rekindle`, with a configuration of its own for these servers. */
export class Rekindle {
  readonly config: string
  readonly log: string
  readonly #dir = ownFolder('demo')
  readonly #env: NodeJS.ProcessEnv
  readonly #children = new Set<ChildProcess>()
  #stopping = false

  constructor(redisUrl: string, databaseUrl: string, layout: Layout) {
    this.config = join(this.#dir, 'demo.yaml')
    this.log = join(this.#dir, 'demo.log')
    const settings = { redis: { url: redisUrl }, postgres: { url: databaseUrl }, candles: { layout } }
    writeFileSync(this.config, stringify(settings), { mode: 0o600 })
    // The environment wins over the file: what a person has there for servers in use must not reach this program.
    const foreign = /^(PG|REKINDLE_|LOG_LEVEL$)/
    const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name))
    this.#env = { ...Object.fromEntries(kept), REDIS_URL: redisUrl, DATABASE_URL: databaseUrl }
  }

  /** Runs a command to its end. */
  async run(...args: string[]): Promise<Ran> {
    const child = this.#spawn(args)
    const chunks: Buffer[] = []
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
    const [status] = (await once(child, 'close')) as [number | null]
    return { status, lines: Buffer.concat(chunks).toString().trimEnd().split('\n') }
  }

  /** Starts the daemon; the journal gets its log, and is told if it ends unasked. */
  watch(journal: Journal): void {
    const child = this.#spawn(['watch'])
    const file = createWriteStream(this.log)
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      stream.pipe(file, { end: false })
      createInterface({ input: stream }).on('line', (line) => journal.add(line))
    }
    child.once('error', (error) => journal.fail(error))
    child.once('close', (code, signal) => {
      file.end()
      if (!this.#stopping) journal.fail(new Error(`rekindle watch ended by itself (${signal ?? code})`))
    })
  }

  /** Ends whatever runs and removes the folder. */
  async stop(): Promise<void> {
    this.#stopping = true
    await Promise.all([...this.#children].map(end))
    removeFolder(this.#dir)
  }

  #spawn(args: string[]): ChildProcess {
    const all = [program, ...args, '--config', this.config]
    // In a group of its own: Ctrl-C is for us, and we end it in good order.
    const child = spawn(process.execPath, all, { env: this.#env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#children.add(child)
    this.#secure()
    child.once('exit', () => {
      this.#children.delete(child)
      this.#secure()
    })
    return child
  }

  /** Sees to it that what runs ends with us, however we end. */
  #secure(): void {
    const pids = [...this.#children].map(({ pid }) => pid).filter((pid) => pid !== undefined)
    if (!this.#stopping) endWith(this.#dir, pids.length > 0 ? `kill -s KILL ${pids.join(' ')}` : ':')
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT)
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await ended
  clearTimeout(force)
}

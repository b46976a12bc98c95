import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { endWith, ownFolder, removeFolder } from '../lab/processes.js'

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
/** How long an event may let itself be waited for, in ms. */
const PATIENCE = 300_000

export type Layout = 'timeseries' | 'sortedset'

export interface DaemonOptions {
  readonly redisUrl: string
  readonly databaseUrl: string
  readonly layout: Layout
}

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string }

/** Resident memory in MB: now, and the most there has been. */
export interface Memory {
  readonly now: number
  readonly peak: number
}

/** What a command came to. */
export interface Ran {
  readonly status: number
  /** What it printed, errors too. */
  readonly text: string
}

/** Rekindle as its users run it: the built program in a process of its own, a configuration file, and its log on stdout. */
export class Daemon {
  private readonly waiting = new Set<{ event: string; resolve(line: LogLine): void; reject(error: Error): void }>()
  private readonly lastLines: string[] = []
  private readonly ended: Promise<void>

  private constructor(
    private readonly dir: string,
    private readonly child: ChildProcess,
  ) {
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.take(line))
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        for (const { reject } of this.waiting) reject(new Error(`the daemon ended:\n${this.lastLines.join('\n')}`))
        resolve()
      })
    })
  }

  /** Installs the triggers and starts the daemon; resolves when everything is whole, with the time that took in ms. */
  static async start(options: DaemonOptions): Promise<{ daemon: Daemon; took: number }> {
    const dir = ownFolder('daemon')
    const config = join(dir, 'rekindle.yaml')
    writeFileSync(config, JSON.stringify(configOf(options)))
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !OVERRIDES.has(name)))
    const applied = await run(['triggers', '--apply', '--config', config], env)
    if (applied.status !== 0) throw new Error(`rekindle triggers --apply failed: ${applied.text}`)
    const began = performance.now()
    const child = spawn(process.execPath, [program, 'watch', '--config', config], {
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    if (child.pid !== undefined) endWith(dir, `kill -s KILL ${child.pid}`)
    const daemon = new Daemon(dir, child)
    await daemon.next('watching')
    return { daemon, took: performance.now() - began }
  }

  /** The next event of this name that the log tells of; rejects when the daemon ends, or is silent for too long. */
  next(event: string): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const late = new Error(`no ${event} from the daemon within ${PATIENCE / 1000} s:\n${this.lastLines.join('\n')}`)
      const waiter = { event, resolve, reject }
      const limit = setTimeout(() => waiter.reject(late), PATIENCE)
      const done = (): void => {
        clearTimeout(limit)
        this.waiting.delete(waiter)
      }
      waiter.resolve = (line) => {
        done()
        resolve(line)
      }
      waiter.reject = (error) => {
        done()
        reject(error)
      }
      this.waiting.add(waiter)
    })
  }

  /** Compares all of Redis with PostgreSQL by `rekindle verify` on these servers; its exit status and what it printed. */
  verify(redisUrl: string, databaseUrl: string): Promise<Ran> {
    const env = { ...process.env, REDIS_URL: redisUrl, DATABASE_URL: databaseUrl }
    return run(['verify', '--config', join(this.dir, 'rekindle.yaml')], env)
  }

  /** Undefined where the system has no /proc. */
  memory(): Memory | undefined {
    const status = this.proc('status')
    const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status ?? '')?.[1]) / 1024
    return status === undefined ? undefined : { now: field('VmRSS'), peak: field('VmHWM') }
  }

  /** Processor time of all its threads so far, in ms; undefined where the system has no /proc. */
  cpuTime(): number | undefined {
    const stat = this.proc('stat')
    if (stat === undefined) return undefined
    // The name, in parentheses, may hold blanks; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / ticksPerSecond()
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM')
    await this.ended
    removeFolder(this.dir)
  }

  private proc(file: string): string | undefined {
    try {
      return readFileSync(`/proc/${this.child.pid}/${file}`, 'utf8')
    } catch {
      return undefined
    }
  }

  private take(line: string): void {
    this.lastLines.push(line)
    if (this.lastLines.length > 8) this.lastLines.shift()
    const entry = JSON.parse(line) as LogLine
    for (const waiter of this.waiting) if (waiter.event === entry.event) waiter.resolve(entry)
  }
}

/** Runs a command to its end. */
async function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ran> {
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status: status ?? 1, text: Buffer.concat(chunks).toString().trim() }
}

/** Variables that would win over the configuration file. */
const OVERRIDES = new Set(['REDIS_URL', 'DATABASE_URL', 'LOG_LEVEL', 'REKINDLE_CONFIG'])

function configOf({ redisUrl, databaseUrl, layout }: DaemonOptions): object {
  const servers = { redis: { url: redisUrl }, postgres: { url: databaseUrl } }
  // Round after round is flushed: each is a loss of its own, and over at once.
  return { ...servers, candles: { layout }, watch: { storm: '0s' }, log: { level: 'info' } }
}

function ticksPerSecond(): number {
  return Number(spawnSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }).stdout) || 100
}

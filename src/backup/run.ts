import { spawn } from 'node:child_process'

/** How a program ended. */
export interface Ended {
  /** Undefined where a signal ended it. */
  readonly status: number | undefined
  /** The end of what it printed, on both streams. */
  readonly output: string
  /** True if it had to be ended because its time was over. */
  readonly late: boolean
}

export interface RunOptions {
  readonly signal: AbortSignal
  /** In ms. */
  readonly limit: number
  readonly env?: NodeJS.ProcessEnv
}

/** How much of the output is kept, in characters. */
export const KEPT = 4_000
/** How long a program may take to end once it is asked to, in ms. */
const GRACE = 5_000

/**
 * Runs a program to its end, without a shell. When its time is over or the signal aborts, it and all that it started are asked to
 * end, and killed if they do not. Rejects with the error of the system if it cannot be started, or with the signal's reason.
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  const { signal, limit, env = process.env } = options
  signal.throwIfAborted()
  // In a group of its own, so that what it starts ends with it.
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-KEPT)
    })
  }
  let late = false
  let killer: NodeJS.Timeout | undefined
  const kill = (name: NodeJS.Signals): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name)
    } catch {
      // It has ended meanwhile.
    }
  }
  const end = (): void => {
    kill('SIGTERM')
    killer ??= setTimeout(() => kill('SIGKILL'), GRACE)
  }
  const timer = setTimeout(() => {
    late = true
    end()
  }, limit)
  signal.addEventListener('abort', end, { once: true })
  try {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? undefined))
    })
    signal.throwIfAborted()
    return { status, output, late }
  } finally {
    clearTimeout(timer)
    clearTimeout(killer)
    signal.removeEventListener('abort', end)
  }
}

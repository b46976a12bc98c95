import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect } from 'vitest'

const program = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** What a run of the program came to. */
export interface Ran {
  /** The exit status; undefined where a signal ended it. */
  status: number | undefined
  stdout: string
  stderr: string
  /** In ms. */
  took: number
}

/** A run of the program that has not ended. */
export interface Running {
  kill(signal: NodeJS.Signals): void
  /** Stops reading what it prints, as `| head` does. */
  hangUp(): void
  readonly stdout: string
  readonly stderr: string
  readonly ended: Promise<Ran>
}

/** Starts the built program; nothing of the tests' own environment but PATH reaches it. */
export function startRekindle(args: readonly string[], env: Record<string, string> = {}): Running {
  if (!existsSync(program)) throw new Error('dist/main.js is missing: npm run build makes it')
  const { PATH = '' } = process.env
  const startedAt = performance.now()
  const child = spawn(process.execPath, [program, ...args], { cwd: folder(), env: { PATH, ...env } })
  const read = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      read[name] += text
    })
  }
  return {
    kill: (signal) => void child.kill(signal),
    hangUp: () => void child.stdout.destroy(),
    get stdout() {
      return read.stdout
    },
    get stderr() {
      return read.stderr
    },
    ended: untilEnded(child).then((status) => ({ ...read, status, took: performance.now() - startedAt })),
  }
}

function untilEnded(child: ChildProcess): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (status) => resolve(status ?? undefined))
  })
}

/** Runs the program to its end. Whatever it is told, it prints no stack and no password of a URL. */
export async function rekindle(args: readonly string[], env: Record<string, string> = {}): Promise<Ran> {
  const ran = await startRekindle(args, env).ended
  for (const text of [ran.stdout, ran.stderr]) {
    expect(text).not.toMatch(/^\s+at /m)
    expect(text).not.toMatch(/:\/\/[^\s/]*:(?!\*)[^\s/]*@/)
  }
  return ran
}

/** Runs the program with --json and gives the one object that it printed as well. */
export async function rekindleJson(
  args: readonly string[],
  env: Record<string, string>,
): Promise<Ran & { answer: Record<string, unknown> }> {
  const ran = await rekindle([...args, '--json'], env)
  expect(ran.stdout).toMatch(/^\{.*\}\n$/)
  return { ...ran, answer: JSON.parse(ran.stdout) as Record<string, unknown> }
}

let ownFolder: string | undefined

/** A folder of this test file's own, with no configuration in it unless {@link writeConfig} was called. */
function folder(): string {
  ownFolder ??= mkdtempSync(join(tmpdir(), 'rekindle-commands-'))
  return ownFolder
}

/** Writes a configuration and gives its full name. JSON is YAML. */
export function writeConfig(config: object, name = 'rekindle.yaml'): string {
  return writeText(JSON.stringify(config), name)
}

/** Writes a file beside the configuration and gives its full name. */
export function writeText(text: string, name: string): string {
  const path = join(folder(), name)
  writeFileSync(path, text)
  return path
}

afterAll(() => {
  if (ownFolder) rmSync(ownFolder, { recursive: true, force: true })
})

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/until.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const npm = (...args: string[]) => spawnSync('npm', args, { cwd: project, encoding: 'utf8', timeout: 110_000 })

const hasRegistry = npm('ping').status === 0
if (!hasRegistry) console.log('npm reaches no registry: the test that installs the package is SKIPPED.')
const canNotify = ['python3', 'systemd-notify'].every(
  (program) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0,
)
if (!canNotify) console.log('python3 or systemd-notify was not found: the test that runs as a service is SKIPPED.')

/** A socket as systemd has one, that starts the program as systemd does, and prints what it hears. */
const SYSTEMD = `
import os, socket, subprocess, sys
name, *command = sys.argv[1:]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(name)
def own_pid():
    os.environ.update(SYSTEMD_EXEC_PID=str(os.getpid()), WATCHDOG_PID=str(os.getpid()))
os.environ.update(NOTIFY_SOCKET=name, WATCHDOG_USEC="300000")
child = subprocess.Popen(command, preexec_fn=own_pid, stdout=subprocess.DEVNULL)
print("PID", child.pid, flush=True)
while True:
    for line in receiver.recv(65536).decode().split("\\n"):
        print(line, flush=True)
`

describe.skipIf(!hasRegistry)('the package, installed on a machine', () => {
  let folder: string
  let program: string
  let systemd: ChildProcess | undefined

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rekindle-package-'))
    program = join(folder, 'bin', 'rekindle')
    const packed = npm('pack', '--pack-destination', folder)
    expect(packed.status, packed.stderr).toBe(0)
    const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '')
    const installed = npm(
      'install',
      '--global',
      '--prefix',
      folder,
      '--prefer-offline',
      '--no-audit',
      '--no-fund',
      tarball,
    )
    expect(installed.status, installed.stderr).toBe(0)
  }, 120_000)

  afterAll(() => {
    systemd?.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  const run = (...args: string[]) => spawnSync(program, args, { cwd: folder, encoding: 'utf8' })

  it('runs from there', () => {
    expect(run('--version')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect(run('triggers')).toMatchObject({ status: 0, stdout: expect.stringContaining('CREATE TRIGGER') })
    expect(run('wait', '--timeout', '1x')).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^rekindle: --timeout/),
    })
  })

  it('brings what a machine needs to run it, and no sources', () => {
    const files = readdirSync(join(folder, 'lib', 'node_modules', 'rekindle'))
    expect(files).toEqual(expect.arrayContaining(['config', 'dist', 'systemd', 'package.json', 'README.md', 'LICENSE']))
    for (const name of ['src', 'test', 'lab']) expect(files).not.toContain(name)
  })

  it.skipIf(!canNotify)(
    'runs as a service: ready, alive, reloaded and stopped as systemd wants to hear it',
    async () => {
      const heard: string[] = []
      const watch = ['/usr/bin/env', program, 'watch']
      systemd = spawn('python3', ['-c', SYSTEMD, join(folder, 'notify'), ...watch], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {
          ...process.env,
          REKINDLE_CONFIG: '',
          REDIS_URL: 'redis://127.0.0.1:1/0',
          DATABASE_URL: 'postgres://127.0.0.1:1/nowhere',
        },
        cwd: folder,
      })
      const lines = createInterface({ input: systemd.stdout as NodeJS.ReadableStream })
      lines.on('line', (line) => heard.push(line))
      await once(lines, 'line')
      const pid = Number(heard[0]?.split(' ')[1])
      const hears = (line: string | RegExp) =>
        until(() => heard.some((each) => (typeof line === 'string' ? each === line : line.test(each))), {
          what: String(line),
        })
      try {
        await hears('READY=1')
        await hears('WATCHDOG=1')
        await hears(/^STATUS=waiting: Redis 127\.0\.0\.1:1\/0: /)
        process.kill(pid, 'SIGHUP')
        await hears('RELOADING=1')
        await until(() => heard.lastIndexOf('READY=1') > heard.indexOf('RELOADING=1'))
      } finally {
        process.kill(pid, 'SIGTERM')
      }
      await hears('STOPPING=1')
    },
  )
})

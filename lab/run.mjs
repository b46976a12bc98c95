// Runs the demo, the tests or the benchmark on a machine with nothing but Node and git: installs what is missing, builds, runs.
// Nothing is installed when this file starts, so it may import from node: only.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const programs = {
  demo: [process.execPath, '.build/demo/main.js'],
  test: [process.execPath, 'node_modules/vitest/vitest.mjs', 'run'],
  bench: [process.execPath, '.build/bench/main.js'],
  soak: [process.execPath, '.build/bench/soak.js'],
}

async function main([name, ...args]) {
  if (!Object.hasOwn(programs, name)) fail('usage: node lab/run.mjs demo|test|bench|soak [arguments]', 2)
  process.chdir(root)
  // npm lives beside node, also where that folder is not on PATH.
  process.env.PATH = [process.env.PATH, dirname(process.execPath)].filter(Boolean).join(delimiter)
  if (!isInstalled()) {
    console.log('Installing the npm packages …')
    run('npm', [
      'ci',
      '--include=dev',
      '--include=optional',
      '--no-audit',
      '--no-fund',
      '--no-update-notifier',
      '--loglevel=error',
    ])
  }
  for (const project of ['tsconfig.build.json', 'tsconfig.lab.json']) {
    run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', project])
  }
  if (name !== 'test' || !process.env.REKINDLE_TEST_REDIS_URL) {
    const { installRedis } = await import('../.build/lab/install-redis.js')
    await installRedis()
  }
  process.exitCode = await runToTheEnd([...programs[name], ...args])
}

function isInstalled() {
  const receipt = join(root, 'node_modules', '.package-lock.json')
  return existsSync(receipt) && statSync(receipt).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) fail(error ? `${command}: ${error.message}` : `${command} ${args.join(' ')} failed`)
}

// The program and what it starts are a process group of their own and get each signal from us alone: a terminal signals its whole
// group, and npm passes the same signal on once more, but a second signal means "at once".
function runToTheEnd([command, ...args]) {
  const child = spawn(command, args, { stdio: 'inherit', detached: true })
  let last = -1_000
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (performance.now() - last < 500) return
      last = performance.now()
      if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid, signal)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

function fail(message, code = 1) {
  console.error(message)
  process.exit(code)
}

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) fail(`Rekindle needs Node 20.19 or newer; this is ${process.version}.`)
try {
  await main(process.argv.slice(2))
} catch (error) {
  fail(error.message)
}

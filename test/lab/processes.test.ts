import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { ownFolder, removeFolder } from '../../lab/processes.js'
import { describeOwnServers, isAlive } from '../support/processes.js'
import { until } from '../support/until.js'

const built = '.build/lab-alone'

describeOwnServers('what a process started, when it ends', () => {
  let temp: string
  let child: ChildProcess

  beforeAll(() => {
    const options = '--ignoreConfig --target es2023 --module nodenext --types node --skipLibCheck'.split(' ')
    const files = ['lab/redis.ts', 'lab/postgres.ts']
    const tsc = 'node_modules/typescript/bin/tsc'
    const { status, stdout } = spawnSync(process.execPath, [tsc, ...options, '--outDir', built, ...files])
    expect(status, String(stdout)).toBe(0)
  })

  beforeEach(() => {
    temp = ownFolder('test')
    // PostgreSQL may run as another user than we do.
    chmodSync(temp, 0o755)
  })

  afterEach(() => {
    child.kill('SIGKILL')
    removeFolder(temp)
  })

  it.each([
    ['the end of its program', 'process.exit(3)', 3],
    ['an exception', 'throw new Error("on purpose")', 1],
  ])('is gone after %s', async (_, last, expected) => {
    const pids = await start(last)
    const [code] = await once(child, 'exit')
    expect(code).toBe(expected)
    expect(readdirSync(temp)).toEqual([])
    await until(() => !pids.some(isAlive))
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'is gone after %s, which still ends the process',
    async (signal) => {
      const pids = await start('await new Promise((resolve) => setTimeout(resolve, 60_000))')
      child.kill(signal)
      const [, died] = await once(child, 'exit')
      expect(died).toBe(signal)
      expect(readdirSync(temp)).toEqual([])
      await until(() => !pids.some(isAlive))
    },
  )

  it('is gone after SIGKILL, a moment later', async () => {
    const pids = await start('await new Promise((resolve) => setTimeout(resolve, 60_000))')
    child.kill('SIGKILL')
    await until(() => readdirSync(temp).length === 0 && !pids.some(isAlive))
  })

  it('is gone when the signal comes while PostgreSQL is still being set up', async () => {
    run('')
    await until(() => readdirSync(temp).some((name) => readdirSync(join(temp, name)).includes('data')))
    child.kill('SIGINT')
    await once(child, 'exit')
    expect(readdirSync(temp)).toEqual([])
  })

  it('lets a program close its own things first', async () => {
    const close = `onSignalledEnd(async () => { await redis.cli('PING'); console.log('closed') })`
    await start(`${close}; await new Promise((resolve) => setTimeout(resolve, 60_000))`)
    const said = once(child.stdout as NodeJS.ReadableStream, 'data')
    child.kill('SIGTERM')
    expect(String(await said)).toContain('closed')
    await once(child, 'exit')
    expect(readdirSync(temp)).toEqual([])
  })

  /** Runs a program that starts both servers, and returns their process ids. */
  async function start(last: string): Promise<number[]> {
    run(last)
    const [line] = await once(child.stdout as NodeJS.ReadableStream, 'data')
    const pids = JSON.parse(String(line)) as number[]
    expect(pids.every(isAlive)).toBe(true)
    return pids
  }

  function run(last: string): void {
    const home = pathToFileURL(join(process.cwd(), built))
    const program = `
      import { startPostgres } from '${home}/postgres.js'
      import { startRedis } from '${home}/redis.js'
      import { onSignalledEnd } from '${home}/processes.js'
      const postgres = await startPostgres()
      const redis = await startRedis()
      console.log(JSON.stringify([postgres.pid, redis.pid]))
      ${last}`
    child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      env: { ...process.env, TMPDIR: temp },
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  }
})

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { startDaemon, testConfig, useMarket } from '../support/daemon.js'
import { describeOwnServers } from '../support/processes.js'
import { until, useRedis } from '../support/servers.js'

const project = fileURLToPath(new URL('../..', import.meta.url))
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT']
/** What docs/workers.md says that a worker must be allowed to do. */
const RULES =
  'resetchannels &rekindle:events %R~rekindle:* %R~indicator:* -@all +info +subscribe +multi +exec +hmget +hget +hgetall'

const python = ['python3', '/usr/bin/python3'].find(
  (program) => spawnSync(program, ['-c', 'import redis']).status === 0,
)
if (!python) console.log('python3 with redis-py was not found: the worker in Python is SKIPPED.')

const WORKERS = [
  { name: 'worker.ts', command: [process.execPath, '.build/examples/worker.js'], possible: true },
  { name: 'worker.py', command: [python ?? '', 'examples/worker.py'], possible: python !== undefined },
]

interface Line {
  event: 'paused' | 'resumed' | 'worked'
  symbols?: string[]
  symbol?: string
  values?: Record<string, string>
}

it.each(WORKERS)('docs/workers.md shows examples/$name as it is', ({ name }) => {
  const text = readFileSync(`${project}/examples/${name}`, 'utf8')
  expect(readFileSync(`${project}/docs/workers.md`, 'utf8')).toContain(`\`\`\`${name.slice(-2)}\n${text}\`\`\`\n`)
})

it('docs/workers.md names the rights with which the examples are tested', () => {
  expect(readFileSync(`${project}/docs/workers.md`, 'utf8')).toContain(RULES)
})

describeOwnServers('the examples of a worker', () => {
  const redis = useRedis({ acl: [`user worker on >secret ${RULES}`] })
  const { database, install } = useMarket()
  let child: ChildProcess | undefined

  beforeAll(async () => {
    await install()
    const compiled = spawnSync('npx', ['tsc', '-p', 'examples'], { cwd: project, encoding: 'utf8' })
    expect(compiled.stdout).toBe('')
  })
  afterEach(() => child?.kill('SIGKILL'))

  it.for(WORKERS)(
    '$name pauses when data is lost, and resumes when it is back',
    async ({ command, possible, name }, test) => {
      test.skip(!possible, `${name} cannot run here`)
      const [program = '', ...args] = command
      const lines: Line[] = []
      child = spawn(program, args, {
        cwd: project,
        env: { ...process.env, REDIS_URL: redis.url.replace('//', '//worker:secret@'), SYMBOLS: SYMBOLS.join() },
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) =>
        lines.push(JSON.parse(line)),
      )
      const named = (event: Line['event']) =>
        lines.flatMap((line) => (line.event === event ? (line.symbols ?? []) : []))
      const state = (wanted: Line['event'], rounds: number) =>
        until(() => named(wanted).length === rounds * SYMBOLS.length, { what: `${wanted}: ${JSON.stringify(lines)}` })
      const worked = () => {
        const before = lines.length
        return until(() => SYMBOLS.every((name) => lines.slice(before).some(({ symbol }) => symbol === name)))
      }
      const config = testConfig(redis.url, database.url)
      let daemon = startDaemon(config)
      const blocker = new Client({ connectionString: database.url })
      await blocker.connect()
      try {
        await state('resumed', 1)
        await worked()

        // Nothing comes back while PostgreSQL cannot be read.
        await blocker.query('BEGIN; LOCK TABLE indicator_values_v4 IN ACCESS EXCLUSIVE MODE')
        await redis.cli('FLUSHALL')
        await state('paused', 1)
        await blocker.query('ROLLBACK')
        await state('resumed', 2)
        await worked()

        // Nobody announces this loss: the hash is gone, and that is enough.
        daemon.stop()
        await redis.cli('FLUSHALL')
        await state('paused', 2)
        daemon = startDaemon(config)
        await state('resumed', 3)

        // Another process with the old data and the old marks, which nobody has looked at.
        daemon.stop()
        await redis.cli('SAVE')
        await redis.kill()
        await state('paused', 3)
        await redis.start()
        expect(await redis.cli('HLEN', 'rekindle:ready')).toBe(SYMBOLS.length)
        // It has asked, and has not believed it.
        await until(async () => String(await redis.cli('INFO', 'commandstats')).includes('cmdstat_hmget:'))
        expect(named('resumed')).toHaveLength(3 * SYMBOLS.length)
        daemon = startDaemon(config)
        await state('resumed', 4)
        await worked()
        for (const { values } of lines) expect(values).not.toEqual({})
      } finally {
        daemon.stop()
        await blocker.end()
      }
    },
  )
})
